"""One pipeline: its parts, wired together, from start to orderly stop."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from msgspec.structs import replace

from pipeline import __version__
from pipeline.bus.base import Bus, BusError
from pipeline.clock import Clock, SystemClock
from pipeline.commands import Commands
from pipeline.control import ControlServer
from pipeline.datadir import DataDir
from pipeline.engines import Engines
from pipeline.logs import LogTail
from pipeline.sentiment import SentimentScorer
from pipeline.settings import Loaded
from pipeline.settings_sources import REPLAY
from pipeline.snapshot import PipelineState, PipelineView, Snapshot
from pipeline.sources.base import Reporting, kind_of
from pipeline.sources.choice import SourceChoice
from pipeline.stages.alerts import AlertStage
from pipeline.stages.backlog import Backlog
from pipeline.stages.claim import Claimant
from pipeline.stages.indicators import IndicatorProcessor
from pipeline.stages.loader import Loader, Pending
from pipeline.stages.monitor import Monitor
from pipeline.stages.producer import Producer
from pipeline.stages.sentiment import SentimentProcessor
from pipeline.stages.sink import Sink
from pipeline.stages.view import ViewStage
from pipeline.statefile import StateFile
from pipeline.store.base import Store, StoreError
from pipeline.supervisor import Backoff, Supervisor, first_of, sentence
from pipeline.topics import INDICATOR_GROUP, SENTIMENT_GROUP, SINK_GROUP
from pipeline.view import LiveView
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)

_GROUPS = {"processor": (INDICATOR_GROUP, SENTIMENT_GROUP), "sink": (SINK_GROUP,)}
"""Which groups the stages of a role are members of."""
_IDLE_PERIOD = 0.2
"""Seconds between two looks at whether everything is done."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How this run begins and ends. `duration` in seconds."""

    initial_load: bool = False
    until_idle: bool = False
    duration: float | None = None


