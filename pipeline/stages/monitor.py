"""The monitor watches topics, and the groups that work on them."""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from pipeline.aio import first_of
from pipeline.bus.base import Bus, BusError, Member, TopicPartition
from pipeline.bus.client import is_pipeline
from pipeline.bus.lag import lag_of, position_of
from pipeline.clock import Clock
from pipeline.contract.retention import Retention
from pipeline.contract.snapshot import MAX_TOPICS, GroupLag, GroupStatus, GroupView, MemberView, TopicView
from pipeline.model.topics import (
    DEAD_LETTER,
    GENERAL,
    GROUPS,
    PER_TICKER,
    READERS,
    is_ours,
    ours,
    read_by,
    split_topic,
)
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription
from pipeline.store.base import Store
from pipeline.supervision.lag import LagWindow
from pipeline.supervision.meters import WINDOW, RateMeter
from pipeline.supervision.supervisor import Context

PERIOD: Final = 1.0
RETENTION_PERIOD: Final = 60.0
"""How often it asks how long topics keep their records; others may change that."""
MEMBERS_EVERY: Final = 3
"""Members change seldom: they are looked at every so many looks."""

AT_REST: Final = WINDOW + 1
"""Looks in a row that see the same, until all rates are zero."""

_Committed = Mapping[str, Mapping[TopicPartition, int]]
"""By group, the next offset on each partition."""
_Offsets = Mapping[TopicPartition, tuple[int, int]]
"""Of each partition the oldest record and the end."""

_READ: Final = {group: kinds for group in GROUPS if (kinds := read_by(group))}
"""By group, the kinds of topics that it reads."""


