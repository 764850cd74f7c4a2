"""The initial load of one ticker: the part of its history that is missing, as the budget allows."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from pipeline.sources.alpha_vantage.client import AlphaVantageClient
from pipeline.sources.alpha_vantage.errors import NAME
from pipeline.sources.alpha_vantage.plan_state import Kind, PlanState, Task, key_of, last_settled
from pipeline.sources.alpha_vantage.scheduler import FULL, Answered, RequestScheduler
from pipeline.sources.alpha_vantage.series import PERIODS
from pipeline.sources.base import HistoryChunk, SourceError

MONTH: Final = "intraday history"
"""Intraday bars of the last 30 days, as opposed to the newest hundred that the live feed asks for."""
TRIES: Final = 3
"""How often a part is asked for that has no answer that can be understood."""

_NAMES: Final[Mapping[Kind, str]] = {
    "daily": "daily bars",
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
        self,
        ticker: str,
        client: AlphaVantageClient,
        scheduler: RequestScheduler,
        answer: Callable[[Task], Awaitable[Answered]],
    ) -> None:
        self._ticker = ticker
        self._client = client
        self._scheduler = scheduler
        self._answer = answer
        self._unsure: dict[str, int] = {}
        """How often in a row a part had no answer that can be understood."""

    async def chunks(self) -> AsyncGenerator[HistoryChunk]:
        """What each request gives, and while there is a wait, a note on how long.

        Raises:
            SourceError: if there is no such symbol.
        """
        scheduler, ticker, facts = self._scheduler, self._ticker, self._scheduler.memory.facts
        messages = requests = 0
        while parts := self._missing(await scheduler.plan_state()):
            if ticker in scheduler.unknown:
                facts.loading.pop(ticker, None)
                raise SourceError(f"{NAME} knows no symbol {ticker}; check its spelling")
            part = parts[0]
            task = _task_of(part, ticker)
            until = scheduler.put_off_until(task) if part in self._unsure else None
            if until is None or until <= scheduler.clock.now():
                until = await scheduler.load_waits_until(task)
            if until is not None:
                progress = f"{requests} of {requests + len(parts)} requests"
                yield HistoryChunk((), messages, 0, note=f"{progress}, goes on at {scheduler.local(until)}")
                wait = (until - scheduler.clock.now()).total_seconds()
                await scheduler.clock.sleep(min(wait, scheduler.look_again))
                continue  # what is missing may have come with live data meanwhile
            with scheduler.under_way(task):
                answered = await scheduler.ask_for_load(partial(self._ask, part))
                if answered.unsure:
                    self._unsure[part] = self._unsure.get(part, 0) + 1
                    if answered.messages:
                        yield HistoryChunk(answered.messages, messages, 0)
                if not answered.final:
                    continue
                requests += 1
                messages += len(answered.messages)
                yield HistoryChunk(
                    answered.messages, messages, 0, note=f"{requests} of {requests - 1 + len(parts)} requests"
                )
                self._unsure.pop(part, None)
                facts.loading.setdefault(ticker, []).append(part)
                scheduler.answered(task, answered.messages, part if part in (FULL, MONTH) else "")
        facts.loading.pop(ticker, None)
        scheduler.memory.save()
        if ticker in scheduler.unknown:
            raise SourceError(f"{NAME} knows no symbol {ticker}; check its spelling")
        yield HistoryChunk((), messages, messages, note=self._left_out(await scheduler.plan_state()))

    def _missing(self, state: PlanState) -> list[str]:
        """The parts to ask for, in their order: what the plan gives of the ticker, and economic series by name."""
        known, lacking, ticker = state.known.asked, state.lacking, self._ticker
        settled = last_settled(state).timestamp()
        daily = "daily" if FULL in lacking or self._is_refused(FULL, state) else FULL
        month = "intraday" if self._is_refused(MONTH, state) else MONTH
        parts = [part for part in (daily, month) if known.get(f"{part} {ticker}", 0.0) < settled]
        if state.since("news", ticker) is None:
            parts.append("news")
        parts = [part for part in parts if state.can(_task_of(part, ticker).kind, ticker)]
        if not self._scheduler.memory.has_given(ticker) and self._left_out_of("daily", "intraday", state=state):
            parts += ["quote"] if state.can("quote", ticker) and state.since("quote", ticker) is None else []
        if "economic" not in lacking:
            parts += [name for name in PERIODS if state.since("economic", name) is None]
        done = self._scheduler.memory.facts.loading.get(ticker, ())
        return [part for part in parts if part not in done and self._unsure.get(part, 0) < TRIES]

    def _is_refused(self, part: str, state: PlanState) -> bool:
        """Whether less than the whole of it is to be asked for."""
        return key_of(part, self._ticker) in state.refused or self._unsure.get(part, 0) >= TRIES

    def _left_out_of(self, *kinds: Kind, state: PlanState) -> bool:
        """Whether none of these can be had of the ticker."""
        return not any(state.can(kind, self._ticker) for kind in kinds)

    async def _ask(self, part: str) -> Answered:
        ticker, client, task = self._ticker, self._client, _task_of(part, self._ticker)
        if part == FULL:
            return await self._scheduler.ask(partial(client.daily, ticker, full=True), task, FULL)
        if part == MONTH:
            return await self._scheduler.ask(partial(client.intraday, ticker, "1min", full=True), task, MONTH)
        return await self._answer(task)

    def _left_out(self, state: PlanState) -> str:
        """What the history lacks, by reason."""
        lacking, daily = state.lacking, state.can("daily", self._ticker)
        plan = ["the newest 100 daily bars only"] if FULL in lacking else []
        plan += [f"no {name}" for kind, name in _NAMES.items() if kind in lacking]
        refused = ["the newest 100 daily bars only"] if self._is_refused(FULL, state) and daily else []
        refused += [
            f"no {name}" for kind, name in _NAMES.items() if kind not in lacking and not state.can(kind, self._ticker)
        ]
        unread = [
            _NAMES.get(_task_of(part, self._ticker).kind, part)
            for part, tries in self._unsure.items()
            if tries >= TRIES and part not in (FULL, MONTH)
        ]
        notes = [f"{', '.join(plan)}: not in the plan"] if plan else []
        notes += [f"{', '.join(refused)}: refused for {self._ticker}"] if refused else []
        notes += [f"no {', '.join(dict.fromkeys(unread))}: its answers cannot be parsed"] if unread else []
        return "; ".join(notes)


def _task_of(part: str, ticker: str) -> Task:
    """The live request that the part makes unnecessary."""
    if part in PERIODS:
        return Task("economic", (part,))
    kinds: dict[str, Kind] = {
        FULL: "daily",
        MONTH: "intraday",
        "intraday": "intraday",
        "news": "news",
        "quote": "quote",
    }
    return Task(kinds.get(part, "daily"), (ticker,))
