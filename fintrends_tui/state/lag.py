"""How the lag of consumer groups moves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.contract.snapshot import GroupLag, GroupStatus, TopicView

_SPAN: Final = 10
"""Observations, of one a second, over which growth is told."""
_BY_URGENCY: Final[tuple[GroupStatus, ...]] = ("STALL", "ERR", "WARN", "OK")


@dataclass(frozen=True)
class GroupTotal:
    """A consumer group on all topics that it reads: `topics` are those with their lag."""

    group: str
    topics: Sequence[tuple[TopicView, GroupLag]]

    @property
    def lag(self) -> int:
        return sum(group.lag for _, group in self.topics)

    @property
    def lags(self) -> list[int]:
        """The sum of all, at every second that all were observed in."""
        return summed([group.lags for _, group in self.topics])

    @property
    def status(self) -> GroupStatus:
        """The worst of all."""
        return min((group.status for _, group in self.topics), key=_BY_URGENCY.index, default="OK")


def totals(topics: Iterable[TopicView]) -> list[GroupTotal]:
    """All groups, and the topics of each: first what needs somebody, the greatest lag before others, then the rest by
    name, for their lags come and go."""
    by_group: dict[str, list[tuple[TopicView, GroupLag]]] = {}
    for topic in topics:
        for group in topic.groups:
            by_group.setdefault(group.group, []).append((topic, group))
    found = [
        GroupTotal(group, sorted(parts, key=lambda part: _order(part[1].status, part[1].lag, part[0].topic)))
        for group, parts in by_group.items()
    ]
    return sorted(found, key=lambda total: _order(total.status, total.lag, total.group))


def _order(status: GroupStatus, lag: int, name: str) -> tuple[int, int, str]:
    return _BY_URGENCY.index(status), 0 if status == "OK" else -lag, name


def summed(series: Sequence[Sequence[int]]) -> list[int]:
    """Sums of what was observed at the same time, the newest last; as far back as the shortest goes."""
    shortest = min(map(len, series), default=0)
    return [sum(values) for values in zip(*(one[len(one) - shortest :] for one in series), strict=True)]


def growth(lags: Sequence[int]) -> float | None:
    """By how many records a second the lag has grown lately, or shrunk; None before there are two observations."""
    recent = lags[-_SPAN - 1 :]
    return (recent[-1] - recent[0]) / (len(recent) - 1) if len(recent) > 1 else None


def caught_up_in(lags: Sequence[int]) -> float | None:
    """Seconds until there is no lag if it goes on shrinking like that; None if it does not, or there is none."""
    speed = growth(lags)
    return lags[-1] / -speed if speed is not None and speed < 0 and lags[-1] else None
