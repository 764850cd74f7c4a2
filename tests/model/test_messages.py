import json
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.base import Received
from pipeline.bus.records import dead_letter, decode_all, record_of
from pipeline.model import messages
from pipeline.model.documents import document_of, messages_in, stamp
from pipeline.model.messages import (
    AnyMessage,
    Article,
    Bar,
    Dividend,
    EconomicPoint,
    Post,
    Quote,
    ScoredItem,
    Split,
    UndecodableError,
    bar_rank,
    decode,
    encode,
    topic_of,
)

TS = datetime(2019, 2, 11, 14, 31, tzinfo=UTC)


def bar(**changes: object) -> Bar:
    values = {"ticker": "BRK.B", "interval": "1min", "ts": TS, "open": 1, "high": 2, "low": 1, "close": 2, "volume": 3}
    return Bar(**(values | changes))  # type: ignore[arg-type]


def test_a_message_survives_the_wire() -> None:
    assert decode("stock_data_brk_2eb", encode(bar())) == bar()


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("stock_data_aapl", b""),
        ("stock_data_aapl", b"{"),
        ("stock_data_aapl", b"\xff\xfe"),
        ("stock_data_aapl", b"[" * 100_000),
        ("stock_data_aapl", b'{"type":"bar"}'),
        ("stock_data_aapl", b'{"type":"article"}'),
        ("stock_data_aapl", encode(bar())),  # of another ticker
        ("stock_data_brk_2eb", encode(bar()).replace(b'"close":2', b'"close":"2"')),
        ("stock_data_brk_2eb", encode(bar()).replace(b'"close":2', b'"close":-2')),
        ("stock_data_brk_2eb", encode(bar()).replace(b'"close":2', b'"close":1e999')),
        ("stock_data_brk_2eb", encode(bar()).replace(b'"low":1', b'"low":5')),
        ("stock_data_brk_2eb", encode(bar()).replace(b"Z", b"")),  # no zone
        ("stock_data_brk_2eb", encode(bar()).replace(b'"1min"', b'"2min"')),
    ],
)
def test_what_is_not_the_promised_message_is_refused(topic: str, value: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(topic, value)


def test_a_bar_must_be_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        bar(volume=math.inf)


@pytest.mark.parametrize("ticker", ["AAPL", "BRK.B", "BF-B", "CCL.AX", "7203.T", "BTC-USD", "EURUSD=X", "V"])
def test_a_share_and_a_pair_cost_something(ticker: str) -> None:
    for price in (0.0, -1.5):
        with pytest.raises(ValueError, match=f"is not a price of {ticker}"):
            bar(ticker=ticker, open=price, high=price, low=price, close=price)
        with pytest.raises(ValueError, match=f"is not a price of {ticker}"):
            Quote(ticker=ticker, ts=TS, price=price)


@pytest.mark.parametrize("ticker", ["CL=F", "^IRX", "CLM20.NYM", "DE-POWER", "SPREAD"])
def test_futures_rates_and_spreads_go_to_zero_and_below(ticker: str) -> None:
    fallen = bar(ticker=ticker, open=17.73, high=17.85, low=-40.32, close=-37.63)
    assert decode(topic_of(fallen), encode(fallen)) == fallen
    assert bar(ticker=ticker, open=0, high=0, low=0, close=0).close == 0
    assert Quote(ticker=ticker, ts=TS, price=-37.63, previous_close=0).price == -37.63
    with pytest.raises(ValueError, match="a low of 0 between other prices"):
        bar(ticker=ticker, open=17, high=18, low=0, close=17)
    assert bar(ticker=ticker, open=0.5, high=1, low=0, close=0.7).low == 0
    assert bar(ticker=ticker, open=17.73, high=17.85, low=0, close=0.02).low == 0


@pytest.mark.parametrize("outside", [{"close": 2.1}, {"close": 0.9}, {"open": 2.001}, {"open": 0.5}])
def test_open_and_close_are_within_the_bar(outside: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"(open|close) .* is not between low 1 and high 2"):
        bar(**outside)


def test_but_for_what_rounding_does() -> None:
    assert bar(open=0.999999, close=2.00001).close == 2.00001
    assert bar(open=0.1 + 0.2, low=0.3, high=0.3, close=0.3).low == 0.3


def test_a_volume_that_is_not_known_is_null_and_a_bar_of_before_has_one() -> None:
    unknown = bar(volume=None)
    assert b'"volume":null' in encode(unknown)
    assert decode("stock_data_brk_2eb", encode(unknown)) == unknown
    assert document_of(unknown).body["volume"] is None
    assert len({bar_rank(bar(volume=volume)) for volume in (None, 0, 1)}) == 3
    old = (
        b'{"type":"bar","ts":"2019-02-11T14:31:00Z","simulated":false,"ticker":"BRK.B","interval":"1min","open":1.0,'
        b'"high":2.0,"low":1.0,"close":2.0,"volume":3.0,"closed":true,"revision":0,"source":"replay"}'
    )
    assert decode("stock_data_brk_2eb", old) == bar(source="replay")


def test_a_stored_bar_that_is_none_any_more_keeps_no_other_from_being_read(caplog: pytest.LogCaptureFixture) -> None:
    document = {"_id": "k", "type": "bar", "ts": TS, "ticker": "A", "interval": "1min"}
    document |= {"open": 1, "high": 2, "low": 1, "volume": 1}
    bars = messages_in([document | {"close": 1.5}, document | {"close": 3}, document | {"close": 2}], Bar)
    assert [bar.close for bar in bars] == [1.5, 2]
    assert "close 3 is not between" in caplog.text


def test_equal_instants_have_equal_keys_whatever_their_zone() -> None:
    eastern = timezone(timedelta(hours=-5))
    assert document_of(bar(ts=TS.astimezone(eastern))) == document_of(bar())
    assert document_of(bar()).id == "BRK.B|1min|unknown|2019-02-11T14:31:00Z"
    assert encode(bar(ts=TS.astimezone(eastern))) == encode(bar())


def test_a_document_has_the_fields_of_its_message_and_says_when_it_is_simulated() -> None:
    document = document_of(bar(simulated=True))
    assert (document.ticker, document.interval, document.ts) == ("BRK.B", "1min", TS)
    assert document.body["simulated"] is True
    assert document.body["close"] == 2


def test_text_from_outside_is_cleaned_where_it_becomes_a_message() -> None:
    article = Article(ticker="AAPL", ts=TS, id="1", title="\x1b[31mBuy\x07 \u202eyad\u202c now\n", summary="x" * 10_000)
    assert article.title == "Buy yad now"
    assert len(article.summary) == 4096
    raw = encode(Post(ticker="AAPL", ts=TS, id="1", text="hi")).replace(b'"hi"', b'"\\u001b]0;owned\\u0007hi"')
    decoded = decode("social_aapl", raw)
    assert isinstance(decoded, Post)
    assert decoded.text == "hi"


@given(
    st.lists(
        st.builds(bar, closed=st.booleans(), revision=st.integers(0, 3), close=st.sampled_from([1.0, 1.5, 2.0])),
        min_size=2,
        max_size=6,
    )
)
def test_rank_orders_all_observations_of_a_bar(bars: list[Bar]) -> None:
    winner = max(bars, key=bar_rank)
    assert winner.closed == any(b.closed for b in bars)
    assert winner.revision == max(b.revision for b in bars if b.closed == winner.closed)
    for b in bars:
        same_values = (b.open, b.high, b.low, b.close, b.volume) == (
            winner.open,
            winner.high,
            winner.low,
            winner.close,
            winner.volume,
        )
        if bar_rank(b) == bar_rank(winner):
            assert same_values
        # The document's version orders as the rank does, so store and processor always agree.
        assert (document_of(b).version < document_of(winner).version) == (bar_rank(b) < bar_rank(winner))


def test_rank_does_not_depend_on_how_numbers_are_written() -> None:
    assert bar_rank(bar(volume=3)) == bar_rank(bar(volume=3.0))
    assert bar_rank(bar(simulated=True)) != bar_rank(bar())


def test_a_record_carries_key_event_time_and_headers() -> None:
    record = record_of(bar())
    assert (record.topic, record.key, record.ts) == ("stock_data_brk_2eb", "BRK.B", 1549895460000)
    assert record.headers["schema"] == b"bar.v1"
    assert int(record.headers["ingested"]) > 1_700_000_000_000_000_000


def test_economic_points_are_keyed_by_series() -> None:
    point = EconomicPoint(series="CPI", interval="monthly", ts=TS, value=None)
    assert (topic_of(point), record_of(point).key) == ("economic_general", "CPI")
    assert document_of(point).id == "CPI|monthly|unknown|2019-02-11T14:31:00Z"


def test_what_does_not_decode_becomes_a_dead_letter_with_its_origin() -> None:
    record = Received(topic="news_aapl", key="AAPL", value=b"\x1b[31mnot json\xff", ts=5, partition=2, offset=7)
    good, bad = decode_all([record])
    assert good == []
    (letter,) = bad
    assert (letter.topic, letter.partition, letter.offset) == ("news_aapl", 2, 7)
    assert letter.payload == "not json�"
    assert letter.reason
    assert document_of(letter).id == "news_aapl|2|7"
    assert decode("dead_letter", encode(letter)) == letter


def test_a_huge_payload_is_kept_in_part() -> None:
    record = Received(topic="news_aapl", key="", value=b"x" * 1_000_000, ts=-5)
    assert len(dead_letter(record, "too big").payload) == 2048


def test_stamps_show_fractions_only_where_there_are_any() -> None:
    assert stamp(TS) == "2019-02-11T14:31:00Z"
    assert stamp(TS.replace(microsecond=5)) == "2019-02-11T14:31:00.000005Z"


def scored(**changes: object) -> ScoredItem:
    values = {"ticker": "AAPL", "ts": TS, "id": "1", "kind": "post", "text": "hi", "compound": 0.5, "label": "positive"}
    return ScoredItem(**(values | changes))  # type: ignore[arg-type]


def test_a_score_keeps_its_words_and_has_none_where_they_were_not_recorded_yet() -> None:
    item = scored(words=[("surges", 2.1), ("lawsuit", -1.9)], scoring=1)
    assert decode("sentiment_aapl", encode(item)) == item
    old = (
        b'{"type":"sentiment","ts":"2019-02-11T14:31:00Z","ticker":"AAPL","id":"1","kind":"post","text":"hi",'
        b'"compound":0.5,"label":"positive"}'
    )
    assert decode("sentiment_aapl", old) == scored(words=[], tag=None, scoring=0)


def test_the_words_of_a_score_are_cleaned_and_few() -> None:
    raw = encode(scored(words=[("hi", 2.0)])).replace(b'"hi",2.0', b'"\\u001b]0;owned\\u0007hi",2.0')
    decoded = decode("sentiment_aapl", raw)
    assert isinstance(decoded, ScoredItem)
    assert decoded.words == [("hi", 2.0)]
    with pytest.raises(UndecodableError, match="words"):
        decode("sentiment_aapl", encode(scored(words=[("hi", 2.0)] * 9)))


@given(st.text("0123456789abcdef", min_size=1), st.floats(-1, 1), st.floats(-1, 1))
def test_of_one_item_s_scores_the_newer_scoring_is_kept_and_a_later_edition_before_that(
    text: str, old: float, new: float
) -> None:
    before, after = (
        document_of(scored(text=text, compound=old)),
        document_of(scored(text=text, compound=new, scoring=1)),
    )
    assert before.id == after.id
    assert before.version < after.version
    unnumbered = before.version.replace("-v0000", "")  # as it was before scorings had numbers
    assert unnumbered < after.version
    edited = document_of(scored(text=text, compound=old, ts=TS + timedelta(microseconds=1)))
    assert after.version < edited.version


@pytest.mark.parametrize(
    "observe",
    [
        lambda revision, value: EconomicPoint(ts=TS, series="CPI", interval="monthly", value=value, revision=revision),
        lambda revision, value: Quote(ticker="AAPL", ts=TS, price=value, revision=revision),
        lambda revision, value: Split(ticker="AAPL", ts=TS, numerator=value, denominator=1, revision=revision),
        lambda revision, value: Dividend(ticker="AAPL", ts=TS, amount=value, revision=revision),
    ],
    ids=["economic", "quote", "split", "dividend"],
)
def test_of_two_observations_the_later_is_kept_whatever_its_value(observe: Callable[[int, float], AnyMessage]) -> None:
    versions = [document_of(observe(revision, 100.0 + (7 * revision) % 13)).version for revision in range(50)]
    assert versions == sorted(versions)
    assert len(set(versions)) == 50


@pytest.mark.parametrize(
    "message",
    [
        {"type": "bar", "ticker": "AAPL", "interval": "1min", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1},
        {"type": "quote", "ticker": "AAPL", "price": 1},
        {"type": "split", "ticker": "AAPL", "numerator": 4, "denominator": 1},
        {"type": "dividend", "ticker": "AAPL", "amount": 0.25},
        {"type": "article", "ticker": "AAPL", "id": "1", "title": "t"},
        {"type": "post", "ticker": "AAPL", "id": "1", "text": "t"},
        {"type": "economic", "series": "CPI", "interval": "monthly", "value": 1},
    ],
    ids=lambda message: message["type"],
)
def test_no_text_of_any_message_can_steer_a_terminal(message: dict[str, object]) -> None:
    kinds = {
        "bar": Bar,
        "quote": Quote,
        "split": Split,
        "dividend": Dividend,
        "article": Article,
        "post": Post,
        "economic": EconomicPoint,
    }
    type_ = kinds[str(message["type"])]
    checked = {"ticker", "interval", "currency", "session", "tag"}
    hostile = "\x1b[31mred\u202e \x9b1m"
    texts = {
        field.name: hostile
        for field in msgspec.structs.fields(type_)
        if field.name not in checked and "str" in str(field.type)
    }
    found = msgspec.convert(message | {"ts": "2019-02-11T14:31:00Z"} | texts, type_)
    assert texts
    for name in texts:
        assert getattr(found, name).isprintable(), name
        assert "red" in getattr(found, name), name


@pytest.mark.parametrize(("written", "known"), [("GBp", "GBp"), ("USDT", "USDT"), ("$", None), ("a currency", None)])
def test_a_currency_that_cannot_be_right_is_not_known(written: str, known: str | None) -> None:
    now = datetime(2026, 11, 27, 15, tzinfo=UTC)
    assert Quote(ts=now, ticker="VOD.L", price=115.75, currency=written).currency == known
    bar = Bar(ts=now, ticker="VOD.L", interval="1min", open=1, high=1, low=1, close=1, currency=written)
    assert bar.currency == known


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (Split(ticker="AAPL", ts=TS, numerator=4, denominator=1, source="s"), "AAPL|split|s|2019-02-11T14:31:00Z"),
        (
            Dividend(ticker="AAPL", ts=TS, amount=0.25, currency="USD", source="s"),
            "AAPL|dividend|s|2019-02-11T14:31:00Z",
        ),
    ],
)
def test_a_split_and_a_dividend_travel_with_the_bars_and_are_documents_of_their_own(
    message: AnyMessage, key: str
) -> None:
    assert topic_of(message) == "stock_data_aapl"
    assert decode("stock_data_aapl", encode(message)) == message
    document = document_of(message)
    assert (document.collection, document.id, document.interval) == ("stock_data", key, key.split("|")[1])
    stored = document.body | {"_id": key, "ticker": "AAPL", "ts": TS, "interval": document.interval, "source": "s"}
    assert messages_in([stored], type(message)) == [message]


