"""Messages from a provider's websocket, for as long as anybody asks: whatever happens to a connection, another is made.

What a provider speaks is a `StreamProtocol`.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, NoReturn

from pipeline.aio import Backoff, first_of
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, TickerMessage
from pipeline.model.watchlist import Watchlist
from pipeline.net.conflation import Conflation
from pipeline.net.errors import StreamCutError, StreamRefusedError
from pipeline.net.stream_protocol import Greeted, StreamProtocol, SymbolOf, identity
from pipeline.net.subscriptions import Subscriptions
from pipeline.net.websocket import Connection, ConnectionLimits, connected

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What a stream may take, in seconds by the clock it is given.

    Batches are handed out every `pace` at most; a `pace` of 0 hands out everything at once. `waiting` is the number of
    messages other than quotes from which on nothing more is read. A connection that has lived for `settled` is a good
    one: only then does the next failure count as the first. Failures are followed by a pause of `first_pause`, doubled
    each time up to `longest_pause`, and a refusal that is to be waited out by `refused_pause`.
    """

    connection: ConnectionLimits = field(default_factory=ConnectionLimits)
    pace: float = 0.25
    waiting: int = 10_000
    settled: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    refused_pause: float = 900.0


@dataclass(frozen=True, slots=True)
class StreamState:
    """Whether there is a connection, since when (UTC) and why; and when the next one is tried, if that is known."""

    connected: bool
    since: datetime
    why: str
    next_try: datetime | None = None


AT_A_STRETCH: Final = 32
"""Frames read before others have a turn, the consumer among them: one read from a socket can bring thousands."""
IDLE: Final = "nothing is asked for"


def always() -> bool:
    """For a market that never closes."""
    return True


