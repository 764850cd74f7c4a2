"""The port that every bus fills. Stages see nothing else of it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from pipeline.retention import Retention


class BusError(Exception):
    """The bus cannot do what was asked; the message says what to do. A stage that sees it backs off and retries."""


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is published. `ts` is the event time in milliseconds since the epoch."""

    topic: str
    key: str
    value: bytes
    ts: int
    headers: Mapping[str, bytes] = {}


class Received(Record, frozen=True, gc=False):
    """What is consumed: the record and where it stands."""

    partition: int = 0
    offset: int = 0

    @property
    def source(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


class AssignmentListener(Protocol):
    """Hears which partitions a consumer works on. Both calls finish before the next `poll` returns records."""

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        """New partitions, each with the offset consumption will start from."""

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions that are another's now, or nobody's."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a consumer group, and what it works on. `client` tells host and process, `host` where it is."""

    client: str
    host: str
    partitions: frozenset[TopicPartition]


class Consumer(Protocol):
    """Reads the topics it is subscribed to, in offset order within each partition."""

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        """The partitions it works on, as last told to its listener; None while its group has yet to settle that."""

    @property
    def skipped(self) -> int:
        """Records that were deleted, by retention or by hand, before its group could read them."""

    async def subscribe(self, topics: Collection[str]) -> None:
        """Read these topics and no others from now on. Topics that do not exist yet are read once they do."""

    async def poll(self, max_records: int, timeout: float) -> list[Received]:  # noqa: ASYNC109
        """The next records, as soon as there are any; none after `timeout` seconds.

        Raises:
            BusError: if the bus is out of reach.
        """

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Store for the group the next offset to be read in each partition; durable on return.

        Raises:
            BusError: if it was not stored; the records will be read again.
        """

    async def close(self) -> None:
        """Leave the group without committing anything."""


class Claims(Protocol):
    """A membership in a group that shares topics out among its members, to work on each from one place only.

    Each topic that members claim is held by one live member at a time. Those that several claim are spread over them,
    and move as little as that allows. A member that leaves, claims a topic no longer, or is not heard of for the
    session timeout hands on what it held. Who is told that it lost a topic may learn so moments after the next holder.
    """

    async def claim(self, topics: Collection[str]) -> None:
        """Claim these topics and no others from now on."""

    async def poll(self, timeout: float) -> frozenset[str] | None:  # noqa: ASYNC109
        """Which of the claimed topics this member holds: at once if that has changed, else after `timeout` seconds.

        None if by then the group has yet to settle it. A member that is not polled for minutes is taken for dead.

        Raises:
            BusError: if the bus is out of reach; nothing is held any longer.
        """

    async def close(self) -> None:
        """Leave the group."""


class Bus(Protocol):
    """Topics of records. Keys map to partitions; the records of a key keep their order."""

    @property
    def description(self) -> str:
        """What it is and where, without secrets, such as "embedded" or "kafka localhost:9092"."""

    @property
    def client(self) -> str:
        """What this process is called among the members of groups."""

    async def open(self) -> None:
        """Connect.

        Raises:
            BusError: if it is out of reach.
        """

    async def close(self) -> None: ...

    async def create_topics(self, topics: Collection[str]) -> None:
        """Create those that do not exist."""

    async def topics(self) -> set[str]:
        """All topics that exist."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Append the records; durable on return. Creates missing topics.

        Raises:
            BusError: if not all are acknowledged; some may be.
        """

    def consumer(
        self, group: str | None, topics: Collection[str], listener: AssignmentListener | None = None
    ) -> Consumer:
        """A consumer of the topics.

        In a group it starts each partition at the committed offset, or at the beginning where there is none.
        Without one (`None`) it commits nothing and starts at the end of what exists when it is assigned.
        """

    def claims(self, group: str) -> Claims:
        """A membership in a group of claimants. Such a group reads and commits nothing."""

    async def members(self, group: str) -> list[Member] | None:
        """The live members of a group, of whatever process; None while they settle who works on what."""

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        """The group's next offsets; partitions without a commit are left out."""

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        """Beginning and end (the next offset to be written) of each partition of the topics that exist."""

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        """How long each of the topics keeps its records. Those that do not exist, and those whose configuration the
        bus does not show us, are left out."""

    def read(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        """The retained records with start ≤ offset < stop, in batches, outside of any group."""
