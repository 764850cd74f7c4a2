"""Several sources of one kind of data, of which each ticker has one at a time: the first of its list that is well.

A source that fails hands its tickers to the next one after a bounded time, and gets them back with its first answer. It
goes on asking for them meanwhile, which is how that answer comes. Series never mix: each is of one source, and what a
row shows changes with the source that serves it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, Serving, Share, Source, TickerTrouble

log = logging.getLogger(__name__)

PATIENCE: Final = timedelta(seconds=20)
"""How long a source may fail until others take its tickers over. One that refuses, or has not answered yet in this run,
is not waited for: there is nothing to see meanwhile."""
LOOK: Final = 2.0
"""Seconds between two looks at what sources say of single tickers."""


_Said = Mapping[str, Mapping[str, TickerTrouble]]
"""Troubles by source, then by entry."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a feed has ended, and when it is started again at the earliest: None if that changes nothing."""

    why: str
    since: datetime
    next_try: datetime | None


class _Part(Watchlist):
    """What one source is to serve. The focus is that of the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.whole: Watchlist | None = None

    @property
    def focus(self) -> str | None:
        return self.whole.focus if self.whole is not None else None

    @focus.setter
    def focus(self, ticker: str | None) -> None:
        """A part has none of its own."""


class Route:
    """Which source serves which entry of what is held. All feeds of one kind share one."""

    def __init__(self, order: Callable[[str], Sequence[str]], sources: Mapping[str, Source], clock: Clock) -> None:
        """`order` gives the names of the sources for an entry, the best first."""
        self._order = order
        self._sources = sources
        self._clock = clock
        self._failures: dict[str, _Failure] = {}
        self._answered: set[str] = set()
        self._parts = {name: _Part() for name in sources}
        self._serving: dict[str, str] = {}
        self._unserved: dict[str, TickerTrouble] = {}

    def has(self, source: str) -> bool:
        return source in self._sources

    def part(self, source: str) -> Watchlist:
        """What the source is to serve."""
        return self._parts[source]

    def order(self, entry: str) -> Sequence[str]:
        """The sources of the entry that there are: that which serves it, then the others as they are listed."""
        names = [name for name in self._order(entry) if name in self._sources]
        serving = self._serving.get(entry)
        return names if serving is None else [serving, *(name for name in names if name != serving)]

    def troubles(self) -> Mapping[str, TickerTrouble]:
        """Of what is held: why it is not served at all, or not by the first of its sources."""
        found = dict(self._unserved)
        said = self._said()
        for entry, serving in self._serving.items():
            first = next(name for name in self._order(entry) if name in self._sources)
            if (trouble := self._trouble(serving, entry, said)) is not None:
                found[entry] = trouble
            elif (trouble := self._trouble(first, entry, said)) is not None:
                does = "serves it" if serving in self._answered else "is asked"
                found[entry] = replace(trouble, why=f"{trouble.why}; {serving} {does} meanwhile")
        return found

    def shares(self) -> Mapping[str, Share]:
        """By the names of the sources: what each serves, and who does while it fails and nobody misses it."""
        served = Counter(self._serving.values())
        return {name: Share(served[name], self._stand_ins(name)) for name in self._sources}

    def _stand_ins(self, source: str) -> Sequence[str]:
        """Empty while it works, or anything that it would serve is served by nobody."""
        if source not in self._failures:
            return ()
        serving = {entry: self._serving[entry] for entry in self._parts[source] if entry in self._serving}
        said = self._said()
        if any(name == source or self._trouble(name, entry, said) is not None for entry, name in serving.items()):
            return ()
        return sorted(set(serving.values()))

    def failed(self, source: str, error: Exception) -> None:
        """Its feed has ended with the error."""
        before = self._failures.get(source)
        now = self._clock.now()
        # Whoever starts it again does so soon, or when the provider asks for it.
        again = now + timedelta(seconds=getattr(error, "retry_after", None) or 0.0)
        next_try = None if getattr(error, "permanent", False) else again
        self._failures[source] = _Failure(str(error), now if before is None else before.since, next_try)

    def answered(self, source: str) -> bool:
        """It has data; whether it had failed before."""
        self._answered.add(source)
        return self._failures.pop(source, None) is not None

    def divide(self, held: Watchlist) -> None:
        """Give each entry that is held to the first of its sources that is well, and to those before it, which try."""
        parts: dict[str, list[str]] = {name: [] for name in self._sources}
        moved: dict[tuple[str, str], list[str]] = {}
        said = self._said()
        for gone in [entry for entry in (*self._serving, *self._unserved) if entry not in held]:
            self._serving.pop(gone, None)
            self._unserved.pop(gone, None)
        for entry in held:
            names = [name for name in self._order(entry) if name in self._sources]
            if not names:
                why = f"no source that is set up serves {entry}; see [routes] in config.toml"
                self._unserved.setdefault(entry, TickerTrouble(why, self._clock.now()))
                continue
            well = next((index for index, name in enumerate(names) if not self._is_ill(name, entry, said)), None)
            before = self._serving.get(entry)
            if well is None:  # nobody is: what was shown last stays
                well, serving = len(names) - 1, before or names[0]
            else:
                serving = names[well]
            for name in names[: well + 1]:
                parts[name].append(entry)
            self._serving[entry] = serving
            if before is not None and before != serving:
                moved.setdefault((before, serving), []).append(entry)
        for (before, serving), entries in moved.items():
            self._tell(before, serving, entries, said)
        for name, part in self._parts.items():
            part.whole = held
            part.become(parts[name])

    def _tell(self, before: str, serving: str, entries: Sequence[str], said: _Said) -> None:
        trouble = self._trouble(before, entries[0], said)
        if trouble is None:
            log.info("%s: from %s again, instead of %s", _named(entries), serving, before)
        else:
            log.warning("%s: %s is asked instead of %s: %s", _named(entries), serving, before, trouble.why)

    def _is_ill(self, source: str, entry: str, said: _Said) -> bool:
        failure = self._failures.get(source)
        if failure is not None:
            return failure.next_try is None or self._is_over(source, failure.since)
        trouble = self._trouble(source, entry, said)
        return trouble is not None and (trouble.next_try is None or self._is_over(source, trouble.since))

    def _is_over(self, source: str, since: datetime) -> bool:
        return source not in self._answered or self._clock.now() - since >= PATIENCE

    def _said(self) -> _Said:
        """What each source says of its tickers now; asked for once, for it is about all of them."""
        return {name: made.troubles() for name, made in self._sources.items() if isinstance(made, Serving)}

    def _trouble(self, source: str, entry: str, said: _Said) -> TickerTrouble | None:
        if (failure := self._failures.get(source)) is not None:
            return TickerTrouble(failure.why, failure.since, failure.next_try)
        return said.get(source, {}).get(entry)


def _named(entries: Sequence[str]) -> str:
    shown = ", ".join(entries[:5])
    return shown if len(entries) <= 5 else f"{shown} and {len(entries) - 5} more"


class RoutedFeed:
    """A source's feed for what its route gives it."""

    def __init__(self, name: str, source: str, feed: Feed, route: Route, clock: Clock) -> None:
        self.name = name
        self._source = source
        self._feed = feed
        self._route = route
        self._clock = clock

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`."""
        self._route.divide(watchlist)
        dividing = asyncio.create_task(self._divide(watchlist))
        part = self._route.part(self._source)
        try:
            while True:
                version = part.version
                if part:
                    async with aclosing(self._feed.stream(part)) as batches:
                        async for batch in batches:
                            if self._route.answered(self._source):
                                self._route.divide(watchlist)
                            yield batch
                await part.changed_since(version)
        except Exception as error:
            self._route.failed(self._source, error)
            self._route.divide(watchlist)
            raise
        finally:
            dividing.cancel()
            await asyncio.gather(dividing, return_exceptions=True)

    async def _divide(self, held: Watchlist) -> None:
        while True:
            version = held.version
            await first_of(held.changed_since(version), self._clock.sleep(LOOK))
            self._route.divide(held)
