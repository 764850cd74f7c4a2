"""The control socket: screens and commands talk to the pipeline through it."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline import __version__
from pipeline.contract.protocol import (
    PROTOCOL_VERSION,
    ClientFrame,
    Command,
    Focus,
    Hello,
    Push,
    Refused,
    Reply,
    Request,
    ServerFrame,
    Welcome,
    encode_frame,
)
from pipeline.contract.snapshot import Snapshot
from pipeline.contract.updates import update_of

log = logging.getLogger(__name__)

PUSH_PERIOD: Final = 0.25
_MAX_REQUEST: Final = 256 * 1024
_HELLO_SECONDS: Final = 5.0
_MAX_CLIENTS: Final = 128
"""Many more than a user has terminals, so that a command finds room beside any that hang, and fewer than the file
handles that a process may have (256 on macOS)."""
_IDLE_SECONDS: Final = 5.0
"""After so long a client that does not read what it is sent, or asks for nothing, has to go if its place is wanted. A
screen that goes on comes back."""
_BACKLOG: Final = 1024
"""Clients that wait to be accepted. One more would take itself for connected, and then for hung up on."""
_MAX_PENDING: Final = 16


class CommandError(Exception):
    """A command cannot be carried out; the message is for the user."""


Execute = Callable[[Command], Awaitable[Any]]
Snap = Callable[[str | None], Snapshot]


class ControlServer:
    """Serves clients of the control socket; a client that misbehaves or does not read does not affect the others."""

    def __init__(self, execute: Execute, snapshot: Snap) -> None:
        self._execute = execute
        self._snapshot = snapshot
        self._server: asyncio.Server | None = None
        self._clients: set[_Client] = set()
        self._closed = False

    async def start(self, path: Path) -> None:
        """Listen on the path, for this user only.

        Raises:
            OSError
        """
        umask = os.umask(0o177)  # the socket is private from the moment it exists
        try:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=_MAX_REQUEST, backlog=_BACKLOG)
        finally:
            os.umask(umask)

    async def close(self) -> None:
        """Stop listening and let every client go."""
        self._closed = True
        if self._server is not None:
            self._server.close()
            for client in list(self._clients):
                client.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:  # accepted just before
            writer.transport.abort()
            return
        client = _Client(reader, writer, self._execute, self._snapshot)
        if len(self._clients) >= _MAX_CLIENTS and not self._make_room():
            writer.write(encode_frame(Refused(f"{_MAX_CLIENTS} clients are connected already")))
            writer.close()
            return
        self._clients.add(client)
        try:
            await client.run()
        finally:
            self._clients.discard(client)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _make_room(self) -> bool:
        """Let the client go that has been idle for the longest; whether there is one."""
        idlest = max(self._clients, key=lambda client: client.idle_for)
        if idlest.idle_for < _IDLE_SECONDS:
            return False
        log.warning("an idle client is disconnected to make room: %d are connected", len(self._clients))
        idlest.abort()
        self._clients.discard(idlest)
        return True


class _Client:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, execute: Execute, snapshot: Snap
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._execute = execute
        self._snapshot = snapshot
        self._focus: str | None = None
        self._at_work = 0
        self._idle_since = asyncio.get_running_loop().time()
        self._waits_since: float | None = None
        self._decoder = msgspec.json.Decoder(ClientFrame)
        # Little is buffered, so that what a slow screen gets next is the latest there is.
        writer.transport.set_write_buffer_limits(high=64 * 1024)

    @property
    def idle_for(self) -> float:
        """Seconds that what was written to it has waited for it to read, or that nothing has been done for it."""
        now = asyncio.get_running_loop().time()
        if self._waits_since is not None:
            return now - self._waits_since
        return 0.0 if self._at_work else now - self._idle_since

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Something is being done for it meanwhile."""
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            self._idle_since = asyncio.get_running_loop().time()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def run(self) -> None:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                hello = await self._receive()
            if not isinstance(hello, Hello):
                await self._send(Refused("the first line must be a hello"))
            elif hello.protocol != PROTOCOL_VERSION:
                await self._send(
                    Refused(
                        f"this pipeline (version {__version__}) speaks protocol {PROTOCOL_VERSION}, you speak "
                        f"{hello.protocol}; use the same version, or stop it with `fintrends-tui stop` of its version"
                    )
                )
            else:
                await self._send(Welcome(PROTOCOL_VERSION, __version__, os.getpid()))
                await self._converse(hello)
        except msgspec.MsgspecError as error:
            log.warning("a client sent an invalid request: %s", error)
            with contextlib.suppress(OSError):
                await self._send(Refused(f"not a request: {error}"))
        except (EOFError, OSError, ValueError, TimeoutError):
            pass  # gone, silent, or a line over the limit

    async def _converse(self, hello: Hello) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                pusher = tasks.create_task(self._push(hello.updates)) if hello.snapshots else None
                slots = asyncio.Semaphore(_MAX_PENDING)
                while True:
                    await slots.acquire()
                    frame = await self._receive()
                    if frame is None:
                        break
                    if isinstance(frame, Request):
                        task = tasks.create_task(self._answer(frame))
                        task.add_done_callback(lambda _: slots.release())
                    else:
                        slots.release()
                if pusher is not None:
                    pusher.cancel()
        except* (EOFError, OSError):
            pass
        except* (msgspec.MsgspecError, ValueError) as group:
            raise group.exceptions[0] from None

    async def _answer(self, request: Request) -> None:
        with self._working():
            await self._send(await self._carry_out(request))

    async def _carry_out(self, request: Request) -> Reply:
        try:
            if isinstance(request.command, Focus):
                self._focus = request.command.ticker
                return Reply(request.id)
            return Reply(request.id, result=await self._execute(request.command))
        except CommandError as error:
            return Reply(request.id, error=str(error))
        except Exception:
            log.exception("the command %r failed", request.command)
            return Reply(request.id, error="the command failed unexpectedly; see the log")

    async def _push(self, updates: bool) -> None:
        sent: Snapshot | None = None
        with self._working():
            while True:
                snapshot = self._snapshot(self._focus)
                await self._send(Push(snapshot) if sent is None else update_of(sent, snapshot))
                sent = snapshot if updates else None
                await asyncio.sleep(PUSH_PERIOD)

    async def _receive(self) -> ClientFrame | None:
        """The next frame; None at the end.

        Raises:
            ValueError: if the line is too long.
            msgspec.MsgspecError: if it is not a frame.
        """
        line = await self._reader.readline()
        return self._decoder.decode(line) if line else None

    async def _send(self, frame: ServerFrame) -> None:
        self._writer.write(encode_frame(frame))
        self._waits_since = self._waits_since or asyncio.get_running_loop().time()
        await self._writer.drain()
        self._waits_since = None
