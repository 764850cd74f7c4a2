"""The loader publishes the history of tickers on request: the initial load."""

import asyncio
import logging
from collections.abc import Container, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from pipeline.aio import first_of
from pipeline.bus.base import Bus
from pipeline.clock import Clock, SystemClock
from pipeline.contract.snapshot import LoadView
from pipeline.model.instruments import zone_of
from pipeline.model.messages import AnyMessage, Bar, DeadLetter
from pipeline.model.redaction import sentence
from pipeline.model.splits import jumps, told
from pipeline.model.tickers import parse_tickers
from pipeline.sources.base import Source, SourceError
from pipeline.stages.back_pressure import BackPressure
from pipeline.stages.producer import taken
from pipeline.stages.publish import publish
from pipeline.storage.statefile import StateFile
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)

# Seconds that loads are shown after the last of them has ended: the log tells of each, a failed one may need an answer.
_DONE_SHOWN: Final = 3.0
_FAILED_SHOWN: Final = 600.0
_UTC: Final = ZoneInfo("UTC")


class Pending(msgspec.Struct):
    """The loads that have not ended, in order: they continue after a restart."""

    tickers: list[str] = []

    def __post_init__(self) -> None:
        self.tickers = parse_tickers(self.tickers)


class Loader:
    """Loads one ticker after the other. A load that fails is reported, and the next one begins.

    With a `memory`, loads that a stop interrupts are taken up again by the next process.
    """

    def __init__(
        self,
        source: Source,
        bus: Bus,
        clock: Clock | None = None,
        secrets: Sequence[str] = (),
        memory: StateFile[Pending] | None = None,
        zone: ZoneInfo = _UTC,
        pressure: BackPressure | None = None,
    ) -> None:
        """A daily bar is a day of `zone` where a symbol names no exchange."""
        self._pressure = pressure
        self._source = source
        self._bus = bus
        self._clock = clock or SystemClock()
        self._secrets = secrets
        self._requested = asyncio.Event()
        self._ended: dict[str, float] = {}
        self.loads: dict[str, LoadView] = {}
        self._memory = memory
        self._zone = zone
        self._current: str | None = None
        self._cancelled = asyncio.Event()

    def resume(self, watched: Container[str]) -> None:
        """Ask again for the loads that the last process could not end, of those tickers that are still watched."""
        remembered = self._memory.load() if self._memory is not None else None
        if remembered is not None:
            self.request(ticker for ticker in remembered.tickers if ticker in watched)

    def request(self, tickers: Iterable[str]) -> list[str]:
        """Ask for tickers; those already waiting or loading are left out of what is returned."""
        if self.idle:
            self._forget_done()
        accepted = [t for t in dict.fromkeys(tickers) if t not in self.loads or not _is_active(self.loads[t])]
        for ticker in accepted:
            self.loads.pop(ticker, None)  # so that it goes to the end of the line
            self._ended.pop(ticker, None)
            self.loads[ticker] = LoadView(ticker=ticker, state="waiting")
        if accepted:
            self._requested.set()
            self._remember()
        return accepted

    def cancel(self, tickers: Iterable[str]) -> None:
        """Forget the loads of these tickers that have not ended."""
        for ticker in tickers:
            if ticker in self.loads and _is_active(self.loads[ticker]):
                del self.loads[ticker]
                if ticker == self._current:
                    self._cancelled.set()
        self._remember()

    def views(self) -> list[LoadView]:
        """The loads that are worth a look: those under way and what ended meanwhile, for a moment all that is done, and
        for longer what failed."""
        now = self._clock.monotonic()
        idle_for = now - max(self._ended.values(), default=now) if self.idle else 0.0
        return [
            self._noted(load)
            for load in self.loads.values()
            if (now - self._ended[load.ticker] <= _FAILED_SHOWN if load.state == "failed" else idle_for <= _DONE_SHOWN)
        ]

    def _noted(self, load: LoadView) -> LoadView:
        """The load with what it waits for, if that is whoever processes what is published."""
        if load.state != "loading" or self._pressure is None or not (behind := self._pressure.behind):
            return load
        note = f"waits until {behind:,} records that are published have been processed"
        return msgspec.structs.replace(load, note=note)

    def _forget_done(self) -> None:
        """Those that are no longer shown do not come back beside others."""
        shown = self.views()
        self.loads = {t: load for t, load in self.loads.items() if load in shown or load.state == "failed"}

    @property
    def failed(self) -> bool:
        """Whether the last load of any ticker failed."""
        return any(load.state == "failed" for load in self.loads.values())

    @property
    def idle(self) -> bool:
        return not any(_is_active(load) for load in self.loads.values())

    async def run(self, context: Context) -> None:
        context.ready()
        while not context.stopping.is_set():
            await context.checkpoint()
            ticker = next((t for t, load in self.loads.items() if _is_active(load)), None)
            if ticker is None:
                self._requested.clear()
                await first_of(self._requested.wait(), context.stopping.wait())
            else:
                self._current = ticker
                self._cancelled.clear()
                await first_of(self._load(ticker, context), self._cancelled.wait())

    async def _load(self, ticker: str, context: Context) -> None:
        self._update(ticker, state="loading", done=0, total=0, note="")
        gained = _Gained(zone_of(ticker, self._zone))
        note = ""
        try:
            async with aclosing(taken(self._source.history(ticker), context)) as history:
                async for chunk in history:
                    if self._pressure is not None:
                        await self._pressure.wait(len(chunk.messages), context.stopping)
                    with context.effect():
                        await publish(self._bus, chunk.messages)
                    context.count(len(chunk.messages))
                    gained.add(chunk.messages)
                    note = chunk.note
                    self._update(ticker, done=chunk.done, total=chunk.total, note=note)
            if context.stopping.is_set():
                return  # still "loading", so a restarted loader begins it again
            if gained.misfits and not gained.data:
                raise SourceError(gained.note)
        except SourceError as error:
            log.warning("the history of %s cannot be loaded: %s", ticker, error)
            self._end(ticker, state="failed", note=sentence(error, self._secrets))
        except Exception as error:
            if self._cancelled.is_set():
                return
            self._update(ticker, state="waiting", note=sentence(error, self._secrets))
            raise
        else:
            if gained.note:
                log.warning("the history of %s: %s", ticker, gained.note)
            self._end(ticker, state="done", note="; ".join(filter(None, (note, gained.note))))
            log.info("the history of %s is loaded: %d messages%s", ticker, gained.data, f"; {note}" if note else "")

    def _end(self, ticker: str, **changes: object) -> None:
        if not self._cancelled.is_set():
            self._update(ticker, **changes)
            self._ended[ticker] = self._clock.monotonic()
            self._remember()

    def _remember(self) -> None:
        if self._memory is not None:
            self._memory.save(Pending([ticker for ticker, load in self.loads.items() if _is_active(load)]))

    def _update(self, ticker: str, **changes: object) -> None:
        # The load under way may have been cancelled in this very tick, and another of the ticker been asked for.
        if not self._cancelled.is_set():
            self.loads[ticker] = msgspec.structs.replace(self.loads[ticker], **changes)


class _Gained:
    """What a load has brought: data, and what of it did not fit."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.data = 0
        self.misfits = 0
        self._first_misfit = ""
        self._daily: dict[datetime, tuple[float, float]] = {}

    def add(self, messages: Iterable[AnyMessage]) -> None:
        for message in messages:
            match message:
                case DeadLetter():
                    self.misfits += 1
                    self._first_misfit = self._first_misfit or f"{message.topic}: {message.reason}"
                    continue
                case Bar(interval="daily"):
                    self._daily[message.ts] = message.open, message.close
            self.data += 1

    @property
    def note(self) -> str:
        """What a user should know of it; empty where all is well."""
        notes = []
        if self.misfits:
            some = f"{self.misfits} of {self.misfits + self.data}" if self.data else f"none of {self.misfits}"
            fit = "do not fit" if self.data else "fits"
            notes.append(f"{some} {fit}; the first is {self._first_misfit}")
        bars = ((ts, *prices) for ts, prices in sorted(self._daily.items()))
        return "; ".join(filter(None, (*notes, told(jumps(bars), self._zone))))


def _is_active(load: LoadView) -> bool:
    return load.state in ("waiting", "loading")
