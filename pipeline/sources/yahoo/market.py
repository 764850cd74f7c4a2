"""Yahoo's live feed: charts in turn, and between them quotes from the stream."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from pipeline.aio import merged
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage
from pipeline.model.watchlist import Watchlist
from pipeline.net.stream import MessageStream
from pipeline.sources.base import FeedName
from pipeline.sources.yahoo.errors import NAME
from pipeline.sources.yahoo.feed import ChartFeed
from pipeline.sources.yahoo.streamer import RESUBSCRIBE_EVERY, YahooStreamer
from pipeline.sources.yahoo.symbols import symbol_of

QUIET: Final = 120.0
"""Seconds without a word, while an exchange is open, after which the stream is opened anew."""


class MarketFeed:
    """Where the stream is away nothing fails: charts have quotes, too."""

    name: FeedName = "market"

    def __init__(self, charts: ChartFeed, stream_url: str, clock: Clock) -> None:
        """Without a `stream_url` there is no stream."""
        self._charts = charts
        self._watchlist = Watchlist()
        self._tickers: tuple[int, Mapping[str, str]] = (-1, {})
        self._stream = (
            MessageStream(
                stream_url,
                YahooStreamer(self._ticker_of, clock),
                clock,
                name=NAME,
                quiet=QUIET,
                open_now=charts.any_open,
                resubscribe_every=RESUBSCRIBE_EVERY,
                raise_refusals=False,
            )
            if stream_url
            else None
        )

    @property
    def watched(self) -> Sequence[str]:
        """What the feed was asked for last."""
        return self._watchlist.tickers

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`.

        Raises:
            HttpError: if the charts are out of reach altogether.
        """
        self._watchlist, self._tickers = watchlist, (-1, {})
        feeds = [self._charts.stream(watchlist)]
        if self._stream is not None:
            feeds.append(self._streamed(self._stream, watchlist))
        async with aclosing(merged(*feeds)) as batches:
            async for batch in batches:
                yield batch

    async def _streamed(self, stream: MessageStream, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        async with aclosing(stream.batches(watchlist, symbol_of)) as batches:
            async for batch in batches:
                self._charts.heard(batch)
                yield batch

    def _ticker_of(self, symbol: str) -> str | None:
        """The watched ticker with that symbol, as it is written on the watchlist."""
        version = self._watchlist.version
        if self._tickers[0] != version:
            self._tickers = version, {symbol_of(ticker): ticker for ticker in self._watchlist}
        return self._tickers[1].get(symbol)
