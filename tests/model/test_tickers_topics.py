"""Ticker symbols, and the topics named after them."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.model import topics
from pipeline.model.tickers import InvalidTickerError, is_ticker, parse_ticker, parse_tickers
from pipeline.model.topics import GENERAL, PER_TICKER, split_topic, topic_for, topics_of

TICKERS = st.from_regex(r"\^?[A-Z0-9][A-Z0-9.\-=&_]{0,30}", fullmatch=True)
PREFIXES = st.sampled_from(PER_TICKER)


@given(TICKERS)
def test_a_symbol_is_read_in_any_case_and_with_spaces_around(ticker: str) -> None:
    assert parse_ticker(f" {ticker.lower()}\n") == ticker
    assert is_ticker(ticker)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "^",
        ".A",
        "-A",
        "A B",
        "A/B",
        "../A",
        "_A",
        "&A",
        "A!",
        "A" * 33,
        "ÄPFEL",
        "ß",
        "ﬁ",
        "ıbm",
        "٣",
        "A\x00",
        "$AAPL",
        "A\nB",
    ],
)
def test_what_is_no_symbol_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidTickerError, match="is not a ticker symbol"):
        parse_ticker(text)


@pytest.mark.parametrize(
    "ticker",
    [
        "M&M.NS",
        "J&KBANK.NS",
        "GVT&D.NS",
        "1000SATS-USDT-SWAP",
        "NIFTY_FIN_SERVICE.NS",
        "^990100-USD-STRD",
        "SPXW240119C04750000",
        "GC=F",
        "0P0000XTS7.F",
        "^GSPC",
        "BRK-B",
        "BRK.B",
        "EURUSD=X",
        "7203.T",
        "DX-Y.NYB",
        "000001.SS",
        "A" * 32,
    ],
)
def test_symbols_that_exchanges_use_are_taken(ticker: str) -> None:
    assert parse_ticker(ticker.lower()) == ticker
    assert [split_topic(topic)[1] for topic in topics_of(ticker)] == [ticker] * len(PER_TICKER)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("BRK/B", "BRK.B"),
        ("btc/usd", "BTC-USD"),
        ("NASDAQ:AAPL", "AAPL"),
        ("NSE:RELIANCE", "RELIANCE"),
        ("$TSLA", "TSLA"),
        ("/ES", "ES=F"),
    ],
)
def test_who_writes_a_symbol_in_another_way_is_told_ours(text: str, meant: str) -> None:
    with pytest.raises(InvalidTickerError, match=rf"did you mean {re.escape(meant)}\?"):
        parse_ticker(text)


@given(st.text(max_size=20))
def test_whatever_is_accepted_is_a_symbol_and_stays_one(text: str) -> None:
    try:
        ticker = parse_ticker(text)
    except InvalidTickerError:
        return
    assert is_ticker(ticker)
    assert len(ticker) <= 32
    assert parse_ticker(ticker) == ticker
    assert ticker.lower() == text.strip().lower()


def test_a_long_text_is_not_repeated_in_full() -> None:
    assert len(str(InvalidTickerError("x" * 10_000))) < 200


def test_a_list_of_symbols_keeps_order_and_drops_repetitions() -> None:
    assert parse_tickers(["aapl,MSFT", "tsla; aapl", "^gspc"]) == ["AAPL", "MSFT", "TSLA", "^GSPC"]
    assert parse_tickers([" , "]) == []
    with pytest.raises(InvalidTickerError):
        parse_tickers(["AAPL", "?"])


@given(PREFIXES, TICKERS)
def test_a_topic_gives_its_ticker_back(prefix: str, ticker: str) -> None:
    assert split_topic(topic_for(prefix, ticker)) == (prefix, ticker)


@given(PREFIXES, TICKERS, PREFIXES, TICKERS)
def test_two_tickers_never_share_a_topic(prefix: str, ticker: str, other_prefix: str, other: str) -> None:
    assume((prefix, ticker) != (other_prefix, other))
    assert topic_for(prefix, ticker) != topic_for(other_prefix, other)


@given(TICKERS)
def test_topics_are_names_kafka_takes_and_tells_apart(ticker: str) -> None:
    for topic in topics_of(ticker):
        # Without "." at all, for Kafka warns of names that differ in nothing but "." and "_".
        assert re.fullmatch(r"[a-z0-9_-]{1,249}", topic)
        assert topic not in GENERAL


@pytest.mark.parametrize(
    ("ticker", "topic"),
    [
        ("AAPL", "stock_data_aapl"),
        ("BRK.B", "stock_data_brk_2eb"),
        ("^GSPC", "stock_data__5egspc"),
        ("BTC-USD", "stock_data_btc-usd"),
        ("EURUSD=X", "stock_data_eurusd_3dx"),
        ("M&M.NS", "stock_data_m_26m_2ens"),
        ("NIFTY_MID.NS", "stock_data_nifty_5fmid_2ens"),
    ],
)
def test_the_promised_names(ticker: str, topic: str) -> None:
    assert topic_for(topics.STOCK_DATA, ticker) == topic


@pytest.mark.parametrize("topic", GENERAL)
def test_a_general_topic_belongs_to_no_ticker(topic: str) -> None:
    assert split_topic(topic) == (topic, None)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "news",
        "news_",
        "orders",
        "social_media_posts",
        "stock_data_AAPL",
        "news_a.b",
        "stock_data_a_41",
        "news_a_zz",
    ],
)
def test_a_topic_of_somebody_elses_is_told(topic: str) -> None:
    with pytest.raises(ValueError, match="is not a topic of this pipeline"):
        split_topic(topic)


def test_every_kind_of_topic_has_a_reader() -> None:
    assert set(topics.READERS) == {*PER_TICKER, *GENERAL}
