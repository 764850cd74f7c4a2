"""The port that every store implements. Stages use nothing else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from pipeline.model.bar_table import BarTable
from pipeline.model.documents import Document
from pipeline.model.outage import OutsideError

SCANNED_AT_ONCE: Final = 1000
"""Documents in a part of a `scan`."""


class StoreError(OutsideError):
    """The store cannot do what was asked; the message says what to do. A stage that sees it backs off and retries.

    `permanent` if the store is there and refuses.
    """

    waits_for = "store"

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """What became of a batch: documents new or changed, left alone because the store's version is as new or newer,
    and refused for what they are (with the reason), which no second try would change."""

    written: int = 0
    unchanged: int = 0
    rejected: list[tuple[Document, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Query:
    """Documents of one collection, oldest first. `last` keeps the newest N of what matches; None keeps all.

    `since` is inclusive, `until` exclusive, both aware.
    """

    collection: str
    ticker: str | None = None
    interval: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None


class Store(Protocol):
    """Collections of documents with natural keys."""

    @property
    def description(self) -> str:
        """What it is and where, without secrets, such as "embedded" or "mongodb localhost:27017"."""

    async def open(self) -> None:
        """Connect; create collections and indexes.

        Raises:
            StoreError: if it is out of reach.
        """

    async def close(self) -> None: ...

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        """Write those whose version is greater than the stored one; durable on return.

        Raises:
            StoreError: if it is out of reach or full; some may have been written, and the batch may be repeated.
        """

    async def delete(self, collection: str, keys: Sequence[str]) -> int:
        """Delete the documents with these `_id`s; how many there were.

        Raises:
            StoreError: if it is out of reach; some may have been deleted.
        """

    async def find(self, query: Query) -> list[dict[str, Any]]:
        """Flat dicts: `_id`, `ticker`, `interval`, `source`, `ts` (aware datetime, UTC) and the fields of the body.

        Ordered by `ts`, then `_id`. Fields without a value (`ticker` of an economic point) are left out.
        """

    def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
        """What `find` finds, in its order, in parts of at most `SCANNED_AT_ONCE`: no history is ever held whole.

        What is written meanwhile may be among them or not; with `last` there are never more than that.
        """

    def bars(self, query: Query, *, simulated: bool) -> AsyncIterator[BarTable]:
        """Of what `scan` finds the bars of that origin, in parts, several times quicker; those of a source in time
        order. What others put among them is passed over, with a warning. The query is of `stock_data`, a ticker and an
        interval, and has no `last`."""

    async def count(self, query: Query) -> int:
        """How many documents `find` would find. It may take a while where they are very many."""

    async def counts(self) -> dict[str, int]:
        """Documents in each of the collections."""
