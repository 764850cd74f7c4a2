"""Pairs of currencies, as tickers write them. Pure."""

import re
from typing import Final, NamedTuple

_PAIR: Final = re.compile(r"([A-Z0-9]{1,20})-([A-Z]{3,5})")
"""What follows the hyphen has three letters or more: ``BRK-B`` is a class of shares."""


class Pair(NamedTuple):
    """What is traded, and the currency of its price."""

    base: str
    quote: str


def pair_of(ticker: str) -> Pair | None:
    """``BTC`` and ``USD`` of ``BTC-USD``; None of what is no pair."""
    match = _PAIR.fullmatch(ticker)
    return None if match is None else Pair(match[1], match[2])
