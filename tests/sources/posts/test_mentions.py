import pytest

from pipeline.sources.posts.mentions import cashtag_of, is_ambiguous, names, spoken


@pytest.mark.parametrize(
    ("ticker", "text"),
    [
        ("TSLA", "TSLA"),
        ("TSLA", "why TSLA, again?"),
        ("TSLA", "short $tsla!"),
        ("TSLA", "sold (TSLA). Bought TSLA-heavy funds"),
        ("TSLA", "TSLA's quarter"),
        ("A", "long $A"),
        ("A", "$a"),
        ("IT", "I like $IT"),
        ("ALL", "insured by $ALL"),
        ("BRK.B", "BRK.B and chill"),
        ("BRK.B", "$brk.b"),
        ("^GSPC", "GSPC is up"),
        ("^GSPC", "$GSPC or ^GSPC"),
        ("BTC-USD", "BTC-USD at last"),
        ("BTC-USD", "$BTC breaks out"),
        ("BTC-USD", "BTC breaks out"),
        ("BTC-USD", "long $btc.x and BTC/USD"),
        ("BTC-USD", "BTCUSD is up"),
        ("ETH-EUR", "sold ETH."),
        ("ONE-USD", "$ONE to the moon"),
        ("1000SATS-USDT", "1000SATS again"),
        ("RELIANCE.NS", "$RELIANCE beats"),
        ("RELIANCE.NS", "RELIANCE beats, $RELIANCE.NSE up"),
        ("J&KBANK.NS", "J&KBANK rallies"),
        ("M&M.NS", "$M&M or M&M.NS"),
        ("TCS.NS", "$TCS.NSE today"),
        ("EURUSD=X", "EUR/USD at parity, EURUSD"),
        ("ES=F", "$ES_F down"),
        ("BRK-B", "$BRK.B"),
        ("NVDA", "TSLA/NVDA pair trade"),
        ("TSLA", "TSLA/NVDA pair trade"),
        ("AMD", "NVDA/INTC/AMD, all of them"),
    ],
)
def test_a_text_that_names_it(ticker: str, text: str) -> None:
    assert names(text, ticker)


@pytest.mark.parametrize(
    ("ticker", "text"),
    [
        ("TSLA", "tsla in small letters is not a word in capitals"),
        ("TSLA", "TSLAQ and XTSLA, $TSLAX and A$TSLA"),
        ("TSLA", "https://example.com/TSLA_news"),
        ("A", "A plan. PLAN A"),
        ("V", "V for V"),
        ("IT", "IT DOES NOT MATTER"),
        ("ALL", "ALL IN"),
        ("BRK", "BRK.B"),
        ("BRK", "$BRK.B"),
        ("GOOG", "GOOGL"),
        ("TSLA", ""),
        ("ONE-USD", "ONE MORE TIME"),
        ("BTC-USD", "BTCS and WBTC, btc"),
        ("SAN.PA", "$SAN pays"),
        ("7203.T", "sold for $7203, 7203 times"),
        ("M&M.NS", "I eat M&M"),
        ("BRK-B", "BRK"),
        ("NVDA", "https://example.com/NVDA and r/NVDA"),
        ("EURUSD=X", "EUR falls"),
    ],
)
def test_a_text_that_does_not(ticker: str, text: str) -> None:
    assert not names(text, ticker)


def test_what_is_short_or_a_word_counts_only_as_a_cashtag() -> None:
    assert [ticker for ticker in ("A", "IT", "V", "ALL", "TSLA", "^DJI", "AMD") if is_ambiguous(ticker)] == [
        "A",
        "IT",
        "V",
        "ALL",
    ]


@pytest.mark.parametrize(
    ("ticker", "cashtag"),
    [
        ("AAPL", "AAPL"),
        ("BTC-USD", "BTC.X"),
        ("ETH-EUR", "ETH.X"),
        ("1000SATS-USD", "1000SATS.X"),
        ("BRK-B", "BRK.B"),
        ("BRK.B", "BRK.B"),
        ("RELIANCE.NS", "RELIANCE.NSE"),
        ("M&M.BO", "M&M.BSE"),
        ("SHEL.L", "SHEL.L"),
        ("EURUSD=X", "EURUSD"),
        ("GC=F", "GC_F"),
        ("^VIX", "VIX"),
    ],
)
def test_what_stocktwits_calls_it(ticker: str, cashtag: str) -> None:
    assert cashtag_of(ticker) == cashtag


@pytest.mark.parametrize(
    ("ticker", "name"), [("BTC-USD", "BTC"), ("RELIANCE.NS", "RELIANCE"), ("SAN.PA", "SAN.PA"), ("^GSPC", "GSPC")]
)
def test_what_people_call_it(ticker: str, name: str) -> None:
    assert spoken(ticker) == name
