"""The input and the parts of a plan: tasks, earlier requests, the present state. Pure."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from pipeline.model.sessions import Session
from pipeline.sources.base import FeedName

Kind = Literal["daily", "intraday", "bulk", "quote", "news", "economic"]
FEED_OF: Final[dict[Kind, FeedName]] = {
    "daily": "market",
    "intraday": "market",
    "bulk": "market",
    "quote": "market",
    "news": "news",
    "economic": "economic",
}
LIVE_QUOTES: Final = "live quotes"
"""What a plan lacks whose quotes are those of the last close: asking for them while the market is open is a waste."""
SETTLE: Final = timedelta(hours=2)
"""After the close, until the day's final bar can be had."""


class Task(NamedTuple):
    """One request: tickers, or the name of one economic series."""

    kind: Kind
    subjects: tuple[str, ...]

    @property
    def feed(self) -> FeedName:
        return FEED_OF[self.kind]

    def __str__(self) -> str:
        more = f" +{len(self.subjects) - 1}" if len(self.subjects) > 1 else ""
        return f"{self.subjects[0]}{more} {self.kind}"


class PlannedRequest(NamedTuple):
    """A request and the time it is due."""

    at: datetime
    task: Task


class Known(Struct):
    """What was asked before. Keys are `key_of` a kind and a subject, times are seconds since the epoch.

    `asked` is when the last answer came, `newest` the event time of the newest thing in it, `spread_at` when the last
    of the evenly spread requests was answered, `loads` the number of requests for initial loads, by ISO date.
    """

    asked: dict[str, float] = {}
    newest: dict[str, float] = {}
    spread_at: float = 0.0
    loads: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class PlanState:
    """The state that a plan is made from. `tickers` are those that are worth asking for, `lacking` names the kinds (and
    `LIVE_QUOTES`) that the provider's plan does not include, `refused` what it refuses of single tickers (as `key_of`),
    `left` is today's rest of the budget; `sessions` are oldest first. `loading` says that an initial load waits for its
    share, `put_off` until when a task that has failed is put off, so that the others have their turn, `failures` how
    often in a row it has, `under_way` what is being asked already."""

    now: datetime
    tickers: Sequence[str]
    focus: str | None
    known: Known
    sessions: Sequence[Session]
    lacking: AbstractSet[str] = frozenset()
    refused: AbstractSet[str] = frozenset()
    left: int | None = None
    loading: bool = False
    put_off: Mapping[Task, datetime] = field(default_factory=dict)
    failures: Mapping[Task, int] = field(default_factory=dict)
    under_way: AbstractSet[Task] = frozenset()

    def since(self, kind: Kind, subject: str) -> datetime | None:
        """When it was last asked; None for never. A time to come, by a clock set back since, counts as now."""
        asked = self.known.asked.get(key_of(kind, subject))
        return None if asked is None else min(datetime.fromtimestamp(asked, self.now.tzinfo), self.now)

    def newest(self, kind: Kind, subject: str) -> datetime | None:
        """The event time of the newest thing in the last answer. One to come says nothing: no provider knows it yet."""
        newest = self.known.newest.get(key_of(kind, subject))
        return (
            None if newest is None or newest > self.now.timestamp() else datetime.fromtimestamp(newest, self.now.tzinfo)
        )

    def can(self, kind: Kind, ticker: str) -> bool:
        """Whether the plan includes it, and it is not refused for this ticker."""
        return kind not in self.lacking and key_of(kind, ticker) not in self.refused


def key_of(kind: str, subject: str) -> str:
    return f"{kind} {subject}"


def nearest(sessions: Sequence[Session], now: datetime) -> Sequence[Session]:
    """The sessions that a plan needs: the last two that have closed, of which one has settled, and the next two."""
    closed = sum(session.close <= now for session in sessions)
    return sessions[max(0, closed - 2) : closed + 2]


def last_settled(s: PlanState) -> datetime:
    """Since when no further final daily bar can be had."""
    return max(at for at in (session.close + SETTLE for session in s.sessions) if at <= s.now)
