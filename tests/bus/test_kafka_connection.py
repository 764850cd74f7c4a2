"""Stopping a consumer of aiokafka, which can end half-way."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from pipeline.bus.kafka.connection import KafkaConnection


class Consumer:
    """Its `stop` fails before it closes the client."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        pending = [asyncio.create_task(asyncio.sleep(3600))]
        self._fetcher = SimpleNamespace(_pending_tasks=pending, _records={"bars": "megabytes"})
        self._client = self
        self.is_closed = False

    async def stop(self) -> None:
        raise self._error

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("error", [KafkaError("Unexpected error during data retrieval"), asyncio.CancelledError()])
async def test_what_ends_half_way_is_ended(error: BaseException) -> None:
    consumer: Any = Consumer(error)
    await KafkaConnection(consumer, None).stop()
    assert consumer.is_closed
    assert not consumer._fetcher._records
    await asyncio.wait(consumer._fetcher._pending_tasks)


async def test_an_error_of_another_kind_is_not_hidden() -> None:
    consumer: Any = Consumer(ValueError("a fault of ours"))
    with pytest.raises(ValueError, match="a fault of ours"):
        await KafkaConnection(consumer, None).stop()
    consumer._fetcher._pending_tasks[0].cancel()
