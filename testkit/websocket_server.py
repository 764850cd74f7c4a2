"""A local websocket server that does as a test tells it to, badly if need be."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

_log = logging.getLogger("testkit.websocket_server")
_log.setLevel(logging.CRITICAL)  # what goes wrong here does so on purpose


class Client:
    """A connection as the server sees it."""

    def __init__(self, connection: ServerConnection, server: "WebSocketServer") -> None:
        self.connection = connection
        self.received: list[str | bytes] = []
        self._server = server

    async def receive(self) -> str | bytes:
        frame = await self.connection.recv()
        self.received.append(frame)
        self._server.received.append(frame)
        return frame

    async def send(self, *frames: str | bytes | Mapping[str, Any]) -> None:
        """Text, bytes, or a mapping as JSON."""
        for frame in frames:
            await self.connection.send(json.dumps(frame) if isinstance(frame, Mapping) else frame)

    async def listen(self) -> None:
        """Take what comes until the client goes."""
        while True:
            await self.receive()

    def write(self, data: bytes) -> None:
        """Bytes as they are, in no frame."""
        self.connection.transport.write(data)

    def abort(self) -> None:
        self.connection.transport.abort()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does with one connection: with its handshake, and when that is done."""

    session: Callable[[Client], Awaitable[None]] = Client.listen
    handshake: Callable[[ServerConnection, Request], Awaitable[Response | None]] | None = None


listen = Behaviour()
"""Takes everything, says nothing."""


def answering(reply: Callable[[str | bytes], Iterable[str | bytes | Mapping[str, Any]]]) -> Behaviour:
    """Answers each frame with those that `reply` makes of it."""

    async def session(client: Client) -> None:
        while True:
            await client.send(*reply(await client.receive()))

    return Behaviour(session)


def sending(*frames: str | bytes | Mapping[str, Any], then: Behaviour = listen) -> Behaviour:
    """Sends these once the client has sent its first frame."""

    async def session(client: Client) -> None:
        await client.receive()
        await client.send(*frames)
        await then.session(client)

    return Behaviour(session)


def closing(code: int = 1000, reason: str = "") -> Behaviour:
    """Closes as it should be done."""

    async def session(client: Client) -> None:
        await client.connection.close(code, reason)

    return Behaviour(session)


async def _cut(client: Client) -> None:
    client.abort()


async def _cut_in_frame(client: Client) -> None:
    whole = Frame(Opcode.TEXT, b"x" * 100).serialize(mask=False)
    client.write(whole[:50])
    await asyncio.sleep(0)
    client.abort()


async def _garbage(client: Client) -> None:
    client.write(b"\xff" * 64)  # reserved bits and an opcode that nobody knows
    await client.listen()


async def _stall(client: Client) -> None:
    client.connection.transport.pause_reading()
    await client.connection.wait_closed()


cut = Behaviour(_cut)
"""Breaks the connection off as soon as it is open."""
cut_in_frame = Behaviour(_cut_in_frame)
"""Breaks it off in the middle of a frame."""
garbage = Behaviour(_garbage)
"""Sends bytes that are no frame."""
stall = Behaviour(_stall)
"""Keeps it open and is deaf: no frame, no pong, no answer to a close."""


def refusing(status: int, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answers the handshake with a status."""

    async def handshake(connection: ServerConnection, _: Request) -> Response:
        response = connection.respond(HTTPStatus(status), "no\n")
        for name, value in (headers or {}).items():
            response.headers[name] = value
        return response

    return Behaviour(handshake=handshake)


async def _break_handshake(connection: ServerConnection, _: Request) -> None:
    connection.transport.abort()


async def _hang_handshake(connection: ServerConnection, _: Request) -> None:
    await connection.wait_closed()


break_handshake = Behaviour(handshake=_break_handshake)
"""Breaks off in place of an answer to the handshake."""
hang_handshake = Behaviour(handshake=_hang_handshake)
"""Never answers it."""


class WebSocketServer:
    """Keeps what every client sent in `received`, and the handshakes in `requests`, one for each attempt."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.received: list[str | bytes] = []
        self.clients: list[Client] = []
        self._behaviours: deque[Behaviour] = deque([listen])
        self._current: dict[ServerConnection, Behaviour] = {}

    def on(self, *behaviours: Behaviour) -> None:
        """Do so with the connections to come, in turn, and the last with all from then on."""
        self._behaviours = deque(behaviours)

    async def send(self, *frames: str | bytes | Mapping[str, Any]) -> None:
        """To the newest client."""
        await self.clients[-1].send(*frames)

    def sent(self, key: str) -> list[Any]:
        """The values under that key in the JSON objects that clients sent, in order."""
        objects = [json.loads(frame) for frame in self.received]
        return [sent[key] for sent in objects if key in sent]

    async def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        behaviour = self._behaviours[0] if len(self._behaviours) == 1 else self._behaviours.popleft()
        self._current[connection] = behaviour
        return await behaviour.handshake(connection, request) if behaviour.handshake else None

    async def session(self, connection: ServerConnection) -> None:
        client = Client(connection, self)
        self.clients.append(client)
        with suppress(ConnectionClosed):  # the client went away, as it may
            await self._current[connection].session(client)


@asynccontextmanager
async def serve_websocket() -> AsyncIterator[WebSocketServer]:
    """A server on a free port of this machine; its `url` has no slash at the end."""
    scripted = WebSocketServer()
    server = await serve(
        scripted.session,
        "127.0.0.1",
        0,
        process_request=scripted.handshake,
        compression=None,
        ping_interval=None,
        close_timeout=0.05,
        logger=_log,
    )
    scripted.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        for client in scripted.clients:
            client.abort()
        server.close()
        await server.wait_closed()


async def eventually(condition: Callable[[], object], patience: float = 20.0) -> None:
    """Wait until it holds; what goes over a socket takes a few milliseconds."""
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.001)
