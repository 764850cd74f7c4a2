"""A TCP proxy between the pipeline and an engine, which cuts, slows down or silently holds what passes."""

import asyncio
import socket
import struct
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any, Final

_PIECE: Final = 8192
"""Bytes that are passed on at once."""
_RESET: Final = struct.pack("ii", 1, 0)
"""Of `SO_LINGER`: closing sends RST, not FIN."""


class Proxy:
    """Passes connections to a loopback port on to another, in an event loop and a thread of its own."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._sockets: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._latency = 0.0
        self._bandwidth = float("inf")

    def cut(self, *, reset: bool) -> int:
        """Close all connections on both sides, by RST or by FIN; how many there were."""
        return self._call(self._cut(reset=reset))

    def hold(self) -> None:
        """Pass nothing on from now on. Connections stay open, and new ones are accepted."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def release(self) -> None:
        """Pass everything on again, what was held first."""
        self._loop.call_soon_threadsafe(self._passing.set)

    @contextmanager
    def slow(self, *, latency: float, bandwidth: float) -> Iterator[None]:
        """Meanwhile, delay every piece by `latency` seconds, and pass `bandwidth` bytes a second on in each direction
        of a connection."""
        self._latency, self._bandwidth = latency, bandwidth
        try:
            yield
        finally:
            self._latency, self._bandwidth = 0.0, float("inf")

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Listen meanwhile; closes everything at the end."""
        with closing(self._loop):
            server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
            thread = Thread(target=self._loop.run_forever)
            thread.start()
            try:
                yield self
            finally:
                self._call(self._close(server))
                self._loop.call_soon_threadsafe(self._loop.stop)
                thread.join()

    def _call[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        await self._cut(reset=True)

    async def _cut(self, *, reset: bool) -> int:
        connections = list(self._connections)
        for writer in self._sockets:
            if reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        return len(connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        ends = [writer]
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(there_writer)
            self._sockets.update(ends)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, there_writer))
                pumps.create_task(self._pump(there_reader, writer))
        except (asyncio.CancelledError, OSError, ExceptionGroup):
            pass  # cut by us, or ended by one of the two
        finally:
            self._connections.discard(connection)
            self._sockets.difference_update(ends)
            for end in ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            if self._latency:
                await asyncio.sleep(self._latency + len(piece) / self._bandwidth)
            await self._passing.wait()
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError  # one side has ended, and with it the connection
