"""A local HTTP server that answers as a test tells it to, badly if need be."""

import asyncio
import gzip
import json
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What the client sent; names of headers are in lower case."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def answer(
    body: bytes | str | Mapping[str, Any] = b"", status: int = 200, headers: Mapping[str, str] | None = None
) -> Behaviour:
    """Text, or a mapping as JSON."""
    match body:
        case bytes():
            data = body
        case str():
            data = body.encode()
        case _:
            data = json.dumps(body).encode()
    return _write(_head(status, {"Content-Length": str(len(data))} | dict(headers or {})) + data)


def gzipped(body: bytes) -> Behaviour:
    return answer(gzip.compress(body), headers={"Content-Encoding": "gzip"})


def truncated(body: bytes) -> Behaviour:
    """Ends before the length it announced."""
    return _write(_head(200, {"Content-Length": str(len(body) + 1)}) + body)


def held(release: asyncio.Event, then: Behaviour) -> Behaviour:
    """Answers once the test says so."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await then(request, writer)

    return behave


async def hang(_: Request, writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def trickle(_: Request, writer: asyncio.StreamWriter) -> None:
    """Never silent for long, and never done."""
    writer.write(_head(200, {"Content-Length": "1000000"}))
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def reset(_: Request, writer: asyncio.StreamWriter) -> None:
    """Breaks the connection off with a RST."""
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass(frozen=True, slots=True)
class _Route:
    path: str | None
    params: Mapping[str, str]
    behaviours: deque[Behaviour]

    def fits(self, request: Request) -> bool:
        return self.path in (None, request.path) and self.params.items() <= request.params.items()


class HttpServer:
    """Keeps every request in `requests`. What no route fits is answered 404, which no test should see."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self._routes: list[_Route] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def on(self, *behaviours: Behaviour, path: str | None = None, **params: str) -> None:
        """Behave so, in turn and the last one from then on, to requests of that path with at least these parameters.

        Of the routes that fit a request the one added last is taken.
        """
        self._routes.insert(0, _Route(path, params, deque(behaviours)))

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            request = await _read(reader)
            self.requests.append(request)
            route = next((route for route in self._routes if route.fits(request)), None)
            if route is None:
                await answer("nothing is scripted for this", 404)(request, writer)
            else:
                behave = route.behaviours[0] if len(route.behaviours) == 1 else route.behaviours.popleft()
                await behave(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as it may
        finally:
            writer.close()
            self._tasks.discard(task)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def serve(port: int = 0) -> AsyncIterator[HttpServer]:
    """A server on this machine, on a free port by default; its `url` has no slash at the end."""
    scripted = HttpServer()
    server = await asyncio.start_server(scripted.handle, "127.0.0.1", port)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()
        await scripted.stop()
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    url = urlsplit(target)
    return Request(method, url.path, dict(parse_qsl(url.query)), headers, body)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _write(data: bytes) -> Behaviour:
    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return behave
