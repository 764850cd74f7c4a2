"""The scheduler of all requests to Alpha Vantage: what is next, what an answer or a refusal means, who waits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.aio import Backoff, first_of
from pipeline.clock import Clock
from pipeline.contract.snapshot import BudgetView
from pipeline.model.messages import AnyMessage, DeadLetter, TickerMessage
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import CircuitOpenError, HttpError
from pipeline.net.request_budget import Budget, BudgetSpentError
from pipeline.sources.alpha_vantage.answer import ParsedReply
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
from pipeline.sources.alpha_vantage.faults import BURST, Faults
from pipeline.sources.alpha_vantage.memory import PlanMemory
from pipeline.sources.alpha_vantage.plan_state import PlannedRequest, PlanState, Task, key_of, nearest
from pipeline.sources.alpha_vantage.schedule import Planner
from pipeline.sources.base import FeedName
from pipeline.sources.market_hours import Hours

log = logging.getLogger(__name__)

FULL: Final = "full history"
"""What a plan lacks that gives the newest 100 rows only."""
REMEMBERED_MISFITS: Final = 10_000
"""More than the rows of the longest reply, twenty years of days."""
LOOK_AGAIN: Final = 60.0
"""Seconds after which a new plan is made at the latest: the clock may have been set, or the focus may have moved."""
_LIVE_FIRST: Final = timedelta(seconds=1)
"""Until an initial load looks again whether live data has been served."""
_BACKOFF: Final = Backoff(initial=10.0, maximum=900.0)
_NOTHING_ELSE: Final = ("quote", "news", "economic")
"""Kinds that nothing can be asked instead of, should a plan not include them."""
_DEAR_BACKOFF: Final = Backoff(initial=60.0, maximum=3600.0)
"""Where each failure costs a request of the day."""
_NOTICE_BACKOFF: Final = Backoff(initial=10.0, maximum=14400.0)
"""The same after a notice: a limit per second is over soon; a notice that stays is about something else."""


class Answered(NamedTuple):
    """The result of a request; `final` is False if it is to be asked again, `sent` if it was not sent at all.

    `unsure` says that the answer could not be understood.
    """

    messages: Sequence[AnyMessage]
    final: bool
    sent: bool = True
    unsure: bool = False


class RequestScheduler:
    """Decides which request is sent next, for the feeds and the initial load of one source, and learns from the
    replies."""

    def __init__(
        self,
        *,
        budget: Budget,
        memory: PlanMemory,
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
        self._waiting: dict[FeedName, PlannedRequest] = {}
        self._under_way: set[Task] = set()
        self._learnt = asyncio.Event()
        self._failures = 0
        self._trouble = ""
        self._away_since: datetime | None = None
        self._dead_lettered: dict[int, None] = {}
        self._faults = Faults()

    # What is next

    async def turn(self, feed: FeedName, watchlist: Watchlist) -> Task:
        """Wait until it is time for the feed's next request, and return that."""
        if feed != "economic":  # whose list names no tickers
            self._watchlist = watchlist
        try:
            while True:
                version = watchlist.version
                state = await self.plan_state()
                planned = self._planner.next(state, feed)
                # The rates are waited for in line, where the first to come is the first served.
                at = max(planned.at if planned else self.budget.next_day, self.budget.blocked_until)
                if planned is None:
                    self._waiting.pop(feed, None)
                else:
                    self._waiting[feed] = PlannedRequest(at, planned.task)
                wait = (at - self.clock.now()).total_seconds()
                if planned is not None and wait <= 0:
                    return planned.task
                await first_of(
                    self.clock.sleep(min(wait, self.look_again)),
                    watchlist.changed_since(version),
                    self._learnt.wait(),
                )
        finally:
            self._waiting.pop(feed, None)

    async def plan_state(self) -> PlanState:
        now, unknown = self.clock.now(), self.unknown
        return PlanState(
            now=now,
            tickers=[ticker for ticker in self._watchlist if ticker not in unknown],
            focus=self._watchlist.focus,
            known=self.memory.facts.known,
            sessions=nearest(await self._hours.sessions(), now),
            lacking=self.lacking,
            refused=self.memory.left_out(now),
            left=self.budget.left,
            loading=self._loading,
            put_off=self._faults.until(),
            failures=self._faults.failures(),
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
        """From its request until its messages are taken: the same is not asked twice meanwhile."""
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)
            self._plan_anew()

    def put_off_until(self, task: Task) -> datetime | None:
        """Until when it is left alone after it has failed."""
        return self._faults.until().get(task)

    async def load_waits_until(self, task: Task) -> datetime | None:
        """None if an initial load may ask now: live data comes first, and leaves it a share of the day."""
        now = self.clock.now()
        if self.budget.next_at > now:
            return self.budget.next_at
        if task in self._under_way or any(planned.at <= now for planned in self._waiting.values()):
            return now + _LIVE_FIRST
        return self.budget.next_day if self._planner.loads_left(await self.plan_state()) == 0 else None

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
        self, call: Callable[[], Awaitable[ParsedReply[Row]]], task: Task, part: str = ""
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
            self._away_since = None
            return self._learn(error, task, part or task.kind)
        except HttpError as error:
            self._away_since = self._away_since or self.clock.now()
            self._hold(error)
            if error.sent:  # else no task is the cause
                self._faults.put_off(task, f"{NAME}: {error.cause}", self.clock.now())
            return Answered((), final=False, sent=error.sent)
        self._failures = 0
        self._trouble = ""
        self._away_since = None
        self._faults.clear(task)
        self.memory.facts.key_refused = 0.0
        self._gave(task, part or task.kind, reply.rows)
        return Answered([*reply.rows, *self._new_misfits(reply.misfits)], final=True)

    def _learn(self, error: AlphaVantageError, task: Task, what: str) -> Answered:
        """Only what its words mean; after whatever is unsure, it is asked again in a while."""
        facts, now = self.memory.facts, self.clock.now()
        final = unsure = False
        misfits: Sequence[AnyMessage] = ()
        match error:
            case DailyLimitError():
                self.budget.refuse_today()
                self._trouble = "it reports that the daily limit is reached"
            case BurstLimitError():
                self._hold(error)
                self._faults.put_off(task, str(error), now, BURST)
            case FullOutputNotInPlanError() if what == FULL:
                self.lacks(FULL)
            case NotInPlanError() if what == task.kind and what != "daily":
                self.lacks(what)
                final = what in _NOTHING_ELSE
            case NotInPlanError():
                # Every plan has daily bars, so it is about this ticker; but it does not say that it is no symbol.
                self._leave_out(error, task, what, facts.withheld)
            case UnknownSymbolError() if not self._is_outweighed(error, task, what):
                self._leave_out(error, task, what, facts.refused)
                self._judge(task.subjects[0])
            case _ if error.permanent:
                facts.key_refused = now.timestamp()
                self.memory.save()
                raise error
            case UnreadableReplyError():
                misfits, unsure = self._new_misfits([error.misfit]), True
                if error.notice:  # which may be about every request
                    self._hold(error)
                self._faults.put_off(task, str(error), now)
            case _:
                unsure = True
                self._faults.put_off(task, str(error), now)
        log.warning("%s", error)
        self._remember()
        return Answered(misfits, final, unsure=unsure)

    def _is_outweighed(self, error: UnknownSymbolError, task: Task, what: str) -> bool:
        """Whether what was answered before says otherwise: by the same function, or by any where it uses no words.

        The history of more than the newest rows may be refused at any time, for there are those.
        """
        ticker = task.subjects[0]
        if len(task.subjects) > 1 or (error.empty and self.memory.has_given(ticker)):
            return True
        return what == task.kind and key_of(what, ticker) in self.memory.facts.gave

    def _leave_out(self, error: AlphaVantageError, task: Task, what: str, why: dict[str, float]) -> None:
        """Leave that one function out for this ticker; `why` is where that is remembered."""
        now = self.clock.now()
        why[key_of(what, task.subjects[0])] = now.timestamp()
        self._faults.note(task, str(error), now)

    def _judge(self, ticker: str) -> None:
        """It is not a symbol there if each function that knows symbols was asked and none has ever answered."""
        facts, now = self.memory.facts, self.clock.now()
        if self.memory.has_given(ticker):
            return
        refused = self.memory.refused(now)
        kinds = self._planner.kinds(self.lacking)
        if all(key_of(kind, ticker) in refused or key_of(kind, ticker) in facts.known.asked for kind in kinds):
            log.warning("%s knows no symbol %s", NAME, ticker)
            facts.unknown[ticker] = now.timestamp()

    def _gave(self, task: Task, what: str, rows: Sequence[AnyMessage]) -> None:
        """Remember of whom there are data, whatever is refused later."""
        facts, now = self.memory.facts, self.clock.now().timestamp()
        for ticker in {row.ticker for row in rows if isinstance(row, TickerMessage)}:
            for kind in {what, task.kind}:
                facts.gave[key_of(kind, ticker)] = now
            facts.unknown.pop(ticker, None)
        if what == task.kind and len(task.subjects) == 1:
            facts.refused.pop(key_of(what, task.subjects[0]), None)
            facts.withheld.pop(key_of(what, task.subjects[0]), None)

    def _hold(self, error: HttpError | AlphaVantageError) -> None:
        """Leave the provider alone for as long as it wants, and longer with each failure in a row."""
        self._failures += 1
        backoff = _BACKOFF
        if self.budget.per_day is not None and not isinstance(error, HttpError):
            backoff = _NOTICE_BACKOFF
        elif self.budget.per_day is not None and isinstance(error, HttpError) and error.sent:
            backoff = _DEAR_BACKOFF
        wait = backoff.delay(self._failures)
        if isinstance(error, HttpError):
            wait = max(wait, error.retry_after or 0.0)
        if isinstance(error, CircuitOpenError):
            wait = max(wait, (error.until - self.clock.now()).total_seconds())
        self.budget.hold(wait)
        match error:
            case HttpError():
                self._trouble = error.cause
            case BurstLimitError():
                self._trouble = "it asks for fewer requests at a time"
            case _:
                self._trouble = "it sent an unknown notice, see the log"
        log.warning("%s; asked again in %.0f s", error, wait)

    def _new_misfits[Misfit: AnyMessage](self, misfits: Sequence[Misfit]) -> list[Misfit]:
        """Those that were not handed out before: a row that does not fit comes again with every reply."""
        new = [misfit for misfit in misfits if getattr(misfit, "offset", 0) not in self._dead_lettered]
        self._dead_lettered |= dict.fromkeys(getattr(misfit, "offset", 0) for misfit in new)
        for old in list(self._dead_lettered)[:-REMEMBERED_MISFITS]:
            del self._dead_lettered[old]
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
            # A time to come is a mistake: it says nothing of how new the data are.
            times = [at for row in rows if (at := row.ts.timestamp()) <= now]
            if times and task.kind not in ("bulk", "intraday"):
                known.newest[key] = max(times)
            if not rows and task.kind not in ("bulk", "economic") and task.kind not in self.lacking:
                self._judge(subject)
        if task.kind in ("news", "quote", "economic"):
            known.spread_at = now
        self._remember()

    def _remember(self) -> None:
        """Keep what was learnt, and have those who wait plan again with it."""
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
        planned = min(self._waiting.values(), key=lambda s: s.at, default=None)
        at = planned.at if planned is not None else budget.next_at if budget.left == 0 else None
        note = trouble = self._trouble if budget.refused or budget.next_at > self.clock.now() else ""
        away = self._away_since if budget.next_at > self.clock.now() and not budget.refused else None
        if budget.left == 0:
            note = ", ".join(filter(None, (note, f"goes on at {self.local(budget.next_day)}")))
        return BudgetView(
            name=NAME,
            used=budget.used,
            limit=budget.per_day,
            left=budget.left,
            next_at=None if at is None else at.timestamp(),
            next_what="" if planned is None else str(planned.task),
            not_in_plan=sorted(self.lacking),
            note=note,
            trouble=trouble,
            away_since=None if away is None else away.timestamp(),
        )

    def local(self, at: datetime) -> str:
        """The time of day there."""
        return f"{at.astimezone(self._zone):%H:%M %Z}"
