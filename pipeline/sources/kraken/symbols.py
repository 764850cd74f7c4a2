"""How Kraken writes a pair. Pure."""

from collections.abc import Mapping
from typing import Final

from pipeline.sources.crypto.pairs import pair_of

_OLD_NAMES: Final[Mapping[str, str]] = {"BTC": "XBT", "DOGE": "XDG"}
"""What the HTTP API calls a currency, where that is not its usual name."""


def symbol_of(ticker: str) -> str | None:
    """The name on the stream: ``BTC/USD`` of ``BTC-USD``; None of what is no pair."""
    pair = pair_of(ticker)
    return None if pair is None else f"{pair.base}/{pair.quote}"


def ticker_of(symbol: str) -> str:
    """The ticker of a name on the stream."""
    return symbol.replace("/", "-")


def pair_name_of(ticker: str) -> str | None:
    """The name in the HTTP API: ``XBTUSD`` of ``BTC-USD``; None of what is no pair."""
    pair = pair_of(ticker)
    return None if pair is None else "".join(_OLD_NAMES.get(currency, currency) for currency in pair)
