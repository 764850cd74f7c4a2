"""The client's end of the control socket."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from fintrends_tui import __version__
from fintrends_tui.link.port import LinkError
from pipeline.contract.protocol import (
    MAX_FRAME,
    PROTOCOL_VERSION,
    RESULTS,
    CarryOut,
    Command,
    Hello,
    MakePlan,
    Push,
    Refused,
    Reply,
    Request,
    ServerFrame,
    Update,
    Welcome,
    encode_frame,
)
from pipeline.contract.snapshot import Snapshot
from pipeline.contract.updates import updated
from pipeline.system import trust

_ANSWER_SECONDS = 30.0
_WORK_SECONDS = 600.0
"""For what may look at every document of a ticker, or delete it."""
_decoder = msgspec.json.Decoder(ServerFrame)


class NotRunningError(LinkError):
    """No process listens on the socket."""


class ControlConnection:
    """A greeted connection to a pipeline. `closed` is set once the other side has closed it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        welcome: Welcome,
        on_snapshot: Callable[[Snapshot], None],
    ) -> None:
        self.pid = welcome.pid
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._on_snapshot = on_snapshot
        self._heard: Snapshot | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._listener = asyncio.create_task(self._listen())

    async def ask(self, command: Command) -> Any:
        """The result of the command, of the type that `pipeline.contract.protocol` documents.

        Raises:
            LinkError: if the pipeline refuses, does not answer, or has gone.
        """
        if self.closed.is_set():
            raise LinkError("the connection to the pipeline was closed")
        patience = _WORK_SECONDS if isinstance(command, MakePlan | CarryOut) else _ANSWER_SECONDS
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(encode_frame(Request(number, command)))
            async with asyncio.timeout(patience):
                await self._writer.drain()
                reply = await future
        except TimeoutError:
            raise LinkError(f"the pipeline did not answer within {patience:g} seconds") from None
        except OSError as error:
            raise LinkError("the connection to the pipeline was closed") from error
        finally:
            del self._waiting[number]
        if reply.error is not None:
            raise LinkError(reply.error)
        type_ = RESULTS.get(type(command))
        return None if type_ is None else msgspec.convert(reply.result, type_, str_keys=True)

    async def close(self) -> None:
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _hear(self, snapshot: Snapshot) -> None:
        self._heard = snapshot
        self._on_snapshot(snapshot)

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                match _decoder.decode(line):
                    case Push(snapshot):
                        self._hear(snapshot)
                    case Update() as update if self._heard is not None:
                        self._hear(updated(self._heard, update))
                    case Reply(id=number) as reply if number in self._waiting:
                        if not self._waiting[number].done():
                            self._waiting[number].set_result(reply)
                    case _:
                        pass
        except (OSError, ValueError):
            pass  # closed, or another protocol: either way there is no pipeline to talk to
        finally:
            self.closed.set()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(LinkError("the connection to the pipeline was closed"))


@asynccontextmanager
async def connect(
    path: Path, on_snapshot: Callable[[Snapshot], None] | None = None
) -> AsyncIterator[ControlConnection]:
    """A connection to the pipeline that listens on the path; snapshots are pushed if `on_snapshot` is given.

    Raises:
        NotRunningError: if no process listens there. LinkError: if the process refuses us, or may belong to another
            user.
    """
    if why := _distrust(path.parent):
        raise LinkError(f"what listens on {path} is not trusted: {why}")
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=MAX_FRAME)
    except OSError as error:
        raise NotRunningError(f"no pipeline listens on {path}") from error
    try:
        pushes = on_snapshot is not None
        hello = Hello(PROTOCOL_VERSION, f"fintrends-tui {__version__}", snapshots=pushes, updates=pushes)
        welcome = await _greet(reader, writer, hello)
    except BaseException:
        writer.close()
        raise
    connection = ControlConnection(reader, writer, welcome, on_snapshot or (lambda _: None))
    try:
        yield connection
    finally:
        await connection.close()


def _distrust(directory: Path) -> str:
    """Why others could listen there in place of our pipeline; empty if they cannot, or there is no such directory."""
    try:
        status = directory.stat()
    except OSError:
        return ""
    if status.st_uid not in (os.geteuid(), 0):
        return f"{directory} belongs to {trust.name_of(status.st_uid)}"
    return f"others can write {directory}; run chmod 700" if trust.others_can_write(status) else ""


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: Hello) -> Welcome:
    try:
        writer.write(encode_frame(hello))
        async with asyncio.timeout(_ANSWER_SECONDS):
            line = await reader.readline()
        answer = _decoder.decode(line) if line else None
    except (OSError, TimeoutError) as error:
        raise NotRunningError("the pipeline does not answer") from error
    except ValueError as error:
        raise LinkError(f"what listens there is not a pipeline: {error}") from error
    match answer:
        case Welcome():
            return answer
        case Refused(reason):
            raise LinkError(reason)
        case _:
            raise NotRunningError("the connection to the pipeline was closed")
