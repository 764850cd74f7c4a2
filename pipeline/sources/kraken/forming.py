"""The bars of the minute that runs, of which each trade gives a new state. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from pipeline.model.messages import Bar
from pipeline.sources.crypto.candles import LENGTHS, revision_of

PACE: Final = timedelta(seconds=1)
"""From one state of a bar that is handed out to the next."""
LATE: Final = timedelta(seconds=2)
"""How long after its end a bar's last trades are waited for; later ones correct it."""


class FormingBars:
    """Holds the newest state of each ticker's bar: it is handed out once a second, and closed when its time is over."""

    def __init__(self) -> None:
        self._forming: dict[str, Bar] = {}
        self._changed: set[str] = set()
        self._looked: datetime | None = None

    def clear(self) -> None:
        """Forget all: what has become of them meanwhile is not known."""
        self._forming.clear()
        self._changed.clear()

    def update(self, bar: Bar, now: datetime) -> Sequence[Bar]:
        """Take a new state; what has to be handed out at once: bars that are closed, and the one it follows."""
        before = self._forming.get(bar.ticker)
        closed = [bar] if bar.closed else []
        if before is not None and before.ts < bar.ts:
            closed.insert(0, _closed(before, now))
        if not bar.closed:
            self._forming[bar.ticker] = bar
            self._changed.add(bar.ticker)
        if before is not None and bar.closed and before.ts <= bar.ts:
            self._forget(bar.ticker)
        return closed

    def due(self, now: datetime) -> Sequence[Bar]:
        """What has to be handed out by now."""
        if self._looked is not None and now - self._looked < PACE:
            return ()
        self._looked = now
        over = [bar for bar in self._forming.values() if bar.ts + LENGTHS[bar.interval] + LATE <= now]
        for bar in over:
            self._forget(bar.ticker)
        changed = [self._forming[ticker] for ticker in self._changed]
        self._changed.clear()
        return [*(_closed(bar, now) for bar in over), *changed]

    def _forget(self, ticker: str) -> None:
        del self._forming[ticker]
        self._changed.discard(ticker)


def _closed(bar: Bar, now: datetime) -> Bar:
    return replace(bar, closed=True, revision=max(revision_of(now), bar.revision))
