"""What is subscribed to on a connection: what the watchlist holds, at all times."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.model.watchlist import Watchlist
from pipeline.net.stream_protocol import StreamProtocol, SymbolOf
from pipeline.net.websocket import Connection


class Subscriptions:
    """The watched tickers, in the provider's symbols and words."""

    def __init__(
        self, protocol: StreamProtocol, clock: Clock, watchlist: Watchlist, symbol_of: SymbolOf, every: float | None
    ) -> None:
        """All are asked for again after `every` seconds; None is never."""
        self._protocol = protocol
        self._clock = clock
        self._watchlist = watchlist
        self._symbol_of = symbol_of
        self._every = math.inf if every is None else every

    def wanted(self) -> dict[str, None]:
        """The symbols to ask for, each once, in the order of the watchlist."""
        return {symbol: None for ticker in self._watchlist if (symbol := self._symbol_of(ticker)) is not None}

    async def something_wanted(self) -> None:
        """Wait until there is one."""
        while not self.wanted():
            await self._watchlist.changed_since(self._watchlist.version)

    async def follow(self, connection: Connection) -> None:
        """Subscribe on a new connection, and follow the watchlist until nothing on it is wanted."""
        subscribed: Mapping[str, None] = {}
        again, due = True, math.inf
        while wanted := self.wanted():
            version = self._watchlist.version
            frames = [
                *_frames(self._protocol.unsubscribe, subscribed, wanted),
                *_frames(self._protocol.subscribe, wanted, {} if again else subscribed),
            ]
            if again:
                due = self._clock.monotonic() + self._every
            for frame in frames:
                await connection.send(frame)
            subscribed = wanted
            await first_of(self._watchlist.changed_since(version), self._sleep_until(due))
            again = self._clock.monotonic() >= due

    async def _sleep_until(self, due: float) -> None:
        if due == math.inf:
            await asyncio.Event().wait()
        await self._clock.sleep(due - self._clock.monotonic())


def _frames(
    ask: Callable[[Sequence[str]], Sequence[str]], these: Mapping[str, None], without: Mapping[str, None]
) -> Sequence[str]:
    symbols = [symbol for symbol in these if symbol not in without]
    return ask(symbols) if symbols else ()
