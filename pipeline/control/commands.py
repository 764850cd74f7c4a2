"""What the commands of the control socket do."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.alerts import InvalidRuleError
from pipeline.browse import browse
from pipeline.bus.base import Bus, BusError
from pipeline.control import CommandError
from pipeline.logs import LogTail
from pipeline.messages import INDICATOR_FIELDS, INTERVALS
from pipeline.protocol import (
    Add,
    AddAlert,
    BarPoint,
    Command,
    GetAlerts,
    GetHistory,
    GetLog,
    GetMessages,
    GetSnapshot,
    GetTopics,
    History,
    Load,
    Pause,
    Remove,
    RemoveAlert,
    Restart,
    Resume,
    Stop,
    TickersChanged,
)
from pipeline.snapshot import Snapshot, TopicView
from pipeline.stages.alerts import AlertStage
from pipeline.stages.loader import Loader
from pipeline.store.base import Query, Store, StoreError
from pipeline.supervisor import Supervisor, UnknownServiceError
from pipeline.tickers import InvalidTickerError, parse_tickers
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)

_MAX_BARS = 5000


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
    ) -> None:
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self._supervisor = supervisor
        self._loader = loader
        self._alerts = alerts
        self._tail = tail
        self._snapshot = snapshot
        self._topics = topics
        self._stop = stop

    async def execute(self, command: Command) -> Any:
        """The result promised in `pipeline.protocol`.

        Raises:
            CommandError
        """
        try:
            return await self._execute(command)
        except (BusError, StoreError, UnknownServiceError, InvalidTickerError, InvalidRuleError) as error:
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
            case GetSnapshot():
                return self._snapshot()
            case GetHistory():
                return await self._history(command)
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
            case Stop():
                self._stop()
                return None
            case _:
                raise CommandError("this command is not known here")

    def _add(self, tickers: list[str]) -> TickersChanged:
        added = self._watchlist.add(tickers)
        if added:
            log.info("watching %s", ", ".join(added))
        known = [ticker for ticker in tickers if ticker not in added]
        note = f"watching {', '.join(added)}" if added else f"{', '.join(known)} already watched"
        return TickersChanged(added, note)

    def _remove(self, tickers: list[str]) -> TickersChanged:
        gone = self._watchlist.remove(tickers)
        if not gone:
            raise CommandError(f"{', '.join(tickers)} not watched")
        if self._loader is not None:
            self._loader.cancel(gone)
        log.info("no longer watching %s", ", ".join(gone))
        return TickersChanged(gone, f"no longer watching {', '.join(gone)}; what is stored stays")

    def _load(self, tickers: list[str]) -> TickersChanged:
        if self._loader is None:
            raise CommandError("this pipeline does not run the producer role, so it cannot load")
        if not tickers:
            raise CommandError("no tickers are watched; name those to load")
        new = self._add(tickers).tickers
        accepted = self._loader.request(tickers)
        self._supervisor.retry_failed("loader")
        note = f"loading the history of {', '.join(accepted)}" if accepted else "already loading"
        if new:
            note += f"; {', '.join(new)} now watched"
        return TickersChanged(accepted, note)

    async def _history(self, wanted: GetHistory) -> History:
        (ticker,) = parse_tickers([wanted.ticker])
        intervals: list[str] = [
            i for i in INTERVALS if await self._store.find(Query("stock_data", ticker=ticker, interval=i, last=1))
        ]
        interval = wanted.interval or next(iter(intervals), None)
        if interval not in intervals:
            return History(ticker, interval, intervals, [])
        until = None if wanted.until is None else datetime.fromtimestamp(wanted.until, UTC)
        last = max(1, min(wanted.last, _MAX_BARS))
        bars = await self._store.find(Query("stock_data", ticker=ticker, interval=interval, until=until, last=last))
        rows: dict[datetime, dict[str, Any]] = {}
        if bars and wanted.indicators:
            query = Query("indicators", ticker=ticker, interval=interval, since=bars[0]["ts"], until=until)
            rows = {row["ts"]: row for row in await self._store.find(query)}
        return History(
            ticker,
            interval,
            intervals,
            [BarPoint(b["ts"].timestamp(), b["open"], b["high"], b["low"], b["close"], b["volume"]) for b in bars],
            {
                name: [rows.get(bar["ts"], {}).get(name) for bar in bars]
                for name in wanted.indicators
                if name in INDICATOR_FIELDS
            },
        )
