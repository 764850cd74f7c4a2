"""Yahoo's charts as a live feed: every ticker in turn, within the rates."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Dividend, Quote, Split
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import CircuitOpenError, HttpError, RateLimitedError
from pipeline.sources.base import FeedName
from pipeline.sources.yahoo.chart import DELAY, ChartReply
from pipeline.sources.yahoo.client import AT_ONCE, YahooClient
from pipeline.sources.yahoo.errors import NAME, NothingError, NotServedError, SymbolError, UnreadableChartError
from pipeline.sources.yahoo.history import parts
from pipeline.sources.yahoo.memory import SplitMemory
from pipeline.sources.yahoo.published import Misfits, Published
from pipeline.sources.yahoo.schedule import Question, Schedule
from pipeline.sources.yahoo.trading import SymbolHours
from pipeline.sources.yahoo.troubles import Troubles

log = logging.getLogger(__name__)

LOOK: Final = 5.0
"""Seconds at most until a change of focus, of which nobody tells, is seen."""
RATE_LIMITED_PAUSE: Final = 300.0
"""Seconds to leave Yahoo alone that says "too many requests" and not for how long."""
OUT_OF_REACH: Final = 3
"""So many tickers, or all, fail without an answer in between when it is Yahoo that is out of reach."""


@dataclass(slots=True)
class _Batch:
    """What an answer gives, and what to do once it is taken."""

    messages: list[AnyMessage] = field(default_factory=list)
    taken: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Known:
    """What is known of a ticker from its answers."""

    published: Published = field(default_factory=Published)
    without_minutes: bool = False
    """Funds have daily bars only."""
    quoted_at: datetime | None = None
    """The time of the last quote from the stream."""
    trading: SymbolHours | None = None
    missing: bool = False
    """Whether the last answer was that there are no data."""
    adjusting: list[Split] = field(default_factory=list)
    """Splits for which the history is being handed out anew."""


class ChartFeed:
    """Bars of a minute, daily bars and quotes."""

    name: FeedName = "market"

    def __init__(
        self, client: YahooClient, schedule: Schedule, troubles: Troubles, memory: SplitMemory, clock: Clock, years: int
    ) -> None:
        """`years` of daily bars are handed out anew after a split."""
        self._client = client
        self._schedule = schedule
        self._troubles = troubles
        self._memory = memory
        self._clock = clock
        self._years = years
        self._known: dict[str, _Known] = {}
        self._misfits = Misfits()
        self._failing: set[str] = set()

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`. What fails for one ticker is one of its troubles, and the others go on.

        Raises:
            HttpError: if the charts are out of reach altogether.
        """
        asked: dict[asyncio.Task[ChartReply], Question] = {}
        try:
            while True:
                version = watchlist.version
                self._watch(watchlist)
                wait = self._ask_due(watchlist, asked)
                answers = [asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)] if asked else []
                await first_of(self._clock.sleep(min(wait, LOOK)), watchlist.changed_since(version), *answers)
                for answer in [answer for answer in asked if answer.done()]:
                    question = asked.pop(answer)
                    self._schedule.asking(question, False)
                    if question.ticker not in watchlist:
                        answer.exception()  # looked at, so that nobody misses it
                        continue
                    batch = self._batch(question, answer)
                    if batch.messages:
                        yield batch.messages
                    batch.taken()  # only now are they published: a feed stopped before finds them again
        finally:
            for answer, question in asked.items():
                answer.cancel()
                self._schedule.asking(question, False)
            await asyncio.gather(*asked, return_exceptions=True)

    def heard(self, messages: Sequence[AnyMessage]) -> None:
        """Note quotes that came another way: older ones from charts are not handed out after them."""
        for message in messages:
            if isinstance(message, Quote):
                known = self._known.setdefault(message.ticker, _Known())
                known.quoted_at = max(known.quoted_at or message.ts, message.ts)

    def any_open(self) -> bool:
        """Whether any exchange of a watched ticker is open, as far as is known."""
        now = self._clock.now()
        return any(known.trading is None or known.trading.is_open(now) for known in self._known.values())

    def _watch(self, watchlist: Watchlist) -> None:
        self._schedule.watch(watchlist.tickers)
        self._troubles.keep(watchlist.tickers)
        self._failing.intersection_update(watchlist.tickers)
        for gone in self._known.keys() - set(watchlist.tickers):
            del self._known[gone]

    def _ask_due(self, watchlist: Watchlist, asked: dict[asyncio.Task[ChartReply], Question]) -> float:
        """Ask what is due, as far as that may be done at once; seconds until the next is due."""
        # While nothing is answered, one question has to show whether anything is: others would be refused meanwhile by
        # the circuit that lets it through, and end the feed before its answer comes.
        while len(asked) < (1 if self._failing else AT_ONCE):
            question, wait = self._schedule.next(watchlist.focus, self._clock.monotonic())
            if question is None:
                return wait
            self._schedule.asking(question)
            asked[asyncio.create_task(self._ask(question))] = question
        return math.inf

    async def _ask(self, question: Question) -> ChartReply:
        """
        Raises:
            SymbolError: if there are no data of the ticker. HttpError: if no answer came.
        """
        if question.part is not None:
            return await self._client.chart(question.ticker, *question.part)
        if question.kind == "daily":
            return await self._client.chart(question.ticker, "daily", "1mo")
        known = self._of(question.ticker)
        if known.without_minutes:
            return await self._client.chart(question.ticker, "daily", "5d")
        return await self._client.chart(question.ticker, "1min", "1d", since=known.published.since("1min"))

    def _of(self, ticker: str) -> _Known:
        return self._known.setdefault(ticker, _Known())

    def _batch(self, question: Question, answer: asyncio.Task[ChartReply]) -> _Batch:
        """
        Raises:
            HttpError: if Yahoo is out of reach altogether.
        """
        try:
            chart = answer.result()
        except SymbolError as error:
            self._failing.clear()
            return self._without(question, error)
        except HttpError as error:
            self._failing.add(question.ticker)
            self._raise_if_out_of_reach(error)
            self._schedule.put_off(question, self._clock.monotonic(), self._troubles.add(question.ticker, error))
            return _Batch()
        self._failing.clear()
        return self._with(question, chart)

    def _raise_if_out_of_reach(self, error: HttpError) -> None:
        match error:
            case RateLimitedError():
                error.retry_after = error.retry_after or RATE_LIMITED_PAUSE
                raise error
            case CircuitOpenError():
                error.retry_after = max(0.0, (error.until - self._clock.now()).total_seconds())
        served = sum(not known.missing for known in self._known.values())
        if error.permanent or len(self._failing) >= min(OUT_OF_REACH, served):
            raise error

    def _without(self, question: Question, error: SymbolError) -> _Batch:
        """There are no data: of this interval, or of the ticker."""
        now, known = self._clock.monotonic(), self._of(question.ticker)
        misfits = self._misfits.new([error.misfit] if isinstance(error, UnreadableChartError) else [])
        if isinstance(error, NotServedError) and question.kind == "again":
            self._schedule.answered(question, now)
        elif isinstance(error, NotServedError) and question.kind == "live" and not known.without_minutes:
            known.without_minutes = True
            self._schedule.put_off(question, now, 0.0)
        else:
            known.missing, known.without_minutes = True, False
            self._schedule.put_off(question, now, self._troubles.add(question.ticker, error))
        return _Batch(list[AnyMessage](misfits), lambda: self._misfits.add(misfits))

    def _with(self, question: Question, chart: ChartReply) -> _Batch:
        """What is new in the chart."""
        known = self._of(question.ticker)
        known.trading = chart.trading
        known.without_minutes = not chart.intraday
        if question.kind == "live":
            if chart.quote is None and not chart.bars and not chart.misfits:
                return self._without(question, NothingError(question.ticker))
            self._troubles.clear(question.ticker)
            known.missing = False
        if question.kind != "again":
            self._plan(question, chart)  # also if it is not taken, for it is the same until it has aged
        self._adjust(question, chart, known)
        bars = chart.bars if question.kind == "again" else known.published.new_bars(chart.bars)
        quote = chart.quote if question.kind == "live" and self._is_news(chart.quote, known) else None
        told: Sequence[Split | Dividend] = [*chart.splits, *chart.dividends]
        events = known.published.new_events(told)
        misfits = self._misfits.new(chart.misfits)

        def taken() -> None:
            known.published.add(bars, quote, events)
            self._misfits.add(misfits)
            if question.kind == "again":
                self._schedule.answered(question, self._clock.monotonic())
            self._remember(question, chart, known)

        return _Batch([*events, *bars, *([quote] if quote else []), *misfits], taken)

    def _is_news(self, quote: Quote | None, known: _Known) -> bool:
        if quote is None or not known.published.is_new(quote):
            return False
        return known.quoted_at is None or quote.ts > known.quoted_at

    def _plan(self, question: Question, chart: ChartReply) -> None:
        """When to ask again; and to look at the daily bars once the day's is final."""
        now, mono, hours = self._clock.now(), self._clock.monotonic(), chart.trading
        opens = hours.next_open(now)
        opens_in = (opens - now).total_seconds() if opens else None
        self._schedule.answered(question, mono, is_open=hours.is_open(now, DELAY), opens_in=opens_in)
        if hours.regular is not None:
            final_in = hours.regular.end + DELAY.total_seconds() - now.timestamp()
            if final_in > 0:
                self._schedule.daily_at(question.ticker, mono + final_in)

    def _adjust(self, question: Question, chart: ChartReply, known: _Known) -> None:
        """Have the history asked for anew if there is a split that what was handed out is not adjusted for."""
        told = [(split.ts, split.numerator) for split in known.adjusting]
        unseen = [s for s in self._memory.unseen(question.ticker, chart.splits) if (s.ts, s.numerator) not in told]
        if unseen:
            log.info("%s: %s was split on %s; its history is loaded anew", NAME, question.ticker, unseen[-1].ts.date())
            known.adjusting += unseen
            self._schedule.again(question.ticker, parts(self._clock.now(), self._years), self._clock.monotonic())

    def _remember(self, question: Question, chart: ChartReply, known: _Known) -> None:
        """The splits that all that was handed out is adjusted for."""
        if not known.adjusting:
            self._memory.add(question.ticker, chart.splits)
        elif question.kind == "again" and not self._schedule.parts_left(question.ticker):
            self._memory.add(question.ticker, known.adjusting)
            known.adjusting = []
