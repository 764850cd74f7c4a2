"""Ticker symbols: which texts are valid, and how they are written."""

import re
from collections.abc import Iterable
from typing import Final

MAX_LENGTH: Final = 32
"""Longer than any symbol that is known: options have 21 characters, indices with words in them as many."""

_TICKER: Final = re.compile(r"\^?[A-Z0-9][A-Z0-9.\-=&_]*")
# Symbols in use: AAPL, BRK.B, BF-B, M&M.NS, CCL.AX, 7203.T, BTC-USD, EURUSD=X.
_POSITIVE: Final = re.compile(r"(?:[A-Z&]{1,5}|[0-9]{3,6})(?:[.\-][A-Z]{1,4})?|[A-Z]+=X")
_SEPARATED: Final = re.compile(r"([A-Z0-9]+)[/:]([A-Z0-9.]+)")
_LONGEST_CLASS: Final = 2
"""Letters of a share class: ``BRK/B``; more are the other half of a pair, ``BTC/USD``."""


class InvalidTickerError(ValueError):
    """The text is not a ticker symbol; the message says what one looks like."""

    def __init__(self, text: str) -> None:
        shown = text if len(text) <= 40 else text[:39] + "…"
        meant = _meant(text.strip().upper())
        super().__init__(
            f"{shown!r} is not a ticker symbol: letters, digits and . - = & _ with an optional leading ^, "
            f"at most {MAX_LENGTH} characters, such as AAPL, BRK.B, ^GSPC or BTC-USD"
            + (f"; did you mean {meant}?" if meant else "")
        )


def is_ticker(text: str) -> bool:
    """Whether the text is a symbol in upper case."""
    return len(text) <= MAX_LENGTH and _TICKER.fullmatch(text) is not None


def can_be_negative(ticker: str) -> bool:
    """Whether the instrument's price may be zero or below, as those of futures (CL=F), rates and spreads are.

    A symbol does not say what it names: all that does not look like a share's or a pair's can.
    """
    return _POSITIVE.fullmatch(ticker) is None


def parse_ticker(text: str) -> str:
    """The symbol in upper case.

    Raises:
        InvalidTickerError: if it is none.
    """
    ticker = text.strip().upper()
    # Of the text, not of its upper case: that of "ß" is "SS".
    if not text.isascii() or not is_ticker(ticker):
        raise InvalidTickerError(text)
    return ticker


def parse_tickers(texts: Iterable[str]) -> list[str]:
    """Symbols separated by spaces or commas, in order, each once.

    Raises:
        InvalidTickerError: for the first that is none.
    """
    words = [word for text in texts for word in re.split(r"[\s,;]+", text) if word]
    return list(dict.fromkeys(parse_ticker(word) for word in words))


def _meant(text: str) -> str | None:
    """The symbol of what others write in another way: `$AAPL`, `NASDAQ:AAPL`, `BRK/B`, `BTC/USD`, `/ES`; else None."""
    if text.startswith("$") and is_ticker(text[1:]):
        return text[1:]
    if text.startswith("/") and is_ticker(f"{text[1:]}=F"):
        return f"{text[1:]}=F"
    if (match := _SEPARATED.fullmatch(text)) is None:
        return None
    before, after = match.groups()
    pair_or_class = f"{before}.{after}" if len(after) <= _LONGEST_CLASS else f"{before}-{after}"
    meant = after if ":" in text else pair_or_class
    return meant if is_ticker(meant) else None
