"""How Yahoo writes a symbol. Most are written as ours: `^GSPC`, `EURUSD=X`, `GC=F`, `VOD.L`, `7203.T`, `BTC-USD`."""

import re
from collections.abc import Iterable
from typing import Final

from pipeline.model.tickers import is_ticker

_CLASS_SHARE: Final = re.compile(r"([A-Z]{1,5})\.([A-Z])")
_EXCHANGES: Final = frozenset("FLSTV")
"""Exchanges with a suffix of one letter: Frankfurt, London, Sapporo, Tokyo, TSX Venture. No share class has it."""


def symbol_of(ticker: str) -> str:
    """Yahoo's form: a share class follows a hyphen (`BRK.B` → `BRK-B`), an exchange a dot (`VOD.L`)."""
    match = _CLASS_SHARE.fullmatch(ticker)
    return f"{match[1]}-{match[2]}" if match and match[2] not in _EXCHANGES else ticker


def ticker_of(symbol: str, watched: Iterable[str] = ()) -> str | None:
    """The ticker that is meant, as it is written in `watched` if it is there; None if it cannot be one."""
    symbol = symbol.upper()
    written = next((ticker for ticker in watched if symbol_of(ticker) == symbol), symbol)
    return written if is_ticker(written) else None
