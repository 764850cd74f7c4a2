"""Ticker symbols: what is one, and how it is written."""

import re
from collections.abc import Iterable

_TICKER = re.compile(r"\^?[A-Z0-9][A-Z0-9.\-=]{0,14}")


class InvalidTickerError(ValueError):
    """The text is not a ticker symbol; the message says what one looks like."""

    def __init__(self, text: str) -> None:
        shown = text if len(text) <= 20 else text[:19] + "…"
        super().__init__(
            f"{shown!r} is not a ticker symbol: letters, digits and . - = with an optional leading ^, "
            "at most 16 characters, such as AAPL, BRK.B, ^GSPC or BTC-USD"
        )


def is_ticker(text: str) -> bool:
    """Whether the text is a symbol in upper case."""
    return _TICKER.fullmatch(text) is not None


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
