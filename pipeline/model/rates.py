"""Exchange rates, as the prices of pairs say them: ``EURUSD=X`` is what a euro costs in dollars. Pure."""

from collections.abc import Callable, Iterator
from typing import Final

_BASES: Final = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF")
"""Of two of these markets quote the first in the second. Of others it is the dollar: a yen costs too little for the
decimals of a price."""
_COINS: Final = frozenset({"BTC", "ETH", "USDC", "USDT"})

PriceOf = Callable[[str], float | None]


def pair_of(source: str, target: str) -> str:
    """The ticker to watch for the rate between two major currencies, the same in both directions: ``EURUSD=X``,
    ``JPY=X`` for dollars in yen, ``BTC-USD``."""
    first, second = sorted((source, target), key=_rank)
    if first in _COINS:
        return f"{first}-{second}"
    return f"{second}=X" if first == "USD" else f"{first}{second}=X"


def rate(source: str, target: str, price_of: PriceOf) -> float | None:
    """What one of `source` is in `target`; None where no pair that is known tells."""
    if source == target:
        return 1.0
    for ticker, inverse in _ways(source, target):
        price = price_of(ticker)
        if price is not None and price > 0:
            return 1 / price if inverse else price
    return None


def _ways(source: str, target: str) -> Iterator[tuple[str, bool]]:
    """Tickers whose price tells the rate, and whether by its inverse; that of `pair_of` first."""
    usual = sorted((source, target), key=_rank)
    yield pair_of(source, target), usual[0] != source
    for first, second in ((source, target), (target, source)):
        yield f"{first}{second}=X", first != source
        yield f"{first}-{second}", first != source


def _rank(currency: str) -> tuple[bool, int, str]:
    """Coins first, then the bases in their order, then all others by name."""
    place = _BASES.index(currency) if currency in _BASES else len(_BASES)
    return currency not in _COINS, place, currency
