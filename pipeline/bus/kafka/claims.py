"""Claims on Kafka: the partitions that a group of consumers which never fetch anything assigns to its members."""

import asyncio
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Protocol

from pipeline.bus.base import BusError, Received, TopicPartition
from pipeline.bus.kafka.consumer import SILENCE_SECONDS

SLICE_SECONDS: Final = 0.2
"""How often it looks whether a rebalance has changed what it holds."""


class ClaimsConnection(Protocol):
    """A connected client whose partitions are paused."""

    @property
    def assigned(self) -> frozenset[TopicPartition] | None: ...

    def subscribe(self, topics: Collection[str]) -> None: ...

    async def fetch(self, max_records: int, seconds: float) -> list[Received]: ...

    async def stop(self) -> None: ...


class ClaimsCluster(Protocol):
    """What claims ask of their bus. Everything raises `BusError`."""

    def bounded(self, doing: str) -> AbstractAsyncContextManager[None]: ...

    async def explained(self, error: BusError, group: str | None) -> BusError: ...

    async def connect_paused(self, group: str) -> ClaimsConnection: ...

    async def create_topics(self, topics: Collection[str]) -> dict[str, str]: ...

    async def topics(self) -> set[str]: ...


class KafkaClaims:
    """Implements the port `Claims`.

    The client sends heartbeats by itself, but only while it is asked for records: asking is also how it reports what
    went wrong. After an error the connection is closed, and the next `poll` opens a new one.
    """

    def __init__(self, cluster: ClaimsCluster, group: str) -> None:
        self._cluster = cluster
        self._group = group
        self._wanted: frozenset[str] = frozenset()
        self._subscribed: frozenset[str] = frozenset()
        self._told: frozenset[str] | None = None
        self._connection: ClaimsConnection | None = None
        self._heard = 0.0
        self._closed = False

    async def claim(self, topics: Collection[str]) -> None:
        self._wanted = frozenset(topics)

    async def poll(self, timeout: float) -> frozenset[str] | None:  # noqa: ASYNC109 - as in the port
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            while True:
                held = await self._held()
                if held is not None and held != self._told:
                    self._told = held
                    return held
                if loop.time() >= deadline:
                    return held
                await self._wait(min(deadline, loop.time() + SLICE_SECONDS))
        except BusError as error:
            self._told = None
            await self._leave()
            raise await self._cluster.explained(error, self._group) from error.__cause__

    async def close(self) -> None:
        self._closed = True
        await self._leave()

    async def _held(self) -> frozenset[str] | None:
        """What it holds of what is wanted now; None while that is not settled."""
        if self._closed:
            raise BusError("the claims are closed")
        if not self._wanted:
            await self._leave()
            return frozenset()
        if self._connection is None:
            self._connection = await self._cluster.connect_paused(self._group)
            self._heard = asyncio.get_running_loop().time()
        # Created again if one was deleted. A topic that may not be used cannot be held by any member.
        wanted = self._wanted - (await self._cluster.create_topics(self._wanted)).keys()
        if not wanted:
            return frozenset()
        if self._subscribed != wanted:
            self._connection.subscribe(wanted)
            self._subscribed = wanted
        assigned = self._connection.assigned
        return None if assigned is None else frozenset(partition.topic for partition in assigned)

    async def _wait(self, until: float) -> None:
        """Let the client work for a while, and ask now and then whether the cluster is there."""
        now = asyncio.get_running_loop().time()
        if self._connection is None:
            await asyncio.sleep(until - now)
            return
        if now - self._heard > SILENCE_SECONDS:
            await self._cluster.topics()
            self._heard = asyncio.get_running_loop().time()
        async with self._cluster.bounded("claim topics on"):
            # Also through a rebalance, which the client sits out however long it takes.
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._connection.fetch(1, max(0.0, until - asyncio.get_running_loop().time()))

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        self._subscribed = frozenset()
        if connection is not None:
            await connection.stop()
