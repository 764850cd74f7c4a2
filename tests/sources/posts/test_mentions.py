import pytest

from pipeline.sources.mentions import is_ambiguous, names


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
    ],
)
def test_a_text_that_names_it(ticker: str, text: str) -> None:
    assert names(text, ticker)


@pytest.mark.parametrize(
    ("ticker", "text"),
    [
        ("TSLA", "tsla in small letters is no word in capitals"),
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
