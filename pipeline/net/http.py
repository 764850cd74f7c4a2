"""HTTP for all sources: bounded in time and size, retried where that helps, and without secrets in any message."""

import asyncio
import logging
import random
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from pipeline import __version__
from pipeline.aio import Backoff
from pipeline.clock import Clock, SystemClock
from pipeline.net.circuit_breaker import Circuit
from pipeline.net.errors import HttpError, RateLimitedError, RefusedError, TimedOutError, UnavailableError

log = logging.getLogger(__name__)

Permit = Callable[[], Awaitable[Callable[[], None] | None]]
"""Awaited before each attempt that leaves the house, retries included: where a budget counts and holds back. What it
returns, if anything, is called when the attempt did not leave after all, so that the provider never heard of it."""

USER_AGENT: Final = f"fintrends-tui/{__version__}"
MAX_REDIRECTS: Final = 3
MAX_RETRY_AFTER: Final = 86_400.0
"""Seconds; whoever asks for more than a day is asked again after one."""
MAX_REFUSAL: Final = 4096
"""Bytes kept of what a provider says when it refuses."""


Heard = Callable[[Mapping[str, str]], None]
"""Given the headers of every answer, refusals included: where a provider says how much it still allows. Names in any
case find them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take. Times in seconds; `body` is the size in bytes once it is decompressed."""

    connect: float = 10.0
    silence: float = 15.0
    total: float = 30.0
    body: int = 16 * 1024 * 1024
    attempts: int = 3
    longest_wait: float = 10.0


async def unlimited() -> None:
    """The permit of a provider without a budget."""


def unheard(_headers: Mapping[str, str]) -> None:
    """For answers whose headers say nothing of use."""