class Monitor:
    """Looks once a second. `documents` counts what each collection holds; `dead_letter_at` is when the latest dead
    letter came in, in seconds since the epoch, None before the first. `idle` says that nothing was left to do: that
    the sources were `exhausted` before a look that found no lag."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        watchlist: Watchlist,
        clock: Clock,
        exhausted: Callable[[], bool] = lambda: False,
        starting: Callable[[], bool] = lambda: False,
        off: Collection[str] = (),
    ) -> None:
        """`starting` says whether stages still work off a start, such as reading what is stored of many tickers. Groups
        whose stages are turned `off` here count while another process works on them."""
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self._clock = clock
        self._exhausted = exhausted
        self._starting = starting
        self._off = frozenset(off)
        self._topics: frozenset[str] = frozenset()
        self._read: dict[str, set[str]] = {group: set() for group in _READ}
        """By group, which of the topics it reads."""
        self._readers: Mapping[str, Sequence[str]] = READERS
        """Of each kind of topic the groups that count, as of the last look."""
        self.idle = False
        self._windows: defaultdict[tuple[str, str], LagWindow] = defaultdict(LagWindow)
        self._rates: dict[str, RateMeter] = {}
        self._ends: dict[str, int] | None = None
        self._lagging = False
        self._seen: tuple[_Committed, _Offsets, Mapping[str, Sequence[str]]] | None = None
        self._same = self._unobserved = 0
        """Looks in a row that saw the same, and those of them that no window has been told of."""
        self._judged: dict[tuple[str, str], tuple[GroupStatus, float]] = {}
        self._partitions: Counter[str] = Counter()
        self._retention: dict[str, Retention] = {}
        self._asked_at = -math.inf
        self._members: dict[str, list[MemberView]] = {}
        self.topics_total = 0
        self.topics: list[TopicView] = []
        self.dead_letter_at: float | None = None
        self.documents: dict[str, int] = {}

    async def run(self, context: Context) -> None:
        subscription = Subscription(self._bus, self._watchlist, {*PER_TICKER, *GENERAL})
        context.ready()
        looks = 0
        while not context.stopping.is_set():
            await context.checkpoint()
            exhausted = self._exhausted()  # asked first: what is published after a look would not be in it
            with context.effect():
                try:
                    await self.look(await subscription.refresh())
                except BusError:
                    self.idle = False
                    raise
                self.idle = exhausted and not self._lagging
                if looks % MEMBERS_EVERY == 0:
                    await self._look_at_members()
                looks += 1
                self.documents = await self._store.counts()
            await first_of(context.stopping.wait(), self._clock.sleep(PERIOD))

    async def look(self, topics: set[str]) -> None:
        """Look once at these topics.

        Raises:
            BusError: if the bus is out of reach.
        """
        # Each about what it reads: to ask about all topics would be two and a half times as much.
        if topics != self._topics:
            self._topics = frozenset(topics)
            self._read = {group: _of(kinds, topics) for group, kinds in _READ.items()}
        found = await asyncio.gather(*(self._bus.committed(group, read) for group, read in self._read.items()))
        committed = dict(zip(self._read, found, strict=True))
        offsets = await self._bus.offsets(topics)
        starting = self._starting()
        self._readers = self._read_by()
        if self._is_at_rest(committed, offsets, starting=starting):
            self._unobserved += 1
            await self._ask_retention({where.topic for where in offsets}, anew=False)
            return
        self._catch_up()
        ends: defaultdict[str, int] = defaultdict(int)
        positions: defaultdict[tuple[str, str], int] = defaultdict(int)
        lags: defaultdict[tuple[str, str], int] = defaultdict(int)
        for where, (begin, end) in offsets.items():
            ends[where.topic] += end
            for group in self._readers[split_topic(where.topic)[0]]:
                done = committed[group].get(where)
                positions[where.topic, group] += position_of(done, begin)
                lags[where.topic, group] += lag_of(done, begin, end)
        self._lagging = any(lags.values())
        for key, lag in lags.items():
            self._judge(key, positions[key], lag, starting=starting)
        before = ends if self._ends is None else self._ends
        for topic, end in ends.items():
            if topic not in self._rates:
                self._rates[topic] = RateMeter(self._clock.monotonic)
            self._rates[topic].add(max(0, end - before.get(topic, end)))
        if ends.get(DEAD_LETTER, 0) > before.get(DEAD_LETTER, 0):
            self.dead_letter_at = self._clock.now().timestamp()
        await self._ask_retention(set(ends), anew=ends.keys() != before.keys())
        self._ends = dict(ends)
        self._partitions = Counter(where.topic for where in offsets)
        self.topics_total = len(ends)
        worst: defaultdict[str, int] = defaultdict(int)
        for (topic, _), lag in lags.items():
            worst[topic] = max(worst[topic], lag)
        shown = sorted(ends, key=lambda topic: (-worst[topic], topic))[:MAX_TOPICS]
        self.topics = [self._view(topic, ends[topic]) for topic in sorted(shown)]

    def _is_at_rest(self, committed: _Committed, offsets: _Offsets, *, starting: bool) -> bool:
        """Whether nothing is left to do, and nothing has moved for so long that all rates are zero: then what is said
        of each topic stays as it is. With a thousand tickers, to find that out again for each takes longer than all
        else that is done every second."""
        seen = committed, offsets, self._readers
        self._same = self._same + 1 if seen == self._seen else 0
        self._seen = seen
        return self._same > AT_REST and not self._lagging and not starting

    def _read_by(self) -> Mapping[str, Sequence[str]]:
        idle = {group for group in self._off if not self._members.get(group)}
        return {kind: [group for group in groups if group not in idle] for kind, groups in READERS.items()}

    def _catch_up(self) -> None:
        """Tell the windows what was the same in the looks in which they were left out."""
        if self._unobserved:
            for window in self._windows.values():
                window.repeat(self._unobserved)
            self._unobserved = 0

    def details(self) -> list[TopicView]:
        """Every topic, by name, with all that is too much for a snapshot."""
        self._catch_up()
        return [self._detail(self._view(topic, end)) for topic, end in sorted((self._ends or {}).items())]

    def _detail(self, view: TopicView) -> TopicView:
        topic = view.topic
        groups = [replace(group, lags=self._windows[topic, group.group].lags) for group in view.groups]
        return replace(view, partitions=self._partitions[topic], retention=self._retention.get(topic), groups=groups)

    async def _ask_retention(self, topics: set[str], *, anew: bool) -> None:
        now = self._clock.monotonic()
        if anew or now - self._asked_at >= RETENTION_PERIOD:
            self._asked_at = now
            self._retention = await self._bus.retention(topics)

    def _judge(self, key: tuple[str, str], position: int, lag: int, *, starting: bool) -> None:
        window = self._windows[key]
        window.observe(position, lag, starting=starting)
        status = window.status()
        if key not in self._judged or self._judged[key][0] != status:
            self._judged[key] = status, self._clock.now().timestamp()

    @property
    def groups(self) -> list[GroupView]:
        """Those that have members."""
        return [GroupView(group=group, members=found) for group in GROUPS if (found := self._members.get(group))]

    async def _look_at_members(self) -> None:
        for group in GROUPS:
            members = await self._bus.members(group)
            if members is not None:  # else as it was, until they have settled it
                views = [_member_view(member, here=member.client == self._bus.client) for member in members]
                self._members[group] = sorted(views, key=lambda view: (not view.here, view.host, view.client))

    def _view(self, topic: str, end: int) -> TopicView:
        return TopicView(
            topic=topic,
            records=end,
            rate=self._rates[topic].per_second(),
            groups=[self._group(topic, group) for group in self._readers[split_topic(topic)[0]]],
        )

    def _group(self, topic: str, group: str) -> GroupLag:
        status, since = self._judged[topic, group]
        lag = self._windows[topic, group].lag
        return GroupLag(group=group, lag=lag, status=status, since=None if status == "OK" else since)


def _of(kinds: Collection[str], topics: Collection[str]) -> set[str]:
    return {topic for topic in topics if split_topic(topic)[0] in kinds}


def is_foreign(member: Member) -> bool:
    """Whether it is another application, by its name or by what it works on."""
    return not (is_pipeline(member.client) and all(is_ours(where.topic) for where in member.partitions))


def _member_view(member: Member, *, here: bool) -> MemberView:
    tickers, general = set(), set()
    for topic in ours(where.topic for where in member.partitions):
        _, ticker = split_topic(topic)
        if ticker is None:
            general.add(topic)
        else:
            tickers.add(ticker)
    return MemberView(
        client=member.client,
        host=member.host,
        here=here,
        foreign=not here and is_foreign(member),
        tickers=sorted(tickers),
        general=sorted(general),
        partitions=len(member.partitions),
    )
