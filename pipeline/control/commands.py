"""What the commands of the control socket do."""

import logging
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.admin.errors import AdminError
from pipeline.bus.base import Bus, BusError
from pipeline.contract.protocol import (
    Add,
    AddAlert,
    CarryOut,
    Command,
    GetAlerts,
    GetHistory,
    GetLog,
    GetMessages,
    GetSeries,
    GetSnapshot,
    GetTopics,
    Load,
    MakePlan,
    MatchView,
    Pause,
    Remove,
    RemoveAlert,
    Restart,
    Resume,
    Search,
    SetReplay,
    Stop,
    TickersChanged,
)
from pipeline.contract.snapshot import ReplayView, Snapshot, TopicView
from pipeline.control.history import Ahead, HistoryReader
from pipeline.control.maintenance import Maintenance
from pipeline.control.server import CommandError
from pipeline.control.topic_browser import browse
from pipeline.model.alert_rules import InvalidRuleError
from pipeline.model.outage import OutsideError
from pipeline.model.sessions import Session, usual_session
from pipeline.model.tickers import InvalidTickerError, parse_tickers
from pipeline.model.watchlist import Watchlist
from pipeline.ops.logs import LogTail
from pipeline.sources.base import Replaying, Searching
from pipeline.stages.alerts import AlertStage
from pipeline.stages.loader import Loader
from pipeline.store.base import Store, StoreError
from pipeline.supervision.supervisor import Supervisor, UnknownServiceError

log = logging.getLogger(__name__)

_FASTEST = 1_000_000
_NAMED = 6


class Commands:
    """Carries out the commands of screens; every failure is a `CommandError` with a sentence for the user."""

    def __init__(
        self,
        *,
        bus: Bus,
        store: Store,
        watchlist: Watchlist,
        supervisor: Supervisor,
        loader: Loader | None,
        alerts: AlertStage,
        tail: LogTail,
        snapshot: Callable[[], Snapshot],
        topics: Callable[[], list[TopicView]],
        stop: Callable[[], None],
        zone: ZoneInfo,
        shown: Callable[[str], tuple[str | None, str | None] | None] = lambda _: None,
        ahead: Ahead = lambda *_: (),
        session_on: Callable[[str, date], Session | None] | None = usual_session,
        replay: Replaying | None = None,
        searching: Searching | None = None,
    ) -> None:
        """`shown` returns which source and interval a screen shows for a watched ticker, `ahead` what is known of one
        before it is stored; daily bars are days of `zone` where a symbol names no exchange. `session_on` gives the
        regular session of a ticker's day, of what trades outside of it too; it is None where hours mean nothing, as for
        recorded and simulated data."""
        self._reader = HistoryReader(store, zone, shown, ahead, session_on)
        self._replay = replay
        self._searching = searching
        self._bus = bus
        self._watchlist = watchlist
        self._supervisor = supervisor
        self._loader = loader
        self._alerts = alerts
        self._tail = tail
        self._snapshot = snapshot
        self._topics = topics
        self._stop = stop
        self._maintenance = Maintenance(bus, store, supervisor, watchlist, loader)

    async def execute(self, command: Command) -> Any:
        """The result promised in `pipeline.contract.protocol`.

        Raises:
            CommandError
        """
        try:
            return await self._execute(command)
        except (BusError, StoreError, UnknownServiceError, InvalidTickerError, InvalidRuleError, AdminError) as error:
            pipeline = self._snapshot().pipeline
            if pipeline.state == "starting":
                raise CommandError(f"the pipeline is not ready yet: {pipeline.note or 'it is starting'}") from error
            raise CommandError(str(error.args[0]) if error.args else str(error)) from error

    async def _execute(self, command: Command) -> Any:
        match command:
            case Add(tickers):
                return self._add(parse_tickers(tickers))
            case Remove(tickers):
                return self._remove(parse_tickers(tickers))
            case Load(tickers):
                return self._load(parse_tickers(tickers) or list(self._watchlist))
            case Pause(service):
                return self._supervisor.pause(service)
            case Resume(service):
                return self._supervisor.resume(service)
            case Restart(service):
                return self._supervisor.restart(service)
            case Search(text):
                return await self._search(text)
            case SetReplay():
                return self._set_replay(command)
            case GetSnapshot():
                return self._snapshot()
            case GetHistory():
                return await self._reader.history(command)
            case GetSeries():
                return await self._reader.series(command)
            case GetTopics():
                return self._topics()
            case GetMessages():
                return await browse(self._bus, command)
            case GetLog(after, last):
                return self._tail.after(after, last)
            case AddAlert(rule):
                return self._alerts.add(rule)
            case RemoveAlert(rule):
                return self._alerts.remove(rule)
            case GetAlerts():
                return list(self._alerts.history)
            case MakePlan(operation):
                return await self._maintenance.make_plan(operation)
            case CarryOut(number):
                return await self._maintenance.carry_out(number)
            case Stop():
                self._stop()
                return None
            case _:
                raise CommandError("this command is not known here")

    async def _search(self, text: str) -> list[MatchView]:
        if self._searching is None:
            raise CommandError("the source cannot be searched by name; add tickers as they are")
        try:
            found = await self._searching.search(text)
        except OutsideError as error:
            raise CommandError(f"nothing can be found by name: {error}") from error
        return [MatchView(match.ticker, match.name, match.exchange, match.kind) for match in found]

    def _set_replay(self, wanted: SetReplay) -> ReplayView:
        if self._replay is None:
            raise CommandError("only a replay has a speed, and this pipeline is none")
        if wanted.speed is not None and wanted.speed != "max" and not 0 < wanted.speed <= _FASTEST:
            raise CommandError(f"{wanted.speed:g} is not a speed; write a number up to {_FASTEST:,}, or max")
        self._replay.set_replay(wanted.speed, wanted.paused, step=wanted.step)
        return self._replay.replay()

    def _add(self, tickers: list[str]) -> TickersChanged:
        added = self._watchlist.add(tickers)
        if added:
            log.info("watching %s", ", ".join(added))
        known = [ticker for ticker in tickers if ticker not in added]
        note = f"watching {_named(added)}" if added else f"{_named(known)} already watched"
        return TickersChanged(added, note)

    def _remove(self, tickers: list[str]) -> TickersChanged:
        gone = self._watchlist.remove(tickers)
        if not gone:
            raise CommandError(f"{', '.join(tickers)} not watched")
        if self._loader is not None:
            self._loader.cancel(gone)
        log.info("no longer watching %s", ", ".join(gone))
        return TickersChanged(gone, f"no longer watching {_named(gone)}; stored data stays")

    def _load(self, tickers: list[str]) -> TickersChanged:
        if self._loader is None:
            raise CommandError("this pipeline does not run the producer role, so it cannot load")
        if not tickers:
            raise CommandError("no tickers are watched; name those to load")
        new = self._add(tickers).tickers
        accepted = self._loader.request(tickers)
        self._supervisor.retry_failed("loader")
        note = f"loading the history of {_named(accepted)}" if accepted else "already loading"
        if new:
            note += f"; {_named(new)} now watched"
        return TickersChanged(accepted, note)


def _named(tickers: Sequence[str]) -> str:
    """A few by name, of many how many they are."""
    return ", ".join(tickers) if len(tickers) <= _NAMED else f"{len(tickers)} tickers"