class Http:
    """One pool of connections for every provider, with a circuit for each host.

    Ignores proxies, `.netrc` and the like in the environment: what is asked goes to the host that the settings name.
    """

    def __init__(
        self, clock: Clock | None = None, *, limits: Limits | None = None, rng: random.Random | None = None
    ) -> None:
        """The clock rules the pauses between attempts; the limits of a single attempt are the machine's own time."""
        self._clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._rng = rng or random.Random()
        self._backoff = Backoff(initial=0.5, maximum=self._limits.longest_wait)
        self._circuits: dict[str, Circuit] = {}
        self._client = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"},
            timeout=httpx.Timeout(self._limits.silence, connect=self._limits.connect),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=30.0),
            trust_env=False,
        )
        # Both log the URL of every request, with the key in it.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        permit: Permit = unlimited,
        heard: Heard = unheard,
        attempts: int | None = None,
    ) -> bytes:
        """The body of the answer, decompressed; `attempts` in place of as many as the limits allow.

        Raises:
            UnavailableError: if every attempt failed. TimedOutError: if there was no answer in time; not tried again,
                for others wait meanwhile. CircuitOpenError: if the host has failed so often lately that it is not
                tried. RateLimitedError: for status 429; not tried again, for when is for the caller to say.
                RefusedError: for any other status from 400 to 499. HttpError: if the answer is too large, cannot be
                decompressed, or leads elsewhere.
        """
        request = self._client.build_request("GET", url, params=params, headers=headers)
        return await self._retried(request, permit, heard, attempts)

    async def post(
        self,
        url: str,
        *,
        data: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        permit: Permit = unlimited,
    ) -> bytes:
        """Send a form; the body of the answer. Only for what may be sent twice, for it is retried as `get` is.

        Raises:
            HttpError: as `get`.
        """
        return await self._retried(self._client.build_request("POST", url, data=data, headers=headers), permit)

    async def close(self) -> None:
        await self._client.aclose()

    async def _retried(
        self, request: httpx.Request, permit: Permit, heard: Heard = unheard, attempts: int | None = None
    ) -> bytes:
        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(attempts or self._limits.attempts),
            wait=self._pause,
            retry=retry_if_exception(self._may_help),
            reraise=True,
        )
        result: bytes = await retrying(self._attempt, request, permit, heard)
        return result

    def _may_help(self, error: BaseException) -> bool:
        if not isinstance(error, UnavailableError) or isinstance(error, TimedOutError):
            return False
        return (error.retry_after or 0.0) <= self._limits.longest_wait

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what the provider asks for, and never less than the backoff."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, HttpError) else None
        pause = max(asked or 0.0, self._backoff.delay(state.attempt_number, self._rng))
        log.debug("%s; next attempt in %.1f s", error, pause)
        return pause

    async def _attempt(self, request: httpx.Request, permit: Permit, heard: Heard) -> bytes:
        provider = request.url.netloc.decode()
        circuit = self._circuits.setdefault(provider, Circuit(provider, self._clock))
        circuit.check()  # a permit is too dear for what will not be sent
        take_back = await permit()
        try:
            with circuit.attempt():
                return await self._in_time(request, provider, heard)
        except HttpError as error:
            if take_back is not None and not error.sent:
                take_back()
            raise

    async def _in_time(self, request: httpx.Request, provider: str, heard: Heard) -> bytes:
        try:
            async with asyncio.timeout(self._limits.total):
                return await self._exchange(request, provider, heard)
        except TimeoutError as error:
            raise TimedOutError(provider, f"no complete answer within {self._limits.total:g} s") from error
        except httpx.PoolTimeout as error:
            raise HttpError(provider, "not sent: too many requests are in progress", sent=False) from error
        except httpx.RequestError as error:
            sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            kind = TimedOutError if isinstance(error, httpx.TimeoutException) else UnavailableError
            raise kind(provider, self._what_broke(error), sent=sent) from error

    async def _exchange(self, request: httpx.Request, provider: str, heard: Heard) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            response = await self._client.send(request, stream=True)
            try:
                heard(response.headers)
                if response.next_request is None:
                    return await self._body(response, provider)
            finally:
                await response.aclose()
            target = response.next_request.url
            if (target.scheme, target.netloc) != (request.url.scheme, request.url.netloc):
                raise HttpError(provider, f"it redirects elsewhere, to {target.scheme}://{target.netloc.decode()}")
            request = response.next_request
        raise HttpError(provider, f"more than {MAX_REDIRECTS} redirects")

    async def _body(self, response: httpx.Response, provider: str) -> bytes:
        status = response.status_code
        if response.is_success:
            return await self._read(response, provider, self._limits.body)
        cause = f"status {status}{_phrase(status)}"
        retry_after = self._retry_after(response.headers.get("Retry-After"))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimitedError(provider, cause, retry_after=retry_after)
        if response.is_server_error or status == HTTPStatus.REQUEST_TIMEOUT:
            raise UnavailableError(provider, cause, retry_after=retry_after)
        if response.is_client_error:
            said = await self._read(response, provider, MAX_REFUSAL, cut=True)
            raise RefusedError(provider, cause, status=status, body=said)
        raise HttpError(provider, f"unexpected {cause}")

    async def _read(self, response: httpx.Response, provider: str, most: int, *, cut: bool = False) -> bytes:
        """The body, decompressed; one above `most` bytes is cut there, or an error.

        Decompressed here and not by the client, which would inflate a whole chunk before its size is known.
        """
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            raise HttpError(provider, "the answer is compressed in a way that was not asked for")
        inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if encoding == "gzip" else None
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += inflater.decompress(chunk, most + 1) if inflater else chunk
                if len(body) > most and cut:
                    return bytes(body[:most])
                if len(body) > most:
                    raise HttpError(provider, f"the answer is larger than {most / 1024**2:g} MiB")
        except zlib.error as error:
            raise HttpError(provider, "the answer is not compressed as it says") from error
        if inflater and not inflater.eof:
            raise UnavailableError(provider, "the answer ends too early")
        return bytes(body)

    def _retry_after(self, value: str | None) -> float | None:
        """Seconds from now; the header holds them, or a date."""
        if value is None:
            return None
        try:
            if value.strip().isdecimal():
                return min(float(value), MAX_RETRY_AFTER)
            date = parsedate_to_datetime(value)
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            return min(max(0.0, (date - self._clock.now()).total_seconds()), MAX_RETRY_AFTER)
        except (ValueError, OverflowError):
            return None

    def _what_broke(self, error: httpx.RequestError) -> str:
        """The cause in words of our own: those of the client may quote what was sent."""
        match error:
            case httpx.ConnectTimeout():
                return f"no connection within {self._limits.connect:g} s"
            case httpx.TimeoutException():
                return f"silent for {self._limits.silence:g} s"
            case httpx.ConnectError():
                return f"no connection, {_why(error)}"
            case _:
                return f"the connection broke off ({type(error).__name__})"


def _why(error: BaseException) -> str:
    """What the error at the bottom of the chain means, which alone knows it."""
    root = error
    while cause := root.__cause__ or root.__context__:
        root = cause
    match root:
        case socket.gaierror():
            return "the host name cannot be looked up"
        case ConnectionRefusedError():
            return "the host refuses it"
        case ssl.SSLError():
            return f"TLS failed ({root.reason})"
        case _:
            return str(error)


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
