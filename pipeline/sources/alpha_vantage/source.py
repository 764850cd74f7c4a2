"""Alpha Vantage as a source: three feeds and a history that share one budget."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, cast

from pipeline.messages import AnyMessage, Quote
from pipeline.snapshot import BudgetView
from pipeline.sources.alpha_vantage.answer import SOURCE, Reply
from pipeline.sources.alpha_vantage.client import AlphaVantageClient, EconomicSeries
from pipeline.sources.alpha_vantage.desk import Answered, Desk
from pipeline.sources.alpha_vantage.load import InitialLoad
from pipeline.sources.alpha_vantage.replies import US_EASTERN
from pipeline.sources.base import Feed, FeedName, HistoryChunk
from pipeline.sources.situation import LIVE_QUOTES, Task, key_of
from pipeline.watchlist import Watchlist

ARTICLES: Final = 200
"""Articles in one reply: as many cost no more than few."""
OPENED: Final = timedelta(minutes=30)
"""After the open, until a quote that is still yesterday's shows that live quotes are not in the plan."""


class AlphaVantageSource:
    """Live market data, news and economic series, and their history, as far as the plan of the key gives them."""

    name: str = SOURCE
    simulated: bool = False

    def __init__(self, client: AlphaVantageClient, desk: Desk) -> None:
        self._client = client
        self._desk = desk

    def feeds(self) -> Sequence[Feed]:
        return [_Feed(name, self, self._desk) for name in _FEEDS]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """See `InitialLoad`.

        Raises:
            SourceError: if there is no such symbol.
        """
        load = InitialLoad(ticker, self._client, self._desk, self.answer)
        with self._desk.load():
            async with aclosing(load.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk

    def budgets(self) -> Sequence[BudgetView]:
        return [self._desk.view()]

    def ticker_notes(self) -> Mapping[str, str]:
        return self._desk.ticker_notes()

    async def close(self) -> None:
        """Nothing is held open, and what must be remembered is on disk already."""

    async def answer(self, task: Task) -> Answered:
        """What the request of a task gives.

        Raises:
            AlphaVantageError: if no request with this key will ever be answered.
        """
        client, desk, subject = self._client, self._desk, task.subjects[0]
        match task.kind:
            case "bulk":
                return await desk.ask(partial(client.bulk_quotes, task.subjects), task)
            case "intraday":
                return await desk.ask(partial(client.intraday, subject, "1min"), task)
            case "daily":
                return await desk.ask(partial(client.daily, subject), task)
            case "quote":
                answered = await desk.ask(partial(self._quote, subject), task)
                await self._learn_of_quotes(answered.messages)
                return answered
            case "news":
                newest = desk.memory.facts.known.newest.get(key_of("news", subject))
                since = None if newest is None else datetime.fromtimestamp(newest, UTC)
                return await desk.ask(partial(client.news, subject, since=since, limit=ARTICLES), task)
            case "economic":
                return await desk.ask(partial(client.economic, cast("EconomicSeries", subject)), task)

    async def _quote(self, ticker: str) -> Reply[Quote]:
        return Reply([await self._client.quote(ticker)], [])

    async def _learn_of_quotes(self, quotes: Sequence[AnyMessage]) -> None:
        situation = await self._desk.situation()
        trading = next((s for s in situation.sessions if s.open + OPENED <= situation.now < s.close), None)
        if trading is not None and any(quote.ts.astimezone(US_EASTERN).date() < trading.day for quote in quotes):
            self._desk.lacks(LIVE_QUOTES)


_FEEDS: Final[tuple[FeedName, ...]] = ("market", "news", "economic")


class _Feed:
    """One request after the other, each at its time; the next once the last one's messages are taken."""

    def __init__(self, name: FeedName, source: AlphaVantageSource, desk: Desk) -> None:
        self.name: FeedName = name
        self._source = source
        self._desk = desk

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while True:
            task = await self._desk.turn(self.name, watchlist)
            with self._desk.under_way(task):
                answered = await self._source.answer(task)
                if answered.messages:
                    yield answered.messages
                if answered.final:
                    self._desk.answered(task, answered.messages)
