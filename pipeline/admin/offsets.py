"""Resetting the offsets of consumer groups."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from pipeline.admin.errors import AdminError
from pipeline.bus.base import Bus, TopicPartition
from pipeline.bus.lag import position_of
from pipeline.contract.plans import BEGINNING, END, OffsetChange, OffsetsPlan, Replay, ResetOffsets
from pipeline.model.tickers import parse_ticker
from pipeline.model.times import InvalidTimeError, parse_time
from pipeline.model.topics import DEAD_LETTER, PRODUCER_GROUP, READERS, is_ours, ours, split_topic, topics_of

_GROUPS: Final = tuple(dict.fromkeys(group for groups in READERS.values() for group in groups))
_SETTLING_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.2


async def plan_reset(bus: Bus, operation: ResetOffsets, now: datetime) -> OffsetsPlan:
    """Where the group stands, and where it would.

    Raises:
        AdminError: if there is no such group, topic or time.
        BusError
    """
    _check_group(operation.group)
    existing = ours(await bus.topics())
    readable = {topic for topic in existing if operation.group in READERS[split_topic(topic)[0]]}
    for topic in operation.topics:
        if topic not in existing:
            raise AdminError(f"there is no topic {topic!r}; `fintrends-tui topics` lists them")
        if topic not in readable:
            raise AdminError(f"{operation.group} does not read {topic}; it has no offsets there")
    # Letters whose records were published again are in the topic still, and would be back in the store.
    topics = set(operation.topics) or readable - {DEAD_LETTER}
    offsets = await bus.offsets(topics)
    targets = await _targets(bus, offsets, topics, operation.to, now)
    committed = await bus.committed(operation.group, topics)
    changes = changes_of(operation.group, committed, offsets, targets)
    return OffsetsPlan(changes, await others_on(bus, [operation.group]))


async def plan_replay(bus: Bus, operation: Replay, now: datetime) -> OffsetsPlan:
    """As `plan_reset`, for all groups that read the topics; where one has yet to read what is older, it goes on there.

    Raises:
        AdminError: if there is no such topic or time, or nothing of the ticker.
        BusError
    """
    existing = ours(await bus.topics())
    topics: set[str] = set()
    for name in operation.names:
        found = {name} if is_ours(name) else {*topics_of(parse_ticker(name))}
        if not found & existing:
            raise AdminError(f"there is no topic of {name}; `fintrends-tui topics` lists them")
        topics |= found & existing
    if operation.since == END:
        raise AdminError("a replay has a time to begin at, or the beginning; `fintrends-tui offsets` skips to the end")
    offsets = await bus.offsets(topics)
    targets = await _targets(bus, offsets, topics, operation.since, now)
    changes: list[OffsetChange] = []
    for group in _GROUPS:
        read = {where for where in offsets if group in READERS[split_topic(where.topic)[0]]}
        committed = await bus.committed(group, {where.topic for where in read})
        earlier = {
            where: min(targets[where], position_of(committed.get(where), offsets[where][0]))
            for where in targets.keys() & read
        }
        changes += changes_of(group, committed, offsets, earlier)
    plan = OffsetsPlan(changes)
    return OffsetsPlan(changes, await others_on(bus, plan.groups))


def changes_of(
    group: str,
    committed: Mapping[TopicPartition, int],
    offsets: Mapping[TopicPartition, tuple[int, int]],
    targets: Mapping[TopicPartition, int],
) -> list[OffsetChange]:
    """Those partitions where the group would read on elsewhere than now, by name and number; targets are brought within
    what is retained."""
    changes = []
    for where in sorted(targets.keys() & offsets.keys()):
        begin, end = offsets[where]
        after = min(max(targets[where], begin), end)
        before = committed.get(where)
        if after != position_of(before, begin):
            changes.append(OffsetChange(group, where.topic, where.partition, before, after, begin))
    return changes


async def reset(bus: Bus, plan: OffsetsPlan) -> str:
    """Reset the offsets as planned; a sentence for the user. The groups have no members here.

    Raises:
        AdminError: if others are members.
        BusError
    """
    if why := await others_on(bus, plan.groups):
        raise AdminError(f"no offset was reset: {why}")
    for group in plan.groups:
        positions = {TopicPartition(c.topic, c.partition): c.after for c in plan.changes if c.group == group}
        await bus.reset(group, positions)
    again, skipped = (sum(getattr(c, name) for c in plan.changes) for name in ("again", "skipped"))
    return f"reset {', '.join(plan.groups)}: {again:,} records are processed again, {skipped:,} skipped"


async def others_on(bus: Bus, groups: Collection[str]) -> str:
    """Who else works on the groups; empty if nobody does."""
    found = []
    for group in groups:
        deadline = asyncio.get_running_loop().time() + _SETTLING_SECONDS
        while (members := await bus.members(group)) is None and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - of a broker
            await asyncio.sleep(_LOOK_SECONDS)
        if members is None:
            found.append(f"the members of {group} have yet to settle who works on what; try again in a moment")
        elif others := sorted({f"{m.client} at {m.host}" for m in members if m.client != bus.client}):
            found.append(f"{group} is worked on by {', '.join(others)}; stop that first")
    return "; ".join(found)


def _check_group(group: str) -> None:
    if group == PRODUCER_GROUP:
        raise AdminError(f"{PRODUCER_GROUP} reads nothing, so it has no offsets; the groups are {', '.join(_GROUPS)}")
    if group not in _GROUPS:
        raise AdminError(f"there is no group {group!r}; the groups are {', '.join(_GROUPS)}")


async def _targets(
    bus: Bus, offsets: Mapping[TopicPartition, tuple[int, int]], topics: Collection[str], to: str, now: datetime
) -> dict[TopicPartition, int]:
    """Where to in each partition.

    Raises:
        AdminError: if that is no time.
    """
    if to == BEGINNING:
        return {where: begin for where, (begin, _) in offsets.items()}
    if to == END:
        return {where: end for where, (_, end) in offsets.items()}
    try:
        ts = parse_time(to, now)
    except InvalidTimeError as error:
        raise AdminError(f"{error}; or {BEGINNING}, {END}") from error
    return await bus.offsets_at(topics, int(ts.timestamp() * 1000))
