"""The port that every bus implements. Stages use nothing else."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from pipeline.contract.retention import Retention
from pipeline.model.outage import OutsideError

if TYPE_CHECKING:
    from pipeline.model.messages import AnyMessage


class BusError(OutsideError):
    """The bus cannot do what was asked; the message says what to do. A stage that sees it backs off and retries.

    `permanent` if the bus is there and refuses.
    """

    waits_for = "bus"

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class TopicRefusedError(BusError):
    """The bus does not let us read a topic; other topics are not affected."""

    def __init__(self, topic: str, message: str) -> None:
        super().__init__(message)
        self.topic = topic


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Decoded(msgspec.Struct, eq=False, gc=False):
    """A place for the message that a record's value is, for all who have the record or a copy of it. It makes no
    difference between two records."""

    message: "AnyMessage | None" = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decoded)

    __hash__ = None  # type: ignore[assignment]


class _Decodable(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    decoded: Decoded = msgspec.field(default_factory=Decoded)


class Record(_Decodable, frozen=True, gc=False):
    """What is published. `ts` is the event time in milliseconds since the epoch."""

    topic: str
    key: str
    value: bytes
    ts: int
    headers: Mapping[str, bytes] = {}


class Received(Record, frozen=True, gc=False):
    """What is consumed: the record and its position."""

    partition: int = 0
    offset: int = 0

    @property
    def source(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


class Refusal(NamedTuple):
    """A record that its topic refuses, because of its content or its publisher, so that a second try would fail too."""

    record: Record
    reason: str


class AssignmentListener(Protocol):
    """Hears which partitions a consumer works on. Both calls finish before the next `poll` returns records."""

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        """New partitions, each with the offset consumption will start from."""

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions that now belong to another member or to none."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a consumer group, and what it works on. `client` names host and process, `host` is its address."""

    client: str
    host: str
    partitions: frozenset[TopicPartition]


class Consumer(Protocol):
    """Reads the topics it is subscribed to, in offset order within each partition.

    A topic that it may not read is left out, with a warning that names it, and tried again now and then.
    """

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        """The partitions it works on, as last reported to its listener; None until its group has settled that."""

    @property
    def skipped(self) -> int:
        """Records that were deleted, by retention or by hand, before its group could read them."""

    @property
    def reached(self) -> dict[TopicPartition, int]:
        """What there is to be committed: the position in every partition where it has moved since the last commit.

        That is past all that `poll` has returned, and past what is not a record, such as the marks of transactions.
        """

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
    and move as little as that allows. A member that leaves, claims a topic no longer, or is silent for the session
    timeout loses what it held. A member may learn that it lost a topic moments after the next holder has it.
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

    async def create_topics(self, topics: Collection[str]) -> dict[str, str]:
        """Create those that do not exist; return those that may not be created or used, each with the reason."""

    async def topics(self) -> set[str]:
        """All topics that exist."""

    async def delete_topics(self, topics: Collection[str]) -> dict[str, str]:
        """Delete them with their records, and what groups have committed on them; return those that may not be deleted,
        each with the reason. Whoever reads them or publishes to them meanwhile makes them anew, empty."""

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        """Append the records; durable on return, but for those that are refused. Creates missing topics.

        Raises:
            BusError: if not all others are acknowledged; some may be.
        """

    def consumer(
        self,
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None = None,
        *,
        whole_topics: bool = False,
    ) -> Consumer:
        """A consumer of the topics. With `whole_topics` all partitions of a topic are one member's.

        In a group it starts each partition at the committed offset, or at the beginning where there is none.
        Without one (`None`) it commits nothing and starts at the end of what exists when it is assigned.
        """

    def claims(self, group: str) -> Claims:
        """A membership in a group of processes that claim topics. Such a group reads and commits nothing."""

    async def members(self, group: str) -> list[Member] | None:
        """The live members of a group, of whatever process; None while they settle who works on what."""

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        """The group's next offsets; partitions without a commit are left out."""

    async def reset(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Store for a group without members the next offset to be read in each of these partitions; durable on return.

        Raises:
            BusError: if nothing was stored, because the group has members, or the bus is out of reach.
        """

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        """Beginning and end (the next offset to be written) of each partition of the topics that exist."""

    async def offsets_at(self, topics: Collection[str], ts: int) -> dict[TopicPartition, int]:
        """In each partition of the topics that exist, the offset of the first record with that timestamp (milliseconds
        since the epoch) or a later one; its end if there is none."""

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        """How long each of the topics keeps its records. Those that do not exist, and those whose configuration the
        bus does not show us, are left out."""

    def read(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        """The retained records with start ≤ offset < stop, in batches, outside of any group."""
