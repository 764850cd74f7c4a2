"""The port that every store fills. Stages see nothing else of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pipeline.documents import Document


class StoreError(Exception):
    """The store cannot do what was asked; the message says what to do. A stage that sees it backs off and retries."""


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

    async def find(self, query: Query) -> list[dict[str, Any]]:
        """The documents as flat dicts: `_id`, `ticker`, `interval`, `ts` (aware datetime, UTC) and the body's fields.

        Ordered by `ts`, then `_id`. Fields without a value (`ticker` of an economic point) are left out.
        """

    async def counts(self) -> dict[str, int]:
        """Documents in each of the collections."""
