"""A link to no pipeline at all."""

import asyncio
from collections.abc import Callable
from typing import Any

from fintrends_tui.link.port import LinkError, LinkStatus
from pipeline.contract.protocol import (
    Add,
    CarryOut,
    Command,
    Done,
    GetAlerts,
    GetHistory,
    GetLog,
    GetMessages,
    GetSeries,
    GetTopics,
    Load,
    MakePlan,
    MessagePage,
    Planned,
    Remove,
    Search,
    TickersChanged,
    TopicMessage,
)
from pipeline.contract.snapshot import AlertView, Snapshot
from tests.ui import samples

CONNECTED = LinkStatus("connected", "connected to the pipeline (pid 4711)")


class FakeTopic:
    """What any topic holds, oldest first, in one partition; `page` is as `pipeline.control.topic_browser` makes it."""

    def __init__(self, messages: list[TopicMessage]) -> None:
        self.messages = messages

    def page(self, command: GetMessages) -> MessagePage:
        begin = command.after.get(0, 0)
        stop = command.before.get(0, len(self.messages))
        found = [m for m in self.messages[begin:stop] if command.contains.lower() in m.value.lower()]
        shown = found[-command.last :]
        start = shown[0].offset if len(found) > len(shown) else begin
        return MessagePage(shown[::-1], {0: start}, {0: stop}, older=start > begin)


class FakeLink:
    """Says what it is told to say, and remembers what it was asked."""

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        status: LinkStatus = CONNECTED,
        *,
        started_here: bool = False,
        log_lines: int = 12,
    ) -> None:
        self.started_here = started_here
        self.asked: list[Command] = []
        self.refuses: str | None = None
        self.stop_requested = False
        self.may_stop = asyncio.Event()
        self.closed = asyncio.Event()
        self.topic = FakeTopic(samples.messages(120))
        self.alerts: list[AlertView] = []
        self._first = (status, snapshot)
        self._log = samples.log_lines(log_lines)
        self._on_status: Callable[[LinkStatus], None] | None = None
        self._on_snapshot: Callable[[Snapshot], None] | None = None

    async def run(self, on_status: Callable[[LinkStatus], None], on_snapshot: Callable[[Snapshot], None]) -> None:
        self._on_status, self._on_snapshot = on_status, on_snapshot
        status, snapshot = self._first
        self.status(status)
        if snapshot is not None:
            self.push(snapshot)
        await self.closed.wait()

    def status(self, status: LinkStatus) -> None:
        assert self._on_status is not None
        self._on_status(status)

    def push(self, snapshot: Snapshot) -> None:
        assert self._on_snapshot is not None
        self._on_snapshot(snapshot)

    async def ask(self, command: Command) -> Any:
        self.asked.append(command)
        if self.refuses is not None:
            raise LinkError(self.refuses)
        match command:
            case GetHistory(ticker, interval, last, until, indicators, _, since, longest):
                return samples.history(ticker, interval, last, until, indicators, since, longest)
            case GetSeries():
                return samples.series(command)
            case GetLog(after=after, last=last):
                return [line for line in self._log if line.seq > after][-last:]
            case GetTopics():
                return samples.topics(history=True)
            case GetMessages():
                return self.topic.page(command)
            case Search(text):
                return [match for match in samples.MATCHES if text.lower() in match.name.lower()]
            case GetAlerts():
                return list(self.alerts)
            case MakePlan(operation):
                return Planned(7, samples.plan(operation))
            case CarryOut():
                return Done("done as planned")
            case Add(tickers=tickers) | Remove(tickers=tickers) | Load(tickers=tickers):
                return TickersChanged(tickers, f"done: {', '.join(tickers)}")
        return None

    def add_log_lines(self, count: int) -> None:
        self._log = samples.log_lines(len(self._log) + count)

    async def stop_pipeline(self) -> None:
        self.stop_requested = True
        await self.may_stop.wait()
        if self.refuses is not None:
            raise LinkError(self.refuses)

    async def close(self) -> None:
        self.closed.set()

    def asked_for(self, kind: type[Any]) -> list[Any]:
        """The commands of one kind, in order."""
        return [command for command in self.asked if isinstance(command, kind)]
