"""Asks an exchange for the newest candles of each ticker in turn."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Bar, DeadLetter, Interval
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import CircuitOpenError, HttpError, RateLimitedError
from pipeline.net.stream import StreamState
from pipeline.sources.crypto.closes import Closes
from pipeline.sources.crypto.exchange import CryptoExchange, NotTradedError, UnreadableCandlesError
from pipeline.sources.crypto.troubles import TickerTroubles
from pipeline.sources.polling.round_robin import RoundRobin

log = logging.getLogger(__name__)

PERIOD: Final = 60.0
"""Seconds from one turn of a ticker to the next."""
FIRST: Final = timedelta(minutes=290)
"""How far back the first look at a ticker's minutes goes: one page."""
AGAIN: Final = timedelta(minutes=3)
"""Minutes that are asked for once more, for the last trades of one may come late."""
MOST: Final = timedelta(days=1)
"""How far back a later look goes, after a pause; what is older is left to an initial load."""
DAYS: Final = timedelta(days=7)
DAILY_PERIOD: Final = timedelta(hours=1)
"""From one look at the days to the next; a new day is looked at at once."""
NOT_TRADED_PAUSE: Final = 6 * 3600.0
"""Seconds until it is looked again whether the exchange trades a ticker that it did not."""
FAILING_PAUSE: Final = 60.0
"""Seconds for which an exchange is left alone that answers nothing, while its stream is up."""
STARTING_PAUSE: Final = 2.0
"""As much until it is known whether its stream is."""
_REMEMBERED_MISFITS: Final = 1000

_Values = tuple[float | None, ...]


class CandlePoll:
    """One run of the feed's questions; what it remembers ends with it, so that a new run repeats what was lost."""

    def __init__(
        self,
        exchange: CryptoExchange,
        closes: Closes,
        troubles: TickerTroubles,
        clock: Clock,
        link: Callable[[], StreamState | None],
    ) -> None:
        """`link` is the state of the stream, None where there is none."""
        self._exchange = exchange
        self._closes = closes
        self._troubles = troubles
        self._clock = clock
        self._link = link
        self._turns = RoundRobin(PERIOD)
        self._asked: dict[tuple[str, Interval], datetime] = {}
        self._handed_out: dict[tuple[str, Interval], dict[datetime, _Values]] = {}
        self._not_traded: set[str] = set()
        self._failing: set[str] = set()
        self._held_until = clock.monotonic()
        self._misfits: dict[int, None] = {}

    async def batches(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """Bars that are new or have changed. Never ends.

        Raises:
            HttpError: if the exchange answers nothing at all, and its stream is away as well.
        """
        while True:
            version, tickers = watchlist.version, watchlist.tickers
            self._troubles.keep(tickers)
            if not tickers:
                await watchlist.changed_since(version)
                continue
            now = self._clock.monotonic()
            ticker, wait = self._turns.next(tickers, now)
            wait = max(wait, self._held_until - now)
            if wait > 0:
                await first_of(self._clock.sleep(wait), watchlist.changed_since(version))
            elif found := await self._turn(ticker, tickers):
                yield found

    async def _turn(self, ticker: str, tickers: Sequence[str]) -> list[AnyMessage]:
        """What is new on the ticker, which has then had its turn."""
        found: list[AnyMessage] = []
        pause = 0.0
        try:
            await self._exchange.look_up()
            for interval in self._due(ticker):
                found += await self._newest(ticker, interval)
        except NotTradedError as error:
            pause = NOT_TRADED_PAUSE
            self._troubles.refused(ticker, str(error))
            self._not_traded.add(ticker)
        except HttpError as error:
            if isinstance(error, UnreadableCandlesError):
                found += self._new_misfits([error.misfit])
            pause = self._failed(ticker, tickers, error)
        else:
            self._troubles.clear(ticker)
            self._not_traded.discard(ticker)
            self._failing.clear()
        self._turns.asked(ticker, tickers, self._clock.monotonic(), pause)
        return found

    def _due(self, ticker: str) -> list[Interval]:
        """What to ask for now: the days first, for they tell what a quote's change is counted from."""
        now, due = self._clock.now(), list[Interval]()
        days = self._asked.get((ticker, "daily"))
        if days is None or days.date() != now.date() or now - days >= DAILY_PERIOD:
            due.append("daily")
        minutes, link = self._asked.get((ticker, "1min")), self._link()
        streamed = self._exchange.streams_bars and link is not None and link.connected
        if minutes is None or not streamed or link is None or link.since >= minutes:
            due.append("1min")  # also once after the stream has been away, for what it missed
        return due

    async def _newest(self, ticker: str, interval: Interval) -> list[AnyMessage]:
        """The bars that are new or have changed since the last time."""
        now = self._clock.now()
        bars: list[Bar] = []
        misfits: list[DeadLetter] = []
        async with aclosing(self._exchange.pages(ticker, interval, self._since(ticker, interval, now))) as pages:
            async for page in pages:
                bars += page.bars
                misfits += page.misfits
        if interval == "daily":
            self._closes.learn(ticker, bars, now)
        key = ticker, interval
        known = self._handed_out.get(key, {})
        self._handed_out[key] = {bar.ts: _values(bar) for bar in bars}
        self._asked[key] = now
        return [*(bar for bar in bars if known.get(bar.ts) != _values(bar)), *self._new_misfits(misfits)]

    def _since(self, ticker: str, interval: Interval, now: datetime) -> datetime:
        if interval == "daily":
            return now.replace(hour=0, minute=0, second=0, microsecond=0) - DAYS
        asked = self._asked.get((ticker, interval))
        since = now - FIRST if asked is None else max(asked - AGAIN, now - MOST)
        return since.replace(second=0, microsecond=0)

    def _failed(self, ticker: str, tickers: Sequence[str], error: HttpError) -> float:
        """Seconds until the ticker's next turn at the earliest; the others go on if it is alone.

        Raises:
            HttpError: see `batches`.
        """
        if isinstance(error, CircuitOpenError):
            error.retry_after = max(0.0, (error.until - self._clock.now()).total_seconds())
        pause = error.retry_after or 0.0
        self._failing.add(ticker)
        if self._troubles.report(ticker, str(error), again_in=max(pause, PERIOD), lasting=False):
            log.warning("%s: no candles of %s for now: %s", self._exchange.title, ticker, error)
        for_all = isinstance(error, RateLimitedError | CircuitOpenError) or error.permanent
        if isinstance(error, UnreadableCandlesError) or not (
            for_all or self._failing | self._not_traded >= set(tickers)
        ):
            return pause
        link = self._link()
        streamed = any(self._exchange.symbol_of(ticker) is not None for ticker in tickers)
        if link is None or not (streamed and (link.connected or link.next_try is None)):
            error.retry_after = error.retry_after or FAILING_PAUSE
            raise error
        hold = max(pause, FAILING_PAUSE if link.connected else STARTING_PAUSE)
        self._held_until = self._clock.monotonic() + hold
        return hold

    def _new_misfits(self, misfits: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Those that were not handed out before: the same unfit row comes again with every answer."""
        new = [letter for letter in misfits if letter.offset not in self._misfits]
        self._misfits |= dict.fromkeys(letter.offset for letter in new)
        for old in list(self._misfits)[:-_REMEMBERED_MISFITS]:
            del self._misfits[old]
        return new


def _values(bar: Bar) -> _Values:
    return bar.open, bar.high, bar.low, bar.close, bar.volume, bar.closed
