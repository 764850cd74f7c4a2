"""Yahoo's search by name as a list. No I/O."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Raw

from pipeline.model.text import clean
from pipeline.sources.outside import text_or_none
from pipeline.sources.yahoo.symbols import ticker_of

_LONGEST: Final = 128


@dataclass(frozen=True, slots=True)
class Match:
    """Something that can be watched. `kind` is Yahoo's word for it, such as Equity, ETF, Index; the texts are clean."""

    ticker: str
    name: str
    exchange: str
    kind: str


class _Reply(msgspec.Struct, frozen=True):
    quotes: list[Raw]


class _Item(msgspec.Struct, frozen=True):
    symbol: str
    longname: Any = None
    shortname: Any = None
    exch_disp: Any = msgspec.field(name="exchDisp", default=None)
    exchange: Any = None
    type_disp: Any = msgspec.field(name="typeDisp", default=None)
    quote_type: Any = msgspec.field(name="quoteType", default=None)


def matches(body: bytes) -> list[Match]:
    """What a reply of /v1/finance/search names, the best first. An item without a symbol that we can watch is left out.

    Raises:
        ValueError: if it is no such reply.
    """
    found: dict[str, Match] = {}
    for raw in msgspec.json.decode(body, type=_Reply).quotes:
        try:
            item = msgspec.json.decode(raw, type=_Item)
        except (ValueError, RecursionError):
            continue  # such as a private company, which has no symbol
        ticker = ticker_of(item.symbol)
        if ticker is not None:
            found.setdefault(
                ticker,
                Match(
                    ticker,
                    name=_first(item.longname, item.shortname),
                    exchange=_first(item.exch_disp, item.exchange),
                    kind=_first(item.type_disp, item.quote_type),
                ),
            )
    return list(found.values())


def _first(*values: object) -> str:
    """The first that is text."""
    return next(filter(None, (clean(text_or_none(value) or "", _LONGEST) for value in values)), "")
