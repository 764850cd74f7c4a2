"""Fixtures: a websocket server on this machine, and a consumer of a stream of messages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing

import pytest

from pipeline.model.messages import AnyMessage
from pipeline.model.watchlist import Watchlist
from pipeline.net.stream import MessageStream
from pipeline.net.stream_protocol import SymbolOf, identity
from pipeline.net.websocket import ConnectionLimits
from testkit.websocket_server import WebSocketServer, eventually, serve_websocket

CONNECTION = ConnectionLimits(connect=2.0, close=0.02)


class Consumer:
    """Takes every batch of a stream, in a task of its own."""

    def __init__(self, stream: MessageStream, watchlist: Watchlist, symbol_of: SymbolOf) -> None:
        self.batches: list[Sequence[AnyMessage]] = []
        self.times: list[float] = []
        """When each batch was handed out, by the stream's clock."""
        self._now = stream._clock.monotonic
        self.task = asyncio.ensure_future(self._take(stream, watchlist, symbol_of))

    @property
    def messages(self) -> list[AnyMessage]:
        return [message for batch in self.batches for message in batch]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds, or raise what the stream raised."""
        await eventually(lambda: condition() or self.task.done())
        if self.task.done():
            self.task.result()

    async def _take(self, stream: MessageStream, watchlist: Watchlist, symbol_of: SymbolOf) -> None:
        async with aclosing(stream.batches(watchlist, symbol_of)) as batches:
            async for batch in batches:
                self.times.append(self._now())
                self.batches.append(batch)


@pytest.fixture
async def websocket() -> AsyncIterator[WebSocketServer]:
    async with serve_websocket() as server:
        yield server


Consume = Callable[..., Consumer]


@pytest.fixture
async def consume(websocket: WebSocketServer) -> AsyncIterator[Consume]:
    """Begin to take what a stream gives; ended before the server is."""
    consumers: list[Consumer] = []

    def begin(stream: MessageStream, watchlist: Watchlist, symbol_of: SymbolOf = identity) -> Consumer:
        consumers.append(Consumer(stream, watchlist, symbol_of))
        return consumers[-1]

    yield begin
    for consumer in consumers:
        consumer.task.cancel()
    await asyncio.gather(*(consumer.task for consumer in consumers), return_exceptions=True)
