"""An exchange as a source: quotes by its stream, bars by its stream or by asking, and its history."""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from pipeline.aio import merged
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Interval
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import HttpError
from pipeline.net.stream import MessageStream, StreamState
from pipeline.net.stream_protocol import StreamProtocol
from pipeline.sources.base import Feed, FeedName, HistoryChunk, SourceError, TickerTrouble
from pipeline.sources.crypto.closes import Closes
from pipeline.sources.crypto.exchange import CryptoExchange, NotTradedError, UnreadableCandlesError
from pipeline.sources.crypto.frames import PreviousClose, Refused
from pipeline.sources.crypto.poll import CandlePoll
from pipeline.sources.crypto.troubles import TickerTroubles

log = logging.getLogger(__name__)

QUIET: Final = 30.0
"""Seconds without a frame after which a stream is taken for dead: each sends heartbeats every second."""
ProtocolFactory = Callable[[Clock, PreviousClose, Refused], StreamProtocol]
"""Makes what an exchange's stream speaks, from what it has to look up and to report."""
_HISTORY: Final[tuple[Interval, ...]] = ("daily", "1min")


class ExchangeSource:
    """Live prices of pairs, and their history. Serves every ticker that the exchange trades."""

    simulated: bool = False

    def __init__(
        self,
        exchange: CryptoExchange,
        stream: MessageStream | None,
        closes: Closes,
        troubles: TickerTroubles,
        clock: Clock,
    ) -> None:
        """`closes` and `troubles` are shared with the protocol of the stream; without a stream there are bars only."""
        self.name = exchange.name
        self._exchange = exchange
        self._troubles = troubles
        self._clock = clock
        self._feed = ExchangeFeed(exchange, stream, closes, troubles, clock)

    def feeds(self) -> Sequence[Feed]:
        return [self._feed]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """Daily bars, then those of the last minutes, as far back as the exchange goes.

        Raises:
            SourceError: if the exchange does not trade it, or answers with what cannot be read.
            HttpError: if it does not answer for now.
        """
        done = 0
        try:
            await self._exchange.look_up()
            for interval in _HISTORY:
                since = (self._clock.now() - self._exchange.reach[interval]).replace(second=0, microsecond=0)
                if interval == "daily":
                    since = since.replace(hour=0, minute=0)
                async with aclosing(self._exchange.pages(ticker, interval, since)) as pages:
                    async for page in pages:
                        done += len(page.bars)
                        until = f" to {page.bars[-1].ts:%Y-%m-%d %H:%M} UTC" if page.bars else ""
                        yield HistoryChunk([*page.bars, *page.misfits], done, 0, f"{interval} bars{until}")
        except NotTradedError as error:
            raise SourceError(str(error)) from error
        except UnreadableCandlesError as error:
            yield HistoryChunk([error.misfit], done, 0)
            raise SourceError(str(error)) from error
        yield HistoryChunk([], done, done, self._exchange.limit_note)

    def troubles(self) -> Mapping[str, TickerTrouble]:
        link = self._feed.link()
        return self._troubles.all(streaming=link is not None and link.connected)

    async def close(self) -> None:
        """Nothing is held open outside the feed."""


def exchange_source(
    exchange: CryptoExchange, stream_url: str, protocol: ProtocolFactory, clock: Clock
) -> ExchangeSource:
    """The exchange as a source; `protocol` makes what its stream speaks. Without a `stream_url` there is no stream."""
    closes, troubles = Closes(), TickerTroubles(clock)
    stream = None
    if stream_url:
        speaks = protocol(clock, closes.before, troubles.refused)
        stream = MessageStream(stream_url, speaks, clock, name=exchange.title, quiet=QUIET, raise_refusals=False)
    return ExchangeSource(exchange, stream, closes, troubles, clock)


class ExchangeFeed:
    """What the stream brings, and what is asked for beside it."""

    name: FeedName = "market"

    def __init__(
        self,
        exchange: CryptoExchange,
        stream: MessageStream | None,
        closes: Closes,
        troubles: TickerTroubles,
        clock: Clock,
    ) -> None:
        self._exchange = exchange
        self._stream = stream
        self._closes = closes
        self._troubles = troubles
        self._clock = clock
        self._told = False
        """Whether the log has said that the pairs are not known: each outage is reported by who waits for it."""

    def link(self) -> StreamState | None:
        """The state of the stream; None where there is none."""
        return None if self._stream is None else self._stream.state

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`.

        Raises:
            HttpError: if the exchange can be reached in neither way.
        """
        try:
            await self._exchange.look_up()  # before the stream asks for a pair that there is not
        except HttpError as error:
            if not self._told:
                log.warning("%s: it is not known which pairs there are: %s", self._exchange.title, error)
            self._told = True
            if isinstance(error, UnreadableCandlesError):
                yield [error.misfit]
        poll = CandlePoll(self._exchange, self._closes, self._troubles, self._clock, self.link)
        parts = [poll.batches(watchlist)]
        if self._stream is not None:
            parts.append(self._stream.batches(watchlist, self._exchange.symbol_of))
        async with aclosing(merged(*parts)) as batches:
            async for batch in batches:
                yield batch