class MessageStream:
    """One websocket of one provider, kept open."""

    def __init__(
        self,
        url: str,
        protocol: StreamProtocol,
        clock: Clock,
        *,
        name: str,
        quiet: float | None = None,
        open_now: Callable[[], bool] = always,
        resubscribe_every: float | None = None,
        raise_refusals: bool = True,
        headers: Mapping[str, str] | None = None,
        limits: StreamLimits | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """`name` is what the provider is called in logs and errors; the URL, which may hold a key, never is.

        A connection on which no frame has come for `quiet` seconds is replaced, while `open_now` says that some should.
        All symbols are asked for again every `resubscribe_every` seconds, for providers that forget. Without
        `raise_refusals` a permanent refusal is waited out as well: for a source that can do without the stream.
        """
        self._url = url
        self._protocol = protocol
        self._clock = clock
        self._name = name
        self._quiet = quiet
        self._open_now = open_now
        self._resubscribe_every = resubscribe_every
        self._raise_refusals = raise_refusals
        self._headers = dict(headers or {})
        self._limits = limits or StreamLimits()
        self._rng = rng or random.Random()
        self._backoff = Backoff(initial=self._limits.first_pause, maximum=self._limits.longest_pause)
        self._failures = 0
        self._lost = False
        self._heard_at = 0.0
        self._state = StreamState(connected=False, since=clock.now(), why=IDLE)

    @property
    def state(self) -> StreamState:
        return self._state

    async def batches(
        self, watchlist: Watchlist, symbol_of: SymbolOf = identity
    ) -> AsyncGenerator[Sequence[AnyMessage]]:
        """What comes for the tickers on the watchlist, whose changes are followed. Never ends. For one consumer.

        Of the quotes that come between two batches each ticker's latest is handed out, of everything else all. A
        connection that is lost, or cannot be made, is made again after a pause; there is none while no ticker is
        served. What comes for a ticker that has been removed is dropped.

        Raises:
            StreamRefusedError: if the provider refuses permanently.
        """
        waiting = Conflation(self._limits.waiting)
        subscriptions = Subscriptions(self._protocol, self._clock, watchlist, symbol_of, self._resubscribe_every)
        running = asyncio.ensure_future(self._run(subscriptions, waiting))
        try:
            while True:
                await _either(waiting, running)
                handed_out = self._clock.monotonic()
                if batch := [message for message in waiting.take() if _concerns(message, watchlist)]:
                    yield batch
                if running.done():
                    running.result()
                rest = handed_out + self._limits.pace - self._clock.monotonic()
                if rest > 0:
                    await self._clock.sleep(rest)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self._become(connected=False, why=IDLE)

    async def _run(self, subscriptions: Subscriptions, waiting: Conflation) -> NoReturn:
        while True:
            if not subscriptions.wanted():
                self._become(connected=False, why=IDLE)
                await subscriptions.something_wanted()
            try:
                await self._serve(subscriptions, waiting)
            except StreamCutError as cut:
                await self._pause(cut.why, cut.retry_after or 0.0)
            except StreamRefusedError as refused:
                if refused.permanent and self._raise_refusals:
                    raise StreamRefusedError(f"{self._name}: {refused.why}", permanent=True) from refused
                await self._pause(refused.why, self._limits.refused_pause if refused.permanent else 0.0)

    async def _serve(self, subscriptions: Subscriptions, waiting: Conflation) -> None:
        """One connection; returns when nothing is left to ask for.

        Raises:
            StreamCutError: when it has ended. StreamRefusedError: if the provider refuses.
        """
        async with connected(self._url, self._headers, self._limits.connection) as connection:
            self._heard_at = self._clock.monotonic()
            for frame in self._protocol.opening():
                await connection.send(frame)
            greeted = asyncio.Event()
            tasks = [self._read(connection, waiting, greeted), self._settle()]
            tasks.append(self._follow(connection, subscriptions, greeted))
            if self._quiet is not None:
                tasks.append(self._watch(self._quiet, waiting))
            await first_of(*tasks)

    async def _read(self, connection: Connection, waiting: Conflation, greeted: asyncio.Event) -> None:
        for turn in count(1):
            if self._ready():
                greeted.set()
            if turn % AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            frame = await connection.receive()
            self._heard_at = self._clock.monotonic()
            await waiting.put(self._protocol.received(frame))

    def _ready(self) -> bool:
        return not isinstance(self._protocol, Greeted) or self._protocol.ready()

    async def _follow(self, connection: Connection, subscriptions: Subscriptions, greeted: asyncio.Event) -> None:
        await greeted.wait()
        self._become(connected=True, why="connected")
        await subscriptions.follow(connection)

    async def _watch(self, quiet: float, waiting: Conflation) -> None:
        """Raises StreamCutError once nothing has come for too long, though something should have."""
        while (rest := self._heard_at + quiet - self._clock.monotonic()) > 0:
            await self._clock.sleep(rest)
            if not self._open_now() or waiting.full:
                self._heard_at = self._clock.monotonic()
        raise StreamCutError(f"no frame for {quiet:g} s")

    async def _settle(self) -> None:
        """Take the connection for a good one when it has lived for a while."""
        await self._clock.sleep(self._limits.settled)
        self._failures = 0
        if self._lost:
            self._lost = False
            log.info("%s: the stream is back", self._name)
        await asyncio.Event().wait()

    async def _pause(self, why: str, least: float) -> None:
        """After a failure; the first of a row is logged."""
        self._failures += 1
        pause = max(self._backoff.delay(self._failures, self._rng), least)
        next_try = self._clock.now() + timedelta(seconds=pause)
        self._become(connected=False, why=why, next_try=next_try)
        if not self._lost:
            self._lost = True
            log.warning(
                "%s: the stream is lost, next try at %s: %s", self._name, f"{next_try.astimezone():%H:%M:%S}", why
            )
        await self._clock.sleep(pause)

    def _become(self, *, connected: bool, why: str, next_try: datetime | None = None) -> None:
        same = connected == self._state.connected
        since = self._state.since if same else self._clock.now()
        self._state = StreamState(connected, since, why, next_try)


def _concerns(message: AnyMessage, watchlist: Watchlist) -> bool:
    """Whether it is of no ticker, or of one that is still watched."""
    return not isinstance(message, TickerMessage) or message.ticker in watchlist


async def _either(waiting: Conflation, running: asyncio.Future[Any]) -> None:
    """Until something waits, or no more will come."""
    filled: asyncio.Future[Any] = asyncio.ensure_future(waiting.wait())
    try:
        await asyncio.wait([filled, running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        filled.cancel()
