"""The recorded hour as a source: everything comes when it came then, by a clock that can be held and made faster."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final, Literal, TypeGuard

from pipeline.clock import Clock
from pipeline.contract.snapshot import BudgetView, ReplayView
from pipeline.model.messages import AnyMessage, Article, Bar, Dividend, EconomicPoint, Post, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, FeedName, HistoryChunk, Source, SourceContext, SourceError
from pipeline.sources.demo.recording import SOURCE, START, TICKERS, read
from pipeline.sources.replay.clock import ReplayClock

_BATCH: Final = 500
_NOT_RECORDED: Final = f"the demo's recording has {', '.join(TICKERS)} only"
_KINDS: Final[dict[FeedName, tuple[type[AnyMessage], ...]]] = {
    "market": (Bar, Quote),
    "news": (Article,),
    "social": (Post,),
    "economic": (EconomicPoint,),
}


def create(context: SourceContext) -> Source:
    """The demo at the speed of the settings."""
    return DemoSource(speed=context.settings.pipeline.pace, clock=context.clock)


class DemoSource:
    """The recording's daily bars and dividends are the history of its tickers; all else is streamed, what came before
    its hour at once. Every message in it is marked as simulated."""

    name: str = SOURCE
    simulated: bool = True

    def __init__(self, *, speed: float | None, clock: Clock) -> None:
        """`speed` is times real time; None is as fast as messages are taken."""
        self._clock = ReplayClock(speed, clock)
        self._feeds = [_RecordedFeed(name, kinds, self._clock) for name, kinds in _KINDS.items()]

    def feeds(self) -> Sequence[Feed]:
        return self._feeds

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """The ticker's daily bars and dividends, oldest first.

        Raises:
            SourceError: if it is not in the recording.
        """
        if ticker not in TICKERS:
            raise SourceError(_NOT_RECORDED)
        recording = await asyncio.to_thread(read)
        bars = [message for message in recording if _is_history(message) and message.ticker == ticker]
        yield HistoryChunk(bars, len(bars), len(bars))

    def budgets(self) -> Sequence[BudgetView]:
        """None: nobody is asked."""
        return ()

    def ticker_notes(self) -> dict[str, str]:
        """Why what the user added has no prices."""
        watched = self._feeds[0].watched
        return {ticker: _NOT_RECORDED for ticker in watched if ticker not in TICKERS}

    def replay(self) -> ReplayView:
        """See `Replaying`."""
        return self._clock.view()

    def set_replay(self, speed: float | Literal["max"] | None, paused: bool | None, *, step: bool) -> None:
        """See `Replaying`."""
        self._clock.change(speed, paused, step=step)

    async def close(self) -> None:
        """Nothing is held open."""


class _RecordedFeed:
    """What is of some kinds, once over its whole life, however often it is started. It ends with the recording.

    A batch whose publication failed is handed out again.
    """

    def __init__(self, name: FeedName, kinds: tuple[type[AnyMessage], ...], clock: ReplayClock) -> None:
        self.name = name
        self.watched: Watchlist | tuple[str, ...] = ()
        self._kinds = kinds
        self._clock = clock
        self._done = 0

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`. What comes while its ticker is not watched is left out."""
        self.watched = watchlist
        recording = await asyncio.to_thread(read)
        ours = [message for message in recording if isinstance(message, self._kinds) and not _is_history(message)]
        self._clock.start(START)
        while self._done < len(ours):
            coming = ours[self._done : self._done + _BATCH]
            if self.name == "market" and self._clock.takes_step():
                self._clock.skip_to(coming[0].ts)
            now = self._clock.now()
            due = [message for message in coming if message.ts <= now]
            if not due:
                await self._clock.sleep_until(coming[0].ts)
                continue
            self._clock.reached(max(START, due[-1].ts))
            if batch := [message for message in due if getattr(message, "ticker", None) in (None, *watchlist)]:
                yield batch
            self._done += len(due)
        if self.name == "market":
            self._clock.end()


def _is_history(message: AnyMessage) -> TypeGuard[Bar | Dividend]:
    return isinstance(message, Dividend) or (isinstance(message, Bar) and message.interval == "daily")