class Pipeline:
    """Everything under one roof. `run` returns the process's exit status."""

    def __init__(
        self,
        loaded: Loaded,
        options: RunOptions,
        data_dir: DataDir,
        engines: Engines,
        tail: LogTail,
        clock: Clock | None = None,
    ) -> None:
        settings = loaded.settings
        self._secrets = loaded.secrets
        self._settings = settings
        self._options = options
        self._data_dir = data_dir
        self._tail = tail
        self._clock = clock or SystemClock()
        self._bus: Bus = engines.bus
        self._store: Store = engines.store
        self._choice: SourceChoice = engines.source
        self.watchlist = Watchlist(settings.pipeline.tickers or data_dir.remembered_tickers())
        self._stop_requested = asyncio.Event()
        self._state: PipelineState = "starting"
        self._note = ""
        self._seq = 0
        self._started_at = self._clock.now().timestamp()

        zone = settings.indicators.zone
        source = self._choice.source
        roles = settings.pipeline.roles
        self._supervisor = Supervisor(settings.supervisor, self._clock, secrets=self._secrets)
        self._view = LiveView(zone)
        self._view_stage = ViewStage(self._bus, self._store, self.watchlist, self._view)
        self._monitor = Monitor(self._bus, self._store, self.watchlist, self._clock, lambda: self._exhausted)
        # A source that never ends has nothing to be idle after but the initial load, which is all to do then.
        endless = not settings.pipeline.source.startswith(REPLAY)
        only_load = endless and options.initial_load and options.until_idle
        feeds = source.feeds() if "producer" in roles and not only_load else ()
        self._claimant = Claimant(
            self._bus,
            self.watchlist,
            economic=any(kind_of(feed) == "economic" for feed in feeds),
            on_tickers=self._on_held,
        )
        self._producers = {
            feed.name: Producer(
                feed, self._bus, self._claimant.economic if kind_of(feed) == "economic" else self._claimant.tickers
            )
            for feed in feeds
        }
        pending = StateFile(data_dir.path / "loads.json", Pending)
        self.loader = Loader(source, self._bus, self._clock, loaded.secrets, pending) if "producer" in roles else None
        if self.loader is not None:
            self.loader.resume(self.watchlist)
        self._to_load = set(self.watchlist) if options.initial_load else set()
        self._sink = Sink(self._bus, self._store, self.watchlist)
        self._indicators = IndicatorProcessor(self._bus, self._store, self.watchlist, zone)
        self._sentiment = SentimentProcessor(self._bus, self.watchlist, SentimentScorer())
        self._alerts = AlertStage(settings.alerts, self._values, data_dir.path / "alerts.json", self._clock)
        ours = [group for role in roles for group in _GROUPS.get(role, ())]
        self._backlog = Backlog(self._bus, self.watchlist, self._clock, ours)
        commands = Commands(
            bus=self._bus,
            store=self._store,
            watchlist=self.watchlist,
            supervisor=self._supervisor,
            loader=self.loader,
            alerts=self._alerts,
            tail=tail,
            snapshot=self.snapshot,
            topics=self._monitor.details,
            stop=self.request_stop,
        )
        self._control = ControlServer(commands.execute, self.snapshot)

    def request_stop(self) -> None:
        """Begin the orderly stop; `run` returns when it is done."""
        self._state = "stopping"
        self._stop_requested.set()

    async def run(self) -> int:
        """Run until asked to stop, until idle or until the duration is over, whichever is wanted.

        Returns 0, or 1 when a service had failed for good, the initial load asked for had failed for a ticker, not
        everything drained in time, or the duration was over before the engines were there.
        """
        self._catch_signals()
        log.info("version %s on %s, pid %d", __version__, self._data_dir.path, os.getpid())
        log.info("source: %s", self._choice.note)
        await self._control.start(self._data_dir.prepare_socket())
        seconds = self._options.duration
        over = None if seconds is None else asyncio.create_task(self._stop_after(seconds))
        try:
            await first_of(self._open_engines(), self._stop_requested.wait())
            if self._stop_requested.is_set():
                return int(over is not None and over.done())  # all that time an engine was out of reach
            self._state = "running"
            return await self._run_services()
        finally:
            self._state = "stopping"
            if over is not None:
                over.cancel()
            async with AsyncExitStack() as closing:  # one that cannot be closed keeps none of the others open
                for part in (self._store, self._bus, self._choice.source, self._control):
                    closing.push_async_callback(part.close)
            log.info("stopped")

    async def _stop_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.request_stop()

    async def _open_engines(self) -> None:
        """Open bus and store; while one is out of reach, say so and try again."""
        backoff = Backoff(self._settings.supervisor.backoff_initial, self._settings.supervisor.backoff_max)
        for engine in (self._bus, self._store):
            failures = 0
            while True:
                try:
                    await engine.open()
                    break
                except (BusError, StoreError) as error:
                    if engine.description == "embedded":
                        raise  # waiting for a file to become a database helps nobody
                    failures += 1
                    self._note = f"waiting for {engine.description}: {sentence(error, self._secrets)}"
                    log.warning("%s", self._note)
                    await self._clock.sleep(backoff.delay(failures))
        self._note = ""

    async def _run_services(self) -> int:
        memory = asyncio.create_task(self._remember_tickers())
        try:
            self._start_services()
            ends: list[Awaitable[object]] = [self._stop_requested.wait()]
            if self._options.until_idle:
                ends.append(self._until_idle())
            await first_of(*ends)
            failed = [service.name for service in self._supervisor.services if service.state == "failed"]
            self._state = "stopping"
            drained = await self._supervisor.stop(self._settings.pipeline.stop_timeout)
            if failed:
                log.error("these services had failed: %s", ", ".join(failed))
            unloaded = self._options.initial_load and self.loader is not None and self.loader.failed
            if self._to_load and self.loader is not None:
                left = ", ".join(sorted(self._to_load))
                log.warning("the initial load of %s was left to the process that publishes it", left)
            return 0 if drained and not failed and not unloaded else 1
        finally:
            memory.cancel()
            await asyncio.gather(memory, return_exceptions=True)

    def _start_services(self) -> None:
        roles = self._settings.pipeline.roles
        add = self._supervisor.add
        add("view", "view", self._view_stage.run)
        add("monitor", "view", self._monitor.run)
        add("alerts", "view", self._alerts.run)
        if "sink" in roles:
            add("sink", "sink", self._sink.run)
        if "processor" in roles:
            add("indicators", "processor", self._indicators.run)
            add("sentiment", "processor", self._sentiment.run)
        if self.loader is not None:
            add("loader", "loader", self.loader.run)
            if not self._producers:
                self._load_initially(self.watchlist)
        for name, producer in self._producers.items():
            add(name, "producer", producer.run)
        if self._producers:
            add("claims", "claims", self._claimant.run)

    def _on_held(self, tickers: Sequence[str]) -> None:
        if tickers:
            self._supervisor.retry_failed("producer")  # a source may have had nothing for the others
            self._load_initially(tickers)

    def _load_initially(self, tickers: Iterable[str]) -> None:
        """Request the initial load of those that are to have one and have not."""
        wanted = [ticker for ticker in tickers if ticker in self._to_load]
        self._to_load.difference_update(wanted)
        if wanted and self.loader is not None:
            self.loader.request(wanted)

    async def _until_idle(self) -> None:
        """Wait until every source is exhausted and every lag is zero, or a service has failed for good."""
        while not any(service.state == "failed" for service in self._supervisor.services):
            try:
                if await self.is_idle():
                    return
            except BusError as error:  # the stages see it too, and back off
                log.debug("cannot tell whether everything is done: %s", error)
            await self._clock.sleep(_IDLE_PERIOD)

    @property
    def _exhausted(self) -> bool:
        if self._producers and not self._claimant.settled:
            return False
        return all(p.exhausted for p in self._producers.values()) and (self.loader is None or self.loader.idle)

    async def is_idle(self) -> bool:
        """Whether nothing is left to do, here or for others: what nobody works on now is waited for by nobody."""
        return self._exhausted and await self._backlog.is_done()

    async def _remember_tickers(self) -> None:
        """Keep the watchlist on disk; being unable to is worth a line in the log and no more."""
        while True:
            version = self.watchlist.version
            try:
                self._data_dir.remember_tickers(self.watchlist.tickers)
            except OSError as error:
                log.warning("cannot remember the watchlist: %s", error)
            await self.watchlist.changed_since(version)

    def snapshot(self, focus: str | None = None) -> Snapshot:
        """The state of everything now; `focus` is the ticker whose detail is wanted."""
        now = self._clock.now()
        self._seq += 1
        if focus is not None:
            self._claimant.tickers.focus = focus  # where the feeds look
        source = self._choice.source
        reporting = source if isinstance(source, Reporting) else None
        notes = reporting.ticker_notes() if reporting else {}
        pipeline = PipelineView(
            pid=os.getpid(),
            version=__version__,
            state=self._state,
            started_at=self._started_at,
            source=self._choice.source.name,
            source_note=self._choice.note,
            note=self._note,
            simulated=self._choice.source.simulated,
            bus=self._bus.description,
            store=self._store.description,
            roles=list(self._settings.pipeline.roles),
            paused=self._supervisor.paused,
            idle=self._exhausted and self._monitor.idle,
            log_seq=self._tail.seq,
            dead_letters=self._monitor.documents.get("dead_letter", 0),
            dead_letter_at=self._monitor.dead_letter_at,
        )
        return Snapshot(
            seq=self._seq,
            at=now.timestamp(),
            pipeline=pipeline,
            tickers=[self._view.of(ticker).view(now, notes.get(ticker, "")) for ticker in self.watchlist],
            services=self._supervisor.views(),
            topics=self._monitor.topics,
            topics_total=self._monitor.topics_total,
            groups=self._monitor.groups,
            collections=[m.view(name, self._monitor.documents.get(name)) for name, m in self._sink.meters.items()],
            loads=self.loader.views() if self.loader is not None else [],
            rules=self._alerts.rules(),
            alerts=self._alerts.latest(),
            budgets=list(reporting.budgets()) if reporting else [],
            detail=self._view.of(focus).detail() if focus is not None and focus in self.watchlist else None,
        )

    def snapshot_with_all_topics(self) -> Snapshot:
        """For programs: with a thousand tickers a screen is told of the topics that lag the most only."""
        return replace(self.snapshot(), topics=self._monitor.details())

    def _values(self) -> Mapping[str | None, Mapping[str, float | None]]:
        """What alerts are about."""
        now = self._clock.now()
        lag = max((group.lag for topic in self._monitor.topics for group in topic.groups), default=None)
        dead_letters = self._monitor.documents.get("dead_letter")
        return {
            None: {"lag": lag, "dead_letters": dead_letters},
            **{ticker: self._view.of(ticker).values(now) for ticker in self.watchlist},
        }

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def on_signal(number: signal.Signals) -> None:
            if self._stop_requested.is_set() and number != signal.SIGHUP:
                log.warning("%s again: leaving at once", number.name)
                os._exit(128 + number)
            log.info("%s: stopping", number.name)
            self.request_stop()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP, and so do we then
                loop.add_signal_handler(number, on_signal, number)
