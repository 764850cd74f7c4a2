"""Where all requests to Alpha Vantage come together: what is next, what an answer or a refusal teaches, who waits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.budget import Budget, BudgetSpentError
from pipeline.clock import Clock
from pipeline.http_errors import CircuitOpenError, HttpError
from pipeline.messages import AnyMessage, DeadLetter
from pipeline.snapshot import BudgetView
from pipeline.sources.alpha_vantage.answer import Reply
from pipeline.sources.alpha_vantage.errors import (
    NAME,
    AlphaVantageError,
    BurstLimitError,
    DailyLimitError,
    FullOutputNotInPlanError,
    NotInPlanError,
    UnknownSymbolError,
    UnreadableReplyError,
)
from pipeline.sources.alpha_vantage.faults import Faults
from pipeline.sources.alpha_vantage.memory import Memory
from pipeline.sources.base import FeedName
from pipeline.sources.market_hours import Hours
from pipeline.sources.schedule import Planner
from pipeline.sources.situation import Situation, Slot, Task, key_of, nearest
from pipeline.supervisor import Backoff, first_of
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)

FULL: Final = "full history"
"""What a plan lacks that gives the newest 100 rows only."""
REMEMBERED_MISFITS: Final = 10_000
"""More than the rows of the longest reply, twenty years of days."""
LOOK_AGAIN: Final = 60.0
"""Seconds after which a plan is made anew at the latest: the clock may have been set, the focus have moved."""
_LIVE_FIRST: Final = timedelta(seconds=1)
"""Until an initial load looks again whether live data has been served."""
_BACKOFF: Final = Backoff(initial=10.0, maximum=900.0)
_NOTHING_ELSE: Final = ("quote", "news", "economic")
"""Kinds that nothing can be asked instead of, should a plan not include them."""
_DEAR_BACKOFF: Final = Backoff(initial=60.0, maximum=3600.0)
"""Where each failure costs a request of the day."""


class Answered(NamedTuple):
    """What a request has given; `final` is False if it is to be asked again, `sent` if it has not left at all."""

    messages: Sequence[AnyMessage]
    final: bool
    sent: bool = True


class Desk:
    """Shared by the feeds and the initial load of one source."""

    def __init__(
        self,
        *,
        budget: Budget,
        memory: Memory,
        planner: Planner,
        hours: Hours,
        clock: Clock,
        zone: ZoneInfo,
        never: Sequence[str] = (),
        look_again: float = LOOK_AGAIN,
    ) -> None:
        """`never` names what the plan is known not to include, by the settings."""
        self.budget = budget
        self.memory = memory
        self.clock = clock
        self.look_again = look_again
        self._loading = False
        self._planner = planner
        self._hours = hours
        self._zone = zone
        self._never = frozenset(never)
        self._watchlist = Watchlist()
        self._waiting: dict[FeedName, Slot] = {}
        self._under_way: set[Task] = set()
        self._learnt = asyncio.Event()
        self._failures = 0
        self._trouble = ""
        self._buried: dict[int, None] = {}
        self._faults = Faults()

    # What is next

    async def turn(self, feed: FeedName, watchlist: Watchlist) -> Task:
        """Wait until it is time for the feed's next request, and return that."""
        if feed != "economic":  # whose list names no tickers
            self._watchlist = watchlist
        try:
            while True:
                version = watchlist.version
                situation = await self.situation()
                slot = self._planner.next(situation, feed)
                # The rates are waited for in line, where the first to come is the first served.
                at = max(slot.at if slot else self.budget.next_day, self.budget.blocked_until)
                if slot is None:
                    self._waiting.pop(feed, None)
                else:
                    self._waiting[feed] = Slot(at, slot.task)
                wait = (at - self.clock.now()).total_seconds()
                if slot is not None and wait <= 0:
                    return slot.task
                await first_of(
                    self.clock.sleep(min(wait, self.look_again)),
                    watchlist.changed_since(version),
                    self._learnt.wait(),
                )
        finally:
            self._waiting.pop(feed, None)

    async def situation(self) -> Situation:
        now, unknown = self.clock.now(), self.unknown
        return Situation(
            now=now,
            tickers=[ticker for ticker in self._watchlist if ticker not in unknown],
            focus=self._watchlist.focus,
            known=self.memory.facts.known,
            sessions=nearest(await self._hours.sessions(), now),
            lacking=self.lacking,
            left=self.budget.left,
            loading=self._loading,
            put_off=self._faults.until(),
            under_way=frozenset(self._under_way),
        )

    @property
    def lacking(self) -> frozenset[str]:
        """What the plan does not include: by the settings, and as learnt."""
        return self._never | self.memory.lacking(self.clock.now())

    @property
    def unknown(self) -> set[str]:
        """Tickers of which it is known that they are no symbols there."""
        return self.memory.unknown(self.clock.now())

    @contextmanager
    def under_way(self, task: Task) -> Iterator[None]:
        """From its request until its messages are taken: nobody else asks the same meanwhile."""
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)
            self._plan_anew()

    async def load_waits_until(self, task: Task) -> datetime | None:
        """None if an initial load may ask now: live data comes first, and leaves it a share of the day."""
        now = self.clock.now()
        if self.budget.next_at > now:
            return self.budget.next_at
        if task in self._under_way or any(slot.at <= now for slot in self._waiting.values()):
            return now + _LIVE_FIRST
        return self.budget.next_day if self._planner.loads_left(await self.situation()) == 0 else None

    @contextmanager
    def load(self) -> Iterator[None]:
        """While an initial load goes on, live data leave it its share."""
        self._loading = True
        try:
            yield
        finally:
            self._loading = False
            self._remember()

    async def ask_for_load(self, ask: Callable[[], Awaitable[Answered]]) -> Answered:
        """Ask, and count it to the initial loads' share of the day; what did not leave is taken back."""
        today = self.clock.now().astimezone(self._zone).date().isoformat()
        known = self.memory.facts.known
        known.loads = {today: known.loads.get(today, 0) + 1}
        self.memory.save()
        answered = await ask()
        if not answered.sent and today in known.loads:
            known.loads[today] -= 1
            self.memory.save()
        return answered

    # What comes of it

    async def ask[Row: AnyMessage](
        self, call: Callable[[], Awaitable[Reply[Row]]], task: Task, part: str = ""
    ) -> Answered:
        """Make the call and learn from how it goes; `part` is what it needs of the plan, where that is more than the
        kind of the task.

        Raises:
            AlphaVantageError: if no request with this key will ever be answered.
        """
        try:
            reply = await call()
        except BudgetSpentError:
            return Answered((), final=False, sent=False)
        except AlphaVantageError as error:
            return self._learn(error, task, part or task.kind)
        except HttpError as error:
            self._hold(error)
            if error.sent:  # else no task is the cause
                self._faults.put_off(task, f"{NAME}: {error.cause}", self.clock.now())
            return Answered((), final=False, sent=error.sent)
        self._failures = 0
        self._trouble = ""
        self._faults.mended(task)
        self.memory.facts.key_refused = 0.0
        return Answered([*reply.rows, *self._new_misfits(reply.misfits)], final=True)

    def _learn(self, error: AlphaVantageError, task: Task, what: str) -> Answered:
        facts, now = self.memory.facts, self.clock.now().timestamp()
        final = False
        misfits: Sequence[AnyMessage] = ()
        match error:
            case DailyLimitError():
                self.budget.refuse_today()
                self._trouble = "the limit of the day is reached, it says"
            case BurstLimitError():
                self._hold(error)
                self._faults.put_off(task, str(error), self.clock.now())
            case FullOutputNotInPlanError():
                self.lacks(FULL)
            case NotInPlanError() if what == "daily":
                final = True  # every plan has them, so it is about this ticker; asked again at its pace
                self._faults.note(task, str(error), self.clock.now())
            case NotInPlanError():
                self.lacks(what)
                final = what in _NOTHING_ELSE
            case UnknownSymbolError() if task.kind not in ("news", "economic"):
                facts.unknown[task.subjects[0]] = now
            case _ if error.permanent:
                facts.key_refused = now
                self.memory.save()
                raise error
            case UnreadableReplyError():
                misfits, final = self._new_misfits([error.misfit]), True
                self._faults.note(task, str(error), self.clock.now())
            case UnknownSymbolError():
                final = True  # to these functions alone; many a ticker has no news
            case _:
                final = True  # asked again at its pace, for it may be mended there
                self._faults.note(task, str(error), self.clock.now())
        log.warning("%s", error)
        self._remember()
        return Answered(misfits, final)

    def _hold(self, error: HttpError | BurstLimitError) -> None:
        """Leave the provider alone for as long as it wants, and longer with each failure in a row."""
        self._failures += 1
        dear = self.budget.per_day is not None and isinstance(error, HttpError) and error.sent
        wait = (_DEAR_BACKOFF if dear else _BACKOFF).delay(self._failures)
        if isinstance(error, HttpError):
            wait = max(wait, error.retry_after or 0.0)
        if isinstance(error, CircuitOpenError):
            wait = max(wait, (error.until - self.clock.now()).total_seconds())
        self.budget.hold(wait)
        self._trouble = error.cause if isinstance(error, HttpError) else "it asks for fewer requests at a time"
        log.warning("%s; asked again in %.0f s", error, wait)

    def _new_misfits[Misfit: AnyMessage](self, misfits: Sequence[Misfit]) -> list[Misfit]:
        """Those that were not handed out before: a row that does not fit comes again with every reply."""
        new = [misfit for misfit in misfits if getattr(misfit, "offset", 0) not in self._buried]
        self._buried |= dict.fromkeys(getattr(misfit, "offset", 0) for misfit in new)
        for old in list(self._buried)[:-REMEMBERED_MISFITS]:
            del self._buried[old]
        return new

    def lacks(self, what: str) -> None:
        """Remember that the plan does not include it."""
        log.warning("%s: the plan of this key does not include %s", NAME, what)
        self.memory.facts.lacking[what] = self.clock.now().timestamp()
        self._remember()

    def answered(self, task: Task, messages: Sequence[AnyMessage], part: str = "") -> None:
        """The messages of a task have been taken: it need not be asked again for now.

        `part` is the part of an initial load that they were, where that is more than the task.
        """
        now = self.clock.now().timestamp()
        known = self.memory.facts.known
        # The time of a dead letter is that of its making: it says nothing of how new the data are.
        rows = [message for message in messages if not isinstance(message, DeadLetter)]
        if part:
            known.asked[f"{part} {task.subjects[0]}"] = now
        for subject in task.subjects:
            key = key_of(task.kind, subject)
            known.asked[key] = now
            if rows and task.kind not in ("bulk", "intraday"):
                known.newest[key] = max(row.ts.timestamp() for row in rows)
        if task.kind in ("news", "quote", "economic"):
            known.spread_at = now
        self._remember()

    def _remember(self) -> None:
        """Keep what was learnt, and let those who wait plan anew with it."""
        self.memory.save()
        self._plan_anew()

    def _plan_anew(self) -> None:
        self._learnt.set()
        self._learnt = asyncio.Event()

    # What the screen shows

    def ticker_notes(self) -> dict[str, str]:
        """Why a ticker has no data, or none that is new."""
        return self._faults.by_ticker() | dict.fromkeys(self.unknown, f"unknown to {NAME}")

    def view(self) -> BudgetView:
        budget = self.budget
        slot = min(self._waiting.values(), key=lambda s: s.at, default=None)
        at = slot.at if slot is not None else budget.next_at if budget.left == 0 else None
        note = trouble = self._trouble if budget.refused or budget.next_at > self.clock.now() else ""
        if budget.left == 0:
            note = ", ".join(filter(None, (note, f"goes on at {self.local(budget.next_day)}")))
        return BudgetView(
            name=NAME,
            used=budget.used,
            limit=budget.per_day,
            left=budget.left,
            next_at=None if at is None else at.timestamp(),
            next_what="" if slot is None else str(slot.task),
            not_in_plan=sorted(self.lacking),
            note=note,
            trouble=trouble,
        )

    def local(self, at: datetime) -> str:
        """The time of day there."""
        return f"{at.astimezone(self._zone):%H:%M %Z}"
