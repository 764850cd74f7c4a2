"""The initial load of one ticker: whatever of its history is not here yet, as the budget allows."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from pipeline.sources.alpha_vantage.client import AlphaVantageClient
from pipeline.sources.alpha_vantage.desk import FULL, Answered, Desk
from pipeline.sources.alpha_vantage.errors import NAME
from pipeline.sources.alpha_vantage.series import PERIODS
from pipeline.sources.base import HistoryChunk, SourceError
from pipeline.sources.situation import Kind, Situation, Task, last_settled

MONTH: Final = "intraday history"
"""Intraday bars of the last 30 days, told apart from the newest hundred that the live feed asks for."""

_NAMES: Final[Mapping[Kind, str]] = {
    "intraday": "intraday bars",
    "news": "news",
    "economic": "economic series",
}


class InitialLoad:
    """Daily bars (all of them, or the newest 100), a month of intraday bars, news, and every economic series once.

    A part that was asked for since the last final bars is not asked for again, nor is one that an unfinished load has
    handed out, however long ago.
    """

    def __init__(
        self, ticker: str, client: AlphaVantageClient, desk: Desk, answer: Callable[[Task], Awaitable[Answered]]
    ) -> None:
        self._ticker = ticker
        self._client = client
        self._desk = desk
        self._answer = answer

    async def chunks(self) -> AsyncGenerator[HistoryChunk]:
        """What each request gives, and while there is a wait, a note on how long.

        Raises:
            SourceError: if there is no such symbol.
        """
        desk, ticker, facts = self._desk, self._ticker, self._desk.memory.facts
        messages = requests = 0
        while parts := self._missing(await desk.situation()):
            if ticker in desk.unknown:
                facts.loading.pop(ticker, None)
                raise SourceError(f"{NAME} knows no symbol {ticker}; check its spelling")
            part = parts[0]
            task = _task_of(part, ticker)
            if (until := await desk.load_waits_until(task)) is not None:
                progress = f"{requests} of {requests + len(parts)} requests"
                yield HistoryChunk((), messages, 0, note=f"{progress}, goes on at {desk.local(until)}")
                wait = (until - desk.clock.now()).total_seconds()
                await desk.clock.sleep(min(wait, desk.look_again))
                continue  # what is missing may have come with live data meanwhile
            with desk.under_way(task):
                answered = await desk.ask_for_load(partial(self._ask, part))
                if not answered.final:
                    continue
                requests += 1
                messages += len(answered.messages)
                yield HistoryChunk(
                    answered.messages, messages, 0, note=f"{requests} of {requests - 1 + len(parts)} requests"
                )
                facts.loading.setdefault(ticker, []).append(part)
                desk.answered(task, answered.messages, part if part in (FULL, MONTH) else "")
        facts.loading.pop(ticker, None)
        desk.memory.save()
        yield HistoryChunk((), messages, messages, note=self._left_out())

    def _missing(self, situation: Situation) -> list[str]:
        """The parts to ask for, in their order: what the plan gives of the ticker, and economic series by name."""
        known, lacking = situation.known.asked, situation.lacking
        settled = last_settled(situation).timestamp()
        daily = "daily" if FULL in lacking else FULL
        parts = [part for part in (daily, MONTH) if known.get(f"{part} {self._ticker}", 0.0) < settled]
        if situation.since("news", self._ticker) is None:
            parts.append("news")
        parts += [name for name in PERIODS if situation.since("economic", name) is None]
        done = self._desk.memory.facts.loading.get(self._ticker, ())
        return [part for part in parts if part not in done and _task_of(part, self._ticker).kind not in lacking]

    async def _ask(self, part: str) -> Answered:
        ticker, client, task = self._ticker, self._client, _task_of(part, self._ticker)
        if part == FULL:
            return await self._desk.ask(partial(client.daily, ticker, full=True), task, FULL)
        if part == MONTH:
            return await self._desk.ask(partial(client.intraday, ticker, "1min", full=True), task)
        return await self._answer(task)

    def _left_out(self) -> str:
        lacking = self._desk.lacking
        notes = ["the newest 100 daily bars only"] if FULL in lacking else []
        notes += [f"no {name}" for kind, name in _NAMES.items() if kind in lacking]
        return f"{', '.join(notes)}: not in the plan" if notes else ""


def _task_of(part: str, ticker: str) -> Task:
    """The live request that the part makes unnecessary."""
    if part in PERIODS:
        return Task("economic", (part,))
    kinds: dict[str, Kind] = {FULL: "daily", MONTH: "intraday"}
    return Task(kinds.get(part) or ("news" if part == "news" else "daily"), (ticker,))
