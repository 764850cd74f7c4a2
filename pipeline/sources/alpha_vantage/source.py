"""Alpha Vantage as a source: three feeds and a history that share one budget."""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

from pipeline.contract.snapshot import BudgetView
from pipeline.model.messages import AnyMessage, Article, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.alpha_vantage.answer import SOURCE, ParsedReply
from pipeline.sources.alpha_vantage.client import AlphaVantageClient, EconomicSeries
from pipeline.sources.alpha_vantage.errors import NAME
from pipeline.sources.alpha_vantage.load import InitialLoad
from pipeline.sources.alpha_vantage.plan_state import LIVE_QUOTES, Task
from pipeline.sources.alpha_vantage.replies import US_EASTERN
from pipeline.sources.alpha_vantage.scheduler import Answered, RequestScheduler
from pipeline.sources.base import Feed, FeedName, HistoryChunk

log = logging.getLogger(__name__)

ARTICLES: Final = 200
"""Articles in one reply: as many cost no more than few."""
PAGES: Final = 5
"""Replies at most that one look at the news may take, to go back to those that are known."""
OPENED: Final = timedelta(minutes=30)
"""After the open, until a quote that is still yesterday's shows that live quotes are not in the plan."""


class AlphaVantageSource:
    """Live market data, news and economic series, and their history, as far as the plan of the key gives them."""

    name: str = SOURCE
    simulated: bool = False

    def __init__(self, client: AlphaVantageClient, scheduler: RequestScheduler) -> None:
        self._client = client
        self._scheduler = scheduler

    def feeds(self) -> Sequence[Feed]:
        return [_Feed(name, self, self._scheduler) for name in _FEEDS]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """See `InitialLoad`.

        Raises:
            SourceError: if there is no such symbol.
        """
        load = InitialLoad(ticker, self._client, self._scheduler, self.answer)
        with self._scheduler.load():
            async with aclosing(load.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk

    def budgets(self) -> Sequence[BudgetView]:
        return [self._scheduler.view()]

    def ticker_notes(self) -> Mapping[str, str]:
        return self._scheduler.ticker_notes()

    async def close(self) -> None:
        """Nothing is held open, and what must be remembered is on disk already."""

    async def answer(self, task: Task) -> Answered:
        """What the request of a task gives.

        Raises:
            AlphaVantageError: if no request with this key will ever be answered.
        """
        client, scheduler, subject = self._client, self._scheduler, task.subjects[0]
        match task.kind:
            case "bulk":
                return await scheduler.ask(partial(client.bulk_quotes, task.subjects), task)
            case "intraday":
                return await scheduler.ask(partial(client.intraday, subject, "1min"), task)
            case "daily":
                return await scheduler.ask(partial(client.daily, subject), task)
            case "quote":
                answered = await scheduler.ask(partial(self._quote, subject), task)
                await self._learn_of_quotes(answered.messages)
                return answered
            case "news":
                since = (await scheduler.plan_state()).newest("news", subject)
                return await scheduler.ask(partial(self._news, subject, since), task)
            case "economic":
                return await scheduler.ask(partial(client.economic, cast("EconomicSeries", subject)), task)

    async def _quote(self, ticker: str) -> ParsedReply[Quote]:
        return ParsedReply([await self._client.quote(ticker)], [])

    async def _news(self, ticker: str, since: datetime | None) -> ParsedReply[Article]:
        """The articles since then, however many there are; where none are known, the newest."""
        reply = await self._client.news(ticker, since=since, limit=ARTICLES)
        rows, misfits = {row.id: row for row in reply.rows}, list(reply.misfits)
        pages = 1
        while since is not None and reply.items >= ARTICLES:
            # It is full, so older ones are left out. The last minute again: it may have had more of them.
            times = [row.ts for row in reply.rows if row.ts >= since]
            until = min(times, default=since) + timedelta(minutes=1)
            before = len(rows)
            if pages < PAGES and times:
                pages += 1
                reply = await self._client.news(ticker, since=since, until=until, limit=ARTICLES)
                rows = {row.id: row for row in reply.rows} | rows
                misfits += reply.misfits
            if len(rows) == before:
                log.warning(
                    "%s: more news of %s since %s than %d; those before %s are left out",
                    NAME, ticker, f"{since:%Y-%m-%d %H:%M} UTC", len(rows), f"{until:%Y-%m-%d %H:%M} UTC",
                )  # fmt: skip
                break
        return ParsedReply(sorted(rows.values(), key=lambda row: row.ts), misfits)

    async def _learn_of_quotes(self, quotes: Sequence[AnyMessage]) -> None:
        state = await self._scheduler.plan_state()
        trading = next((s for s in state.sessions if s.open + OPENED <= state.now < s.close), None)
        if trading is not None and any(quote.ts.astimezone(US_EASTERN).date() < trading.day for quote in quotes):
            self._scheduler.lacks(LIVE_QUOTES)


_FEEDS: Final[tuple[FeedName, ...]] = ("market", "news", "economic")


class _Feed:
    """One request after the other, each at its time; the next once the last one's messages are taken."""

    def __init__(self, name: FeedName, source: AlphaVantageSource, scheduler: RequestScheduler) -> None:
        self.name: FeedName = name
        self._source = source
        self._scheduler = scheduler

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while True:
            task = await self._scheduler.turn(self.name, watchlist)
            with self._scheduler.under_way(task):
                answered = await self._source.answer(task)
                if answered.messages:
                    yield answered.messages
                if answered.final:
                    self._scheduler.answered(task, answered.messages)
