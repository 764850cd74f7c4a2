"""What can be done to topics, groups and documents by hand: what is asked for, and the plan of what would happen.

A plan is made first and shown; carrying it out does what it says and nothing else. Plain data; imports nothing heavy.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

BEGINNING: Final = "beginning"
END: Final = "end"
MAX_LETTERS: Final = 1000
"""Dead letters of one plan at most, the oldest first."""


class ResetOffsets(Struct, frozen=True, tag="reset_offsets"):
    """Have a group go on from the `beginning`, the `end`, or the first records of a time, in some topics or in all that
    it reads but `dead_letter`."""

    group: str
    to: str
    topics: list[str] = []


class Replay(Struct, frozen=True, tag="replay"):
    """Have all groups read topics again from a time on (or the `beginning`). `names` are topics, or tickers for all
    topics of each."""

    names: list[str]
    since: str


class Purge(Struct, frozen=True, tag="purge"):
    """Delete a ticker's topics and documents, and watch it no longer."""

    ticker: str


class Retry(Struct, frozen=True, tag="retry"):
    """Publish the records of dead letters again: of all, of those whose reason contains a text whatever its case, or of
    those with these keys in the collection."""

    reason: str = ""
    keys: list[str] = []


Operation = ResetOffsets | Replay | Purge | Retry


class OffsetChange(Struct, frozen=True):
    """The next offset that a group reads in a partition: `before` (None if it has not committed any), and `after`.
    `begin` is that of the oldest record."""

    group: str
    topic: str
    partition: int
    before: int | None
    after: int
    begin: int

    @property
    def again(self) -> int:
        """Records that the group reads once more."""
        return max(0, self._position - self.after)

    @property
    def skipped(self) -> int:
        """Records that the group never reads."""
        return max(0, self.after - self._position)

    @property
    def _position(self) -> int:
        return max(self.before or 0, self.begin)


class OffsetsPlan(Struct, frozen=True, tag="offsets"):
    """Offsets to be reset. `obstacle` says why that cannot be done now."""

    changes: list[OffsetChange]
    obstacle: str = ""

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(change.group for change in self.changes))

    @property
    def does_anything(self) -> bool:
        return bool(self.changes)


class PurgePlan(Struct, frozen=True, tag="purged"):
    """Topics to be deleted with the number of their records, and how many documents of each collection."""

    ticker: str
    watched: bool
    topics: dict[str, int]
    documents: dict[str, int]
    obstacle: str = ""

    @property
    def does_anything(self) -> bool:
        return bool(self.watched or self.topics or any(self.documents.values()))


class Letter(Struct, frozen=True):
    """A dead letter: its key in the collection, where its record stands, and why it is there. With an `obstacle` its
    record is not published again."""

    key: str
    topic: str
    partition: int
    offset: int
    reason: str
    obstacle: str = ""


class RetryPlan(Struct, frozen=True, tag="retried"):
    """Dead letters, of which those without an obstacle are published again. `more` are left for another plan."""

    letters: list[Letter]
    more: int = 0
    obstacle: str = ""

    @property
    def retried(self) -> list[Letter]:
        return [letter for letter in self.letters if not letter.obstacle]

    @property
    def does_anything(self) -> bool:
        return bool(self.retried)


Plan = OffsetsPlan | PurgePlan | RetryPlan


def question(plan: Plan) -> str:
    """What is to be confirmed."""
    match plan:
        case OffsetsPlan():
            return f"Reset the offsets of {_listed(plan.groups)}?"
        case PurgePlan():
            return f"Delete all of {plan.ticker}, for good?"
        case RetryPlan():
            return f"Publish {_counted(len(plan.retried), 'record')} again?"


def described(plan: Plan) -> list[str]:
    """What would happen, in lines of plain text."""
    obstacle = [f"This cannot be done now: {plan.obstacle}."] if plan.obstacle else []
    match plan:
        case OffsetsPlan():
            return _offsets(plan) + obstacle
        case PurgePlan():
            return _purge(plan) + obstacle
        case RetryPlan():
            return _retry(plan) + obstacle


def _offsets(plan: OffsetsPlan) -> list[str]:
    if not plan.changes:
        return ["Nothing would change: the groups stand there already."]
    lines = _table(
        ("group", "topic", "partition", "from", "to", ""),
        (
            (c.group, c.topic, str(c.partition), "–" if c.before is None else str(c.before), str(c.after), _effect(c))
            for c in plan.changes
        ),
    )
    again = sum(change.again for change in plan.changes)
    skipped = sum(change.skipped for change in plan.changes)
    if again:
        lines.append(f"{_counted(again, 'record')} would be processed again; what is stored of them stays as it is.")
    if skipped:
        lines.append(
            f"{_counted(skipped, 'record')} would be skipped: {_listed(plan.groups)} would never process them."
        )
    lines.append("A pipeline that runs here suspends its stages for a moment; they go on from there.")
    return lines


def _effect(change: OffsetChange) -> str:
    return f"{change.skipped:,} skipped" if change.skipped else f"{change.again:,} again"


def _purge(plan: PurgePlan) -> list[str]:
    if not plan.does_anything:
        return [f"There is nothing of {plan.ticker}: no topics, no documents."]
    lines = [f"{plan.ticker} would no longer be watched."] if plan.watched else []
    lines += _table(
        ("deleted", ""),
        [
            *((f"topic {topic}", _counted(records, "record")) for topic, records in plan.topics.items()),
            *((f"in {name}", _counted(count, "document")) for name, count in plan.documents.items() if count),
        ],
    )
    lines.append("What is deleted cannot be brought back, except by loading it from its source again.")
    return lines


def _retry(plan: RetryPlan) -> list[str]:
    if not plan.letters:
        return ["There are no such dead letters."]
    by_outcome: dict[tuple[str, str, str], int] = {}
    for letter in plan.letters:
        outcome = letter.obstacle or "published again"
        key = letter.topic, letter.reason, outcome
        by_outcome[key] = by_outcome.get(key, 0) + 1
    lines = []
    for (topic, reason, outcome), count in by_outcome.items():
        lines += [f"{count:,} of {topic}: {reason}", f"    → {outcome}"]
    left = len(plan.letters) - len(plan.retried)
    lines.append(
        f"{_counted(len(plan.retried), 'record')} would be published again and processed by all that read its topic; "
        f"{_counted(left, 'dead letter')} would stay."
    )
    if plan.more:
        lines.append(f"{_counted(plan.more, 'dead letter')} more would be left for another time.")
    return lines


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
