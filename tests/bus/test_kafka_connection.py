"""Stopping a consumer of aiokafka, which can end half-way, and a start that is given up."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionResponse_v0

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


async def test_a_start_that_is_given_up_leaves_no_connection_and_no_complaint() -> None:
    """While the broker is slow to say which brokers there are: it has told its versions, and no more."""
    asked, hung_up = asyncio.Event(), asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        size = int.from_bytes(await reader.readexactly(4))
        correlation = (await reader.readexactly(size))[4:8]
        answer = correlation + ApiVersionResponse_v0(error_code=0, api_versions=[(3, 0, 9)]).encode()
        writer.write(len(answer).to_bytes(4) + answer)
        await reader.readexactly(4)
        asked.set()
        await reader.read()
        hung_up.set()

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(10):
            client = AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            starting = asyncio.create_task(client.bootstrap())
            await asked.wait()
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            del starting
            await hung_up.wait()
    finally:
        for writer in writers:
            writer.close()
        server.close()
    assert not complaints
