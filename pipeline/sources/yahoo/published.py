"""What has been handed out of a ticker, so that only what is new or another is handed out again. No I/O."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from pipeline.model.messages import Bar, DeadLetter, Dividend, Interval, Quote, Split

KEPT: Final = 120
"""Bars of each interval that are remembered: a correction of an older one is not seen before its history is loaded."""
REMEMBERED_MISFITS: Final = 1000


class Published:
    """The newest bars, the last quote, and the splits and dividends of one ticker."""

    def __init__(self) -> None:
        self._bars: dict[Interval, dict[datetime, int]] = {}
        self._quote: Quote | None = None
        self._events: set[tuple[object, ...]] = set()

    def since(self, interval: Interval) -> datetime | None:
        """The oldest bar that is remembered, where those before it have been forgotten."""
        known = self._bars.get(interval, {})
        return min(known) if len(known) >= KEPT else None

    def new_bars(self, bars: Sequence[Bar]) -> list[Bar]:
        """Those that differ from what was handed out; a reply has those of a whole day."""
        return [bar for bar in bars if self._bars.get(bar.interval, {}).get(bar.ts) != _digest(bar)]

    def is_new(self, quote: Quote) -> bool:
        """Whether the quote says something that the last one did not."""
        last = self._quote
        return last is None or _said(quote) != _said(last)

    def new_events(self, events: Iterable[Split | Dividend]) -> list[Split | Dividend]:
        return [event for event in events if _event(event) not in self._events]

    def add(self, bars: Iterable[Bar], quote: Quote | None, events: Iterable[Split | Dividend]) -> None:
        for bar in bars:
            self._bars.setdefault(bar.interval, {})[bar.ts] = _digest(bar)
        for known in self._bars.values():
            for ts in sorted(known)[:-KEPT]:
                del known[ts]
        self._quote = quote or self._quote
        self._events |= {_event(event) for event in events}


class Misfits:
    """Dead letters that were handed out: what does not fit comes again with every reply."""

    def __init__(self) -> None:
        self._offsets: dict[int, None] = {}

    def new(self, misfits: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Each that was not handed out before, once."""
        return list({misfit.offset: misfit for misfit in misfits if misfit.offset not in self._offsets}.values())

    def add(self, misfits: Iterable[DeadLetter]) -> None:
        self._offsets |= dict.fromkeys(misfit.offset for misfit in misfits)
        for old in list(self._offsets)[:-REMEMBERED_MISFITS]:
            del self._offsets[old]


def _digest(bar: Bar) -> int:
    return hash((bar.open, bar.high, bar.low, bar.close, bar.volume, bar.currency, bar.closed))


def _said(quote: Quote) -> tuple[object, ...]:
    return quote.ts, quote.price, quote.previous_close, quote.volume, quote.currency


def _event(event: Split | Dividend) -> tuple[object, ...]:
    match event:
        case Split():
            return "split", event.ts, event.numerator, event.denominator
        case Dividend():
            return "dividend", event.ts, event.amount
