"""Topics with their offsets and the lag of the consumer groups on them; what `fintrends-tui topics` prints."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec import Struct

from pipeline.bus.base import Bus, BusError
from pipeline.bus.lag import lag_of
from pipeline.bus.named import names_view
from pipeline.clock import Clock, SystemClock
from pipeline.config.settings import Loaded
from pipeline.contract.retention import Retention
from pipeline.contract.snapshot import STUCK, GroupStatus, NamesView
from pipeline.engines import check_engines, choose_bus, open_bus_to_read, space_to_read
from pipeline.model.topics import GENERAL, READERS, ours, split_topic, topics_of
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.supervision.lag import WINDOW, LagWindow

MIN_WATCH_SECONDS: Final = 5.0
"""Groups commit about once a second at most; in less time one that works could pass for one that does not."""

_HEADER: Final = ("topic", "partition", "begin", "end", "records", "retention", "lag")


class GroupReport(Struct, kw_only=True, frozen=True):
    """A consumer group on a partition: the next offset it will read (None before its first commit) and how many
    records are ahead of it. `status` is None unless it was watched."""

    group: str
    committed: int | None
    lag: int
    status: GroupStatus | None = None


class PartitionReport(Struct, kw_only=True, frozen=True):
    """A partition: the offset of its oldest record, the one to be written next, and how many records are retained.

    `retention` is its topic's; None if it was not asked for, or the bus does not report it.
    """

    topic: str
    ticker: str | None
    partition: int
    begin: int
    end: int
    records: int
    groups: list[GroupReport]
    retention: Retention | None = None


class Report(Struct, kw_only=True, frozen=True):
    """The topics asked for: by which bus and namespace, those that were made for it, those that do not exist, all the
    others. On the bus `names` are added to those of topics and groups."""

    bus: str
    namespace: str = ""
    names: NamesView = NamesView()
    created: list[str]
    missing: list[str]
    partitions: list[PartitionReport]

    @property
    def has_stalled(self) -> bool:
        """Whether a group was watched and did nothing about its lag."""
        return any(group.status in STUCK for partition in self.partitions for group in partition.groups)


def topics_for(tickers: Iterable[str]) -> list[str]:
    """What a pipeline that watches these tickers reads and writes."""
    return [*(topic for ticker in tickers for topic in topics_of(ticker)), *GENERAL]


def watched_tickers(loaded: Loaded) -> list[str]:
    """Those of the configuration, else those of the last run."""
    return loaded.settings.pipeline.tickers or DataDir(loaded.data_dir).remembered_tickers()


async def look(bus: Bus, topics: Collection[str]) -> list[PartitionReport]:
    """Every partition of those of our topics that exist, by name and number.

    Raises:
        BusError: if the bus is out of reach.
    """
    by_group: defaultdict[str, list[str]] = defaultdict(list)
    for topic in topics:
        for group in READERS[split_topic(topic)[0]]:
            by_group[group].append(topic)
    # Commits before ends, so that no group seems to be further than the end.
    committed = {group: await bus.committed(group, read) for group, read in by_group.items()}
    reports = []
    for where, (begin, end) in sorted((await bus.offsets(topics)).items()):
        kind, ticker = split_topic(where.topic)
        groups = []
        for group in READERS[kind]:
            position = committed[group].get(where)
            groups.append(GroupReport(group=group, committed=position, lag=lag_of(position, begin, end)))
        reports.append(
            PartitionReport(
                topic=where.topic,
                ticker=ticker,
                partition=where.partition,
                begin=begin,
                end=end,
                records=end - begin,
                groups=groups,
            )
        )
    return reports


async def watch(bus: Bus, topics: Collection[str], seconds: float, clock: Clock) -> list[PartitionReport]:
    """As `look`, with the status of each group as judged by that many seconds of observation.

    Raises:
        BusError: if the bus is out of reach.
    """
    windows: defaultdict[tuple[str, int, str], LagWindow] = defaultdict(LagWindow)
    reports: list[PartitionReport] = []
    for observation in range(WINDOW):
        if observation:
            await clock.sleep(seconds / (WINDOW - 1))
        reports = await look(bus, topics)
        for report in reports:
            for group in report.groups:
                windows[report.topic, report.partition, group.group].observe(group.committed or 0, group.lag)

    def judged(report: PartitionReport) -> PartitionReport:
        key = report.topic, report.partition
        groups = [msgspec.structs.replace(g, status=windows[*key, g.group].status()) for g in report.groups]
        return msgspec.structs.replace(report, groups=groups)

    return [judged(report) for report in reports]


async def create(loaded: Loaded, topics: Collection[str]) -> list[str]:
    """Make those that do not exist, and return them.

    Raises:
        BusError: if the bus is out of reach, or refuses some; the others are made.
        DataDirError: if the bus is embedded and a pipeline runs on it.
    """
    async with _open_to_write(loaded) as bus:
        missing = sorted(set(topics) - await bus.topics())
        if refused := await bus.create_topics(missing):
            raise BusError("; ".join(f"{topic} cannot be created: {reason}" for topic, reason in refused.items()))
    return missing


async def report(
    loaded: Loaded,
    tickers: Sequence[str],
    *,
    make: bool = False,
    seconds: float | None = None,
    clock: Clock | None = None,
) -> Report:
    """The topics of the tickers, or all of ours; with the status of each group if they are to be watched for some
    `seconds`. First `make` the missing ones, of the watched tickers if none are named.

    Raises:
        BusError: if the bus is out of reach.
        DataDirError: if topics cannot be made while a pipeline runs.
    """
    created = await create(loaded, topics_for(tickers or watched_tickers(loaded))) if make else []
    async with open_bus_to_read(loaded) as bus:
        found = ours(await bus.topics())
        wanted = {topic for ticker in tickers for topic in topics_of(ticker)} or found
        shown = wanted & found
        if seconds is None:
            partitions = await look(bus, shown)
        else:
            partitions = await watch(bus, shown, seconds, clock or SystemClock())
        retention = await bus.retention(shown)
        return Report(
            bus=bus.description,
            namespace=space_to_read(loaded).namespace,
            names=names_view(bus),
            created=created,
            missing=sorted(wanted - found),
            partitions=[msgspec.structs.replace(p, retention=retention.get(p.topic)) for p in partitions],
        )


def as_table(report: Report) -> str:
    """For people, a line each partition; topics and, below, groups as they are called on the bus."""
    prefix = report.names.topic_prefix
    lines = [f"created: {', '.join(prefix + topic for topic in report.created)}"] if report.created else []
    if report.partitions:
        lines += _table(report.partitions, prefix)
    elif not report.missing:
        lines.append("there are no topics yet; a pipeline creates them when it runs, or use --create")
    if report.missing:
        lines.append(f"missing: {', '.join(prefix + topic for topic in report.missing)}; --create creates them")
    if report.names != NamesView():
        lines.append(f"groups are called {prefix}GROUP{report.names.group_suffix} on {report.bus}")
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def _open_to_write(loaded: Loaded) -> AsyncIterator[Bus]:
    """The bus; the embedded one only as the owner of its data directory."""
    from pipeline.upgrade.migration import migrate  # which only this needs

    check_engines(loaded.settings)
    data_dir = space_to_read(loaded)
    embedded = not loaded.settings.kafka.bootstrap_servers
    if embedded:
        data_dir.create()
        try:
            data_dir.lock()
        except DataDirError as error:
            raise DataDirError(f"topics cannot be made on the embedded bus now: {error}") from error
    try:
        if embedded:
            await migrate(data_dir)
        bus = choose_bus(loaded.settings, data_dir, read_only=not embedded)
        await bus.open()
        try:
            yield bus
        finally:
            await bus.close()
    finally:
        data_dir.unlock()


def _table(reports: Iterable[PartitionReport], prefix: str) -> Iterator[str]:
    rows = [_HEADER, *(_row(report, prefix) for report in reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    for topic, *numbers, lag in rows:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True))
        yield "  ".join((topic.ljust(widths[0]), *cells, lag))


def _row(report: PartitionReport, prefix: str) -> tuple[str, ...]:
    numbers = (report.partition, report.begin, report.end, report.records, report.retention or "?")
    lags = (" ".join(filter(None, (group.group, str(group.lag), group.status))) for group in report.groups)
    return (prefix + report.topic, *map(str, numbers), "  ".join(lags))
