"""One websocket connection: bounded in time and size, and without secrets in any message."""

import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)

from pipeline import __version__
from pipeline.model.text import clean
from pipeline.net.errors import StreamCutError, StreamRefusedError

USER_AGENT: Final = f"fintrends-tui/{__version__}"
MAX_RETRY_AFTER: Final = 3600.0
"""Seconds; whoever asks for more than an hour is asked again after one."""
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})
_LONGEST_REASON: Final = 123
"""Bytes of a reason in a frame that closes, by the standard."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may take. Times in seconds by the machine's own clock; `frame` is the size of a message in
    bytes once it is decompressed; `queue` counts the frames that are read ahead."""

    connect: float = 10.0
    ping: float = 20.0
    pong: float = 20.0
    close: float = 1.0
    frame: int = 1024 * 1024
    queue: int = 16


class Connection:
    """An open connection; made by `connected`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        """The next message.

        Raises:
            StreamCutError: if the connection has ended, in whatever way.
        """
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            raise _cut(closed) from None

    async def send(self, frame: str) -> None:
        """Send a message, and wait while the provider is slow to take it.

        One that can no longer be sent is dropped: `receive` tells that, after what the provider said last.
        """
        with suppress(ConnectionClosed):
            await self._socket.send(frame)


class _Connect(connect):
    """Follows no redirect: the headers, which may hold a key, go to the host that the settings name."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@asynccontextmanager
async def connected(url: str, headers: Mapping[str, str], limits: ConnectionLimits) -> AsyncIterator[Connection]:
    """A connection, closed at the end. Ignores proxies in the environment, as `pipeline.net.http` does.

    Raises:
        StreamCutError: if there is none. StreamRefusedError: if the provider answers that we may not have one.
    """
    logging.getLogger("websockets").setLevel(logging.WARNING)  # it logs the URL and the headers, with keys in them
    try:
        opened = await _Connect(
            url,
            additional_headers=dict(headers),
            user_agent_header=USER_AGENT,
            proxy=None,
            open_timeout=limits.connect,
            ping_interval=limits.ping,
            ping_timeout=limits.pong,
            close_timeout=limits.close,
            max_size=limits.frame,
            max_queue=limits.queue,
        )
    except InvalidStatus as error:
        raise _refusal(error) from None
    except (OSError, InvalidHandshake, InvalidURI, EOFError) as error:
        raise StreamCutError(_what_broke(error, limits)) from None
    try:
        yield Connection(opened)
    finally:
        await opened.close()


def _refusal(error: InvalidStatus) -> StreamCutError | StreamRefusedError:
    response = error.response
    why = f"refused with status {response.status_code}{_phrase(response.status_code)}"
    if response.status_code in _REFUSED:
        return StreamRefusedError(why, permanent=True)
    asked = response.headers.get("Retry-After", "").strip()
    return StreamCutError(why, retry_after=min(float(asked), MAX_RETRY_AFTER) if asked.isdecimal() else None)


def _cut(closed: ConnectionClosed) -> StreamCutError:
    """In words; what the other side says is quoted, cleaned."""
    if closed.sent is not None and not closed.rcvd_then_sent:
        return StreamCutError(f"cut off by us ({clean(closed.sent.reason, _LONGEST_REASON) or closed.sent.code})")
    if closed.rcvd is None:
        return StreamCutError("the connection broke off")
    said = clean(closed.rcvd.reason, _LONGEST_REASON)
    return StreamCutError(f"closed by the provider ({closed.rcvd.code}{': ' if said else ''}{said})")


def _what_broke(error: Exception, limits: ConnectionLimits) -> str:
    """The cause in words of our own: those of the library may quote the URL."""
    match error:
        case TimeoutError():
            return f"no connection within {limits.connect:g} s"
        case socket.gaierror():
            return "the host name cannot be looked up"
        case ConnectionRefusedError():
            return "the host refuses the connection"
        case ssl.SSLError():
            return f"TLS failed ({error.reason})"
        case InvalidMessage() | ConnectionError() | EOFError():
            return "the connection broke off during the handshake"
        case InvalidURI():
            return "the address is none of a websocket"
        case _:
            return f"no connection ({type(error).__name__})"


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
