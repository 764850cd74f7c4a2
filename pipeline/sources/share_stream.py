"""What the streams of American shares have in common: a limit of symbols, no history, a key that may be refused."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from pipeline.aio import merged
from pipeline.clock import Clock
from pipeline.model.instruments import asset_class
from pipeline.model.messages import AnyMessage, DeadLetter
from pipeline.model.redaction import redact
from pipeline.model.text import clean
from pipeline.model.watchlist import Watchlist
from pipeline.net.stream import IDLE, MessageStream
from pipeline.net.stream_protocol import StreamProtocol
from pipeline.sources.base import Feed, FeedName, HistoryChunk, SourceError, TickerTrouble
from pipeline.sources.trades import MinuteBars

BARS_EVERY: Final = 1.0
"""Seconds between two looks at the bars that trades have changed."""
_NOTHING: Final[Sequence[HistoryChunk]] = ()


def symbol_of(ticker: str) -> str | None:
    """How American exchanges write it, with a dot before a share class; None for what is no American share."""
    return ticker.replace("-", ".") if asset_class(ticker) == "us_share" else None


@dataclass(slots=True)
class Heard:
    """What a provider has said of its symbols on one connection."""

    refused: dict[str, TickerTrouble] = field(default_factory=dict)
    """By symbol, until it is subscribed to anew."""
    limited: TickerTrouble | None = None
    """That it does not give all that was asked for; it does not say which."""
    symbols: set[str] = field(default_factory=set)
    """Of which anything has come."""


class ShareProtocol(StreamProtocol, Protocol):
    heard: Heard


@dataclass(frozen=True, slots=True)
class Plan:
    """`title` is what the provider is called in sentences, `setting` the key that holds `symbols`, the most at once."""

    title: str
    symbols: int
    setting: str


class ShareStreamSource:
    """Live market data of one websocket; `bars` are made from its trades, where the provider sends none."""

    simulated: bool = False

    def __init__(
        self,
        name: str,
        plan: Plan,
        stream: MessageStream,
        protocol: ShareProtocol,
        tickers: "Tickers",
        clock: Clock,
        bars: MinuteBars | None = None,
    ) -> None:
        self.name = name
        self._plan = plan
        self._stream = stream
        self._heard: Callable[[], Heard] = lambda: protocol.heard
        self._tickers = tickers
        self._clock = clock
        self._bars = bars
        self._watchlist = Watchlist()

    def feeds(self) -> Sequence[Feed]:
        return [_MarketFeed(self)]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """None.

        Raises:
            SourceError: always.
        """
        for chunk in _NOTHING:
            yield chunk
        raise SourceError(f"{self._plan.title} streams live trades and has no history of {ticker} for us")

    async def close(self) -> None:
        """The connection ends with its feed."""

    async def batches(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`. A connection that is lost is made again; meanwhile `troubles` says so.

        Raises:
            StreamRefusedError: if the provider refuses permanently.
        """
        self._watchlist = watchlist
        streams = [self._stream.batches(watchlist, lambda ticker: self._tickers.symbol(ticker, watchlist))]
        if self._bars is not None:
            streams.append(self._minutes(self._bars, watchlist))
        async with aclosing(merged(*streams)) as batches:
            async for batch in batches:
                yield batch

    async def _minutes(self, bars: MinuteBars, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while True:
            bars.keep(watchlist.tickers)  # also of what was removed while the stream was away
            if changed := bars.changed(self._clock.now()):
                yield changed
                bars.published(changed)
            await self._clock.sleep(BARS_EVERY)

    def troubles(self) -> Mapping[str, TickerTrouble]:
        """Of each watched ticker that is not served: that it is none of theirs, beyond the limit, refused or halted, or
        that the stream is away."""
        state, heard = self._stream.state, self._heard()
        away = None if state.connected or state.why == IDLE else TickerTrouble(state.why, state.since, state.next_try)
        return {t: trouble for t in self._watchlist if (trouble := self._trouble(t, away, heard)) is not None}

    def _trouble(self, ticker: str, away: TickerTrouble | None, heard: Heard) -> TickerTrouble | None:
        symbol, title = self._tickers.symbol(ticker, self._watchlist), self._plan.title
        since = self._stream.state.since
        if symbol_of(ticker) is None:
            return TickerTrouble(f"{title} streams American shares only, not {ticker}", since)
        if symbol is None:
            limit = f"{self._plan.symbols} symbols at a time ({self._plan.setting})"
            return TickerTrouble(f"{title} streams {limit}; {ticker} is beyond them", since)
        if away is not None:
            return away
        return heard.refused.get(symbol) or (None if symbol in heard.symbols else heard.limited)


class _MarketFeed:
    name: FeedName = "market"

    def __init__(self, source: ShareStreamSource) -> None:
        self._source = source

    def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        return self._source.batches(watchlist)


class Tickers:
    """Which tickers of a watchlist are asked for, by symbol: its first American shares, up to a number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._version: tuple[int, int] | None = None
        self._symbols: dict[str, str] = {}
        self._tickers: dict[str, str] = {}

    def symbol(self, ticker: str, watchlist: Watchlist) -> str | None:
        """The symbol; None if the ticker is not asked for."""
        if self._version != (id(watchlist), watchlist.version):
            shares = [(t, symbol) for t in watchlist if (symbol := symbol_of(t)) is not None]
            self._symbols = dict(shares[: self._most])
            self._tickers = {symbol: t for t, symbol in self._symbols.items()}
            self._version = (id(watchlist), watchlist.version)
        return self._symbols.get(ticker)

    def ticker(self, symbol: str) -> str | None:
        """The ticker asked for under that symbol; None if there is none, for it has been removed."""
        return self._tickers.get(symbol)


def misfit(source: str, frame: str | bytes, reason: str, now: datetime, secrets: Sequence[str] = ()) -> DeadLetter:
    """A dead letter for what the provider sent and does not fit. Secrets go before it is cut."""
    raw = frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace")
    text = redact(raw[:8192].decode("utf-8", "replace"), secrets)
    return DeadLetter(
        ts=now,
        topic=f"{source}:stream",
        partition=0,
        offset=int.from_bytes(hashlib.blake2b(raw, digest_size=6).digest()),
        reason=clean(redact(reason, secrets), 300),
        payload=text[:2048],
    )
