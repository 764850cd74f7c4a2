"""The monitor watches topics, and the groups that work on them."""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from pipeline.bus.base import Bus, BusError, Member
from pipeline.clock import Clock
from pipeline.lag import LagWindow
from pipeline.meters import Rate
from pipeline.retention import Retention
from pipeline.snapshot import MAX_TOPICS, GroupLag, GroupStatus, GroupView, MemberView, TopicView
from pipeline.stages.consume import Subscription
from pipeline.store.base import Store
from pipeline.supervisor import Context, first_of
from pipeline.topics import (
    DEAD_LETTER,
    GENERAL,
    INDICATOR_GROUP,
    PER_TICKER,
    PRODUCER_GROUP,
    READERS,
    SENTIMENT_GROUP,
    SINK_GROUP,
    split_topic,
)
from pipeline.watchlist import Watchlist

PERIOD: Final = 1.0
RETENTION_PERIOD: Final = 60.0
"""How often it asks how long topics keep their records; others may change that."""
MEMBERS_EVERY: Final = 3
"""Members change seldom: they are looked at every so many looks."""

_READING: Final = (INDICATOR_GROUP, SENTIMENT_GROUP, SINK_GROUP)
_GROUPS: Final = (PRODUCER_GROUP, *_READING)


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
    ) -> None:
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self._clock = clock
        self._exhausted = exhausted
        self.idle = False
        self._windows: defaultdict[tuple[str, str], LagWindow] = defaultdict(LagWindow)
        self._rates: dict[str, Rate] = {}
        self._ends: dict[str, int] | None = None
        self._lagging = False
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
        found = await asyncio.gather(*(self._bus.committed(group, topics) for group in _READING))
        committed = dict(zip(_READING, found, strict=True))
        ends: defaultdict[str, int] = defaultdict(int)
        positions: defaultdict[tuple[str, str], int] = defaultdict(int)
        lags: defaultdict[tuple[str, str], int] = defaultdict(int)
        offsets = await self._bus.offsets(topics)
        for where, (begin, end) in offsets.items():
            ends[where.topic] += end
            for group in READERS[split_topic(where.topic)[0]]:
                position = max(committed[group].get(where, 0), begin)
                positions[where.topic, group] += position
                lags[where.topic, group] += max(0, end - position)
        self._lagging = any(lags.values())
        for key, lag in lags.items():
            self._judge(key, positions[key], lag)
        before = ends if self._ends is None else self._ends
        for topic, end in ends.items():
            if topic not in self._rates:
                self._rates[topic] = Rate(self._clock.monotonic)
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

    def details(self) -> list[TopicView]:
        """Every topic, by name, with all that is too much for a snapshot."""
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

    def _judge(self, key: tuple[str, str], position: int, lag: int) -> None:
        window = self._windows[key]
        window.observe(position, lag)
        status = window.status()
        if key not in self._judged or self._judged[key][0] != status:
            self._judged[key] = status, self._clock.now().timestamp()

    @property
    def groups(self) -> list[GroupView]:
        """Those that have members."""
        return [GroupView(group=group, members=found) for group in _GROUPS if (found := self._members.get(group))]

    async def _look_at_members(self) -> None:
        for group in _GROUPS:
            members = await self._bus.members(group)
            if members is not None:  # else as it was, until they have settled it
                views = [_member_view(member, here=member.client == self._bus.client) for member in members]
                self._members[group] = sorted(views, key=lambda view: (not view.here, view.host, view.client))

    def _view(self, topic: str, end: int) -> TopicView:
        return TopicView(
            topic=topic,
            records=end,
            rate=self._rates[topic].per_second(),
            groups=[self._group(topic, group) for group in READERS[split_topic(topic)[0]]],
        )

    def _group(self, topic: str, group: str) -> GroupLag:
        status, since = self._judged[topic, group]
        lag = self._windows[topic, group].lag
        return GroupLag(group=group, lag=lag, status=status, since=None if status == "OK" else since)


def _member_view(member: Member, *, here: bool) -> MemberView:
    tickers, general = set(), set()
    for topic in {where.topic for where in member.partitions}:
        try:
            _, ticker = split_topic(topic)
        except ValueError:
            continue  # somebody else's, under a group name that happens to be ours
        if ticker is None:
            general.add(topic)
        else:
            tickers.add(ticker)
    return MemberView(
        client=member.client,
        host=member.host,
        here=here,
        tickers=sorted(tickers),
        general=sorted(general),
        partitions=len(member.partitions),
    )
