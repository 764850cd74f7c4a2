"""One pipeline: its parts, wired together, from start to graceful stop."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from pipeline import __version__
from pipeline.aio import Backoff, first_of
from pipeline.analytics.market_view import LiveView
from pipeline.analytics.sentiment import SentimentScorer
from pipeline.bus.base import Bus, BusError
from pipeline.bus.named import names_view
from pipeline.clock import Clock, SystemClock
from pipeline.config.marks import REPLAY
from pipeline.config.settings import Loaded
from pipeline.contract.snapshot import (
    OutageView,
    PipelineState,
    PipelineView,
    ProgressView,
    ServiceView,
    Snapshot,
    greatest_lag,
)
from pipeline.control.commands import Commands
from pipeline.control.server import ControlServer
from pipeline.engines import Engines
from pipeline.model.messages import Bar, IndicatorRow, Interval
from pipeline.model.namespace import described, is_simulated
from pipeline.model.redaction import sentence
from pipeline.model.topics import FORECAST_GROUP, INDICATOR_GROUP, SENTIMENT_GROUP, SINK_GROUP
from pipeline.model.watchlist import Watchlist
from pipeline.ops.logs import LogTail
from pipeline.preview import until_answered, until_unreachable
from pipeline.sources.base import Finite, Replaying, Reporting, Routing, Searching, kind_of
from pipeline.sources.choice import SourceChoice, choose_source
from pipeline.sources.market_hours import TradingHours
from pipeline.stages.alerts import AlertStage
from pipeline.stages.back_pressure import BackPressure
from pipeline.stages.backlog import Backlog
from pipeline.stages.forecasts import ForecastProcessor
from pipeline.stages.indicators import IndicatorProcessor
from pipeline.stages.loader import Loader, Pending
from pipeline.stages.monitor import Monitor
from pipeline.stages.ownership import TopicOwnership
from pipeline.stages.pass_over import PassOver
from pipeline.stages.position_metrics import PositionMetrics
from pipeline.stages.producer import Producer
from pipeline.stages.quote_pacer import QuotePacer
from pipeline.stages.sentiment import SentimentProcessor
from pipeline.stages.sink import Sink
from pipeline.stages.ticker_views import TickerViews
from pipeline.stages.view import ViewStage
from pipeline.storage.datadir import DataDir
from pipeline.storage.positions_file import PositionsFile
from pipeline.storage.statefile import StateFile, problems
from pipeline.store.base import Store, StoreError
from pipeline.supervision.outage import Outage
from pipeline.supervision.outages import outages
from pipeline.supervision.supervisor import REFUSED, Supervisor

log = logging.getLogger(__name__)

_GROUPS = {"processor": (INDICATOR_GROUP, FORECAST_GROUP, SENTIMENT_GROUP), "sink": (SINK_GROUP,)}
"""Which groups the stages of a role are members of."""
_IDLE_PERIOD = 0.2
"""Seconds between two looks at whether everything is done."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How this run begins and ends. `duration` in seconds.

    One that `may_preview` gives way to simulated data while no provider can be reached; one that is the `preview_of` a
    live run gives way to that, and says `preview_why`.
    """

    initial_load: bool = False
    until_idle: bool = False
    duration: float | None = None
    may_preview: bool = False
    preview_of: Loaded | None = None
    preview_why: str = ""


class Pipeline:
    """One pipeline with all its parts. `run` returns the exit status of the process."""

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
        self._data_dir = data_dir.within(engines.namespace)
        self._simulated = is_simulated(engines.namespace)
        self._tail = tail
        self._clock = clock or SystemClock()
        self._bus: Bus = engines.bus
        self._store: Store = engines.store
        self._choice: SourceChoice = engines.source
        self.watchlist = Watchlist(settings.pipeline.tickers or data_dir.remembered_tickers())
        self._stop_requested = asyncio.Event()
        self._gives_way = ""
        self._state: PipelineState = "starting"
        self._unopened: dict[str, OutageView] = {}
        self._seq = 0
        self._started_at = self._clock.now().timestamp()

        zone = settings.indicators.zone
        source = self._choice.source
        self._routing = source if isinstance(source, Routing) else None
        roles = settings.pipeline.roles
        self._supervisor = Supervisor(settings.supervisor, self._clock, secrets=self._secrets)
        # Recorded and simulated data keep no exchange's hours.
        self._is_live = not self._simulated and not settings.pipeline.source.startswith(REPLAY)
        self._hours = TradingHours(self._clock)
        self._view = LiveView(zone, self._published_from, self._hours.regular_session)
        self._rows = TickerViews(
            self._view,
            source,
            self._hours if self._is_live else None,
            began=self._started_at,
            stale_after=settings.screen.stale_after,
            secrets=self._secrets,
        )
        self._view_stage = ViewStage(self._bus, self._store, self.watchlist, self._view, simulated=self._simulated)
        off = set() if settings.forecasts.enabled else {FORECAST_GROUP}
        self._monitor = Monitor(
            self._bus,
            self._store,
            self.watchlist,
            self._clock,
            lambda: self._exhausted,
            lambda: self._starting,
            off,
        )
        # A source that never ends has nothing to be idle after but the initial load, which is all to do then.
        endless = not settings.pipeline.source.startswith(REPLAY)
        only_load = endless and options.initial_load and options.until_idle
        feeds = source.feeds() if "producer" in roles and not only_load else ()
        ours = [group for role in roles for group in _GROUPS.get(role, ()) if group not in off]
        self._backlog = Backlog(self._bus, self.watchlist, self._clock, ours)
        pressure = BackPressure(self._backlog, self._clock)
        self._ownership = TopicOwnership(
            self._bus,
            self.watchlist,
            economic=any(kind_of(feed) == "economic" for feed in feeds),
            on_tickers=self._on_held,
        )
        self._producers = {
            feed.name: Producer(
                feed,
                self._bus,
                self._ownership.economic if kind_of(feed) == "economic" else self._ownership.tickers,
                QuotePacer(self._clock, settings.pipeline.quote_rate),
                None if self._is_live else pressure,
            )
            for feed in feeds
        }
        pending = StateFile(self._data_dir.loads, Pending)
        self.loader = (
            Loader(source, self._bus, self._clock, loaded.secrets, pending, zone, pressure)
            if "producer" in roles
            else None
        )
        if self.loader is not None:
            self.loader.resume(self.watchlist)
        self._to_load = set(self.watchlist) if options.initial_load else set()
        simulated = self._simulated
        self._sink = Sink(self._bus, self._store, self.watchlist, simulated=simulated)
        self._indicators = IndicatorProcessor(self._bus, self._store, self.watchlist, zone, simulated=simulated)
        self._forecasts = (
            ForecastProcessor(self._bus, self._store, self.watchlist, zone, simulated=simulated)
            if settings.forecasts.enabled
            else PassOver(self._bus, FORECAST_GROUP, self.watchlist, self._clock)
        )
        self._sentiment = SentimentProcessor(self._bus, self.watchlist, SentimentScorer(), simulated=simulated)
        lots = PositionsFile(loaded.positions) if loaded.positions is not None else None
        self._position_metrics = PositionMetrics(lots, settings.positions.currency, zone)
        self._alerts = AlertStage(
            settings.alerts,
            self._values,
            self._data_dir.alerts,
            self._data_dir.fired,
            self._clock,
            source_of=self._source_of,
        )
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
            shown=lambda ticker: self._view.of(ticker).shown(self._market_time()) if ticker in self.watchlist else None,
            ahead=self._ahead,
            stop=self.request_stop,
            zone=zone,
            session_on=self._hours.regular_session if self._is_live else None,
            replay=source if isinstance(source, Replaying) else None,
            searching=source if isinstance(source, Searching) else None,
        )
        self._control = ControlServer(commands.execute, self.snapshot)

    def _ahead(self, ticker: str, source: str, interval: Interval) -> Sequence[Bar | IndicatorRow]:
        return self._view.of(ticker).newest(source, interval) if ticker in self.watchlist else ()

    @property
    def gives_way(self) -> str:
        """Why another run is to take its place; empty if none is, or all is to stop."""
        return "" if self._stop_requested.is_set() else self._gives_way

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
        log.info("source: %s, in %s", self._choice.note, described(self._data_dir.namespace))
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
        opening = [asyncio.create_task(self._open(engine)) for engine in (self._bus, self._store)]
        try:
            await asyncio.gather(*opening)
        finally:
            for task in opening:
                task.cancel()
            await asyncio.gather(*opening, return_exceptions=True)

    async def _open(self, engine: Bus | Store) -> None:
        backoff = Backoff(self._settings.supervisor.backoff_initial, self._settings.supervisor.backoff_max)
        outage: Outage | None = None
        while True:
            try:
                await engine.open()
                break
            except (BusError, StoreError) as error:
                if engine.description == "embedded":
                    raise  # waiting does not turn a file into a database
                outage = outage or Outage(engine.description, self._clock)
                outage.tries += 1
                delay = (REFUSED if error.permanent else backoff).delay(outage.tries)
                why = sentence(error, self._secrets)
                outage.failed(error.waits_for, why, delay, refused=error.permanent)
                since = outage.since.timestamp()
                self._unopened[error.waits_for] = OutageView(
                    what=engine.description, kind=error.waits_for, since=since, why=why
                )
                await self._clock.sleep(delay)
        if outage is not None:
            outage.over()
            self._unopened = {kind: view for kind, view in self._unopened.items() if view.what != engine.description}

    async def _run_services(self) -> int:
        beside = [asyncio.create_task(self._remember_tickers())]
        if self._is_live:
            beside.append(asyncio.create_task(self._hours.follow(self.watchlist)))
        try:
            self._start_services()
            ends: list[Awaitable[object]] = [self._stop_requested.wait()]
            if self._options.until_idle:
                ends.append(self._until_idle())
            if self._options.may_preview or self._options.preview_of is not None:
                ends.append(self._give_way())
            await first_of(*ends)
            failed = [service.name for service in self._supervisor.services if service.state == "failed"]
            self._state = "stopping"
            drained = await self._supervisor.stop(self._settings.pipeline.stop_timeout)
            if failed:
                log.error("these services had failed: %s", ", ".join(failed))
            unloaded = self._options.initial_load and self.loader is not None and self.loader.failed
            source = self._choice.source
            # A ticker that was removed is no longer anybody's concern.
            barren = {*source.failures()} & {*self.watchlist} if isinstance(source, Finite) else set[str]()
            if self._to_load and self.loader is not None:
                left = ", ".join(sorted(self._to_load))
                log.warning("the initial load of %s was left to the process that publishes it", left)
            return 0 if drained and not failed and not unloaded and not barren else 1
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

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
            add("forecasts", "processor", self._forecasts.run)
            add("sentiment", "processor", self._sentiment.run)
        if self.loader is not None:
            add("loader", "loader", self.loader.run)
            if not self._producers:
                self._load_initially(self.watchlist)
        for name, producer in self._producers.items():
            add(name, "producer", producer.run)
        if self._producers:
            add("claims", "claims", self._ownership.run)

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

    async def _give_way(self) -> None:
        """Wait until data of the other kind are to be shown instead."""
        if (live := self._options.preview_of) is None:
            self._gives_way = await until_unreachable(self._supervisor.views, self._store, self._clock)
            log.warning("a preview of simulated data is shown, for no provider can be reached: %s", self._gives_way)
        else:
            await until_answered(choose_source(live, self._clock).source, self.watchlist, self._clock)
            self._gives_way = "a provider answers"
            log.info("a provider answers: the preview gives way to live data")

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
        if self._producers and not self._ownership.settled:
            return False
        return all(p.exhausted for p in self._producers.values()) and (self.loader is None or self.loader.idle)

    @property
    def _starting(self) -> bool:
        """Whether what is stored is still being read, so that nothing follows from how far behind a group is."""
        return self._indicators.restoring or self._view_stage.restored < len(self.watchlist)

    async def is_idle(self) -> bool:
        """Whether nothing is left to do, here or for others. Groups without members are not waited for."""
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
        now, at = self._clock.now(), self._market_time()
        self._seq += 1
        if focus is not None:
            self._ownership.tickers.focus = focus  # where the feeds look
        source = self._choice.source
        reporting = source if isinstance(source, Reporting) else None
        services = self._services()
        budgets = list(reporting.budgets()) if reporting else []
        restored, watched = self._view_stage.restored, len(self.watchlist)
        names = {"bus": self._bus.description, "store": self._store.description}
        pipeline = PipelineView(
            pid=os.getpid(),
            version=__version__,
            state=self._state,
            started_at=self._started_at,
            source=self._choice.source.name,
            source_note=self._choice.note,
            note="; ".join(f"waiting for {outage.what}: {outage.why}" for outage in self._unopened.values()),
            simulated=self._simulated,
            preview=self._options.preview_why,
            namespace=self._data_dir.namespace,
            names=names_view(self._bus),
            set_aside=self._sink.set_aside,
            bus=self._bus.description,
            store=self._store.description,
            roles=list(self._settings.pipeline.roles),
            paused=self._supervisor.paused,
            idle=self._exhausted and self._monitor.idle,
            log_seq=self._tail.seq,
            dead_letters=self._monitor.documents.get("dead_letter", 0),
            dead_letter_at=self._monitor.dead_letter_at,
            restoring=ProgressView(done=restored, total=watched) if restored < watched else None,
            replay=source.replay() if isinstance(source, Replaying) else None,
            unread=[text for place in {self._data_dir.path, self._data_dir.space} for text in problems(place)],
        )
        return Snapshot(
            seq=self._seq,
            at=now.timestamp(),
            pipeline=pipeline,
            outages=[*self._unopened.values(), *outages(services, budgets, names)],
            tickers=self._rows.of(self.watchlist, now, services, at=at),
            services=services,
            topics=self._monitor.topics,
            topics_total=self._monitor.topics_total,
            groups=self._monitor.groups,
            collections=[m.view(name, self._monitor.documents.get(name)) for name, m in self._sink.meters.items()],
            loads=self.loader.views() if self.loader is not None else [],
            rules=self._alerts.rules(),
            alerts=self._alerts.latest(),
            budgets=budgets,
            detail=self._view.of(focus).detail(at) if focus is not None and focus in self.watchlist else None,
        )

    def _services(self) -> list[ServiceView]:
        """Those of the supervisor, with what feeds share."""
        shares = self._routing.shares() if self._routing is not None else {}
        return [
            replace(view, entries=share.entries, stand_ins=list(share.stand_ins))
            if (share := shares.get(view.name)) is not None
            else view
            for view in self._supervisor.views()
        ]

    def snapshot_with_all_topics(self) -> Snapshot:
        """For programs: with a thousand tickers a screen receives only the topics that lag the most."""
        return replace(self.snapshot(), topics=self._monitor.details())

    def _published_from(self, ticker: str) -> Sequence[str]:
        """The sources that this pipeline itself publishes a ticker's market data from, that which serves it first."""
        if "producer" not in self._settings.pipeline.roles:
            return ()
        return self._routing.serving(ticker) if self._routing is not None else (self._choice.source.name,)

    def _market_time(self) -> datetime:
        """Now; in a replay, its own now, so that what it says is as old as it was then."""
        source = self._choice.source
        at = source.replay().at if isinstance(source, Replaying) else None
        return self._clock.now() if at is None else datetime.fromtimestamp(at, UTC)

    def _source_of(self, ticker: str) -> str | None:
        return self._view.of(ticker).heard_source(self._market_time())

    def _values(self) -> Mapping[str | None, Mapping[str, float | None]]:
        """What alerts are about."""
        now = self._market_time()
        dead_letters = self._monitor.documents.get("dead_letter")
        states = {ticker: self._view.of(ticker) for ticker in self.watchlist}
        held = self._position_metrics.of(state.view(now) for state in states.values())
        return {
            None: {"lag": greatest_lag(self._monitor.topics), "dead_letters": dead_letters},
            **{
                ticker: {**(held.get(ticker, {}) if state.heard_source(now) else {}), **state.values(now)}
                for ticker, state in states.items()
            },
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