@pytest.mark.parametrize("amount", ["0", "-1", "1e999", "null", '"4"'])
def test_of_no_shares_and_of_nothing_paid_there_is_no_message(amount: str) -> None:
    ts = '"ticker":"AAPL","ts":"2019-02-11T14:31:00Z"'
    for value in (
        f'{{"type":"split",{ts},"numerator":{amount},"denominator":1}}',
        f'{{"type":"split",{ts},"numerator":1,"denominator":{amount}}}',
        f'{{"type":"dividend",{ts},"amount":{amount}}}',
    ):
        with pytest.raises(UndecodableError):
            decode("stock_data_aapl", value.encode())


def test_a_ticker_of_a_megabyte_is_refused_and_not_remembered() -> None:
    value = encode(bar(ticker="AAPL")).replace(b'"AAPL"', b'"' + b"A" * 1_000_000 + b'"')
    before = messages._is_written_so.cache_info().currsize
    with pytest.raises(UndecodableError, match="not a ticker symbol"):
        decode("stock_data_aapl", value)
    assert messages._is_written_so.cache_info().currsize == before


@pytest.mark.parametrize("ticker", ["aapl", " AAPL", "AAPL ", "ß", "A" * 33, ""])
def test_a_ticker_is_looked_at_every_time_it_is_wrong(ticker: str) -> None:
    value = encode(bar(ticker="AAPL")).replace(b'"AAPL"', json.dumps(ticker).encode())
    for _ in range(2):
        with pytest.raises(UndecodableError):
            decode("stock_data_aapl", value)


def test_a_source_is_cleaned_every_time() -> None:
    for _ in range(2):
        assert bar(source="a\x1b[31m  b").source == "a b"


def test_a_bar_that_needs_no_closer_look_would_pass_it() -> None:
    prices = (-1.0, 0.0, 1e-320, 1.0, 1.00000001, 2.0, 1e299, 1.7e308, math.inf, math.nan)
    volumes = (None, -1.0, 7.0, 1.7e308, math.inf, math.nan)
    accepted = 0
    for open_, high, low, close, volume in product(*[prices] * 4, volumes):
        with suppress(ValueError):
            made = bar(open=open_, high=high, low=low, close=close, volume=volume)
            accepted += 1
            try:
                made._check_prices()
            except ValueError as error:
                pytest.fail(f"{made}: {error}")
    assert accepted > 100
