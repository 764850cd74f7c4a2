"""All live sources together: each ticker's market data from one of them, news and posts from all."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.clock import Clock
from pipeline.contract.snapshot import BudgetView
from pipeline.sources.base import Feed, Found, HistoryChunk, Reporting, Share, Source, TickerTrouble
from pipeline.sources.combined import NamedFeed, budgets_of, close_all, histories, search
from pipeline.sources.first_seen import FirstSeen
from pipeline.sources.routing import Route, RoutedFeed


@dataclass(frozen=True)
class Routes:
    """Which sources serve what, by their names. Of `market` (by ticker) and `economic` one serves at a time, the best
    first; `news` and `social` come from all."""

    market: Callable[[str], Sequence[str]]
    economic: Sequence[str] = ()
    news: Sequence[str] = ()
    social: Sequence[str] = ()
    market_names: Sequence[str] = field(default=())


class RoutedSource:
    """The sources that the routes name, as one."""

    name = "auto"
    simulated = False

    def __init__(
        self,
        sources: Sequence[Source],
        routes: Routes,
        close_shared: Callable[[], Awaitable[None]],
        first_seen: FirstSeen,
        clock: Clock,
    ) -> None:
        """`close_shared` closes what the sources have in common, once they are closed. `first_seen` bounds the times of
        their items."""
        self._sources = {source.name: source for source in sources}
        self._routes = routes
        self._close_shared = close_shared
        self._first_seen = first_seen
        self._market = Route(routes.market, self._with("market", routes.market_names), clock)
        self._economic = Route(lambda _: routes.economic, self._with("economic", routes.economic), clock)
        self._feeds = [
            routed
            for source in sources
            for feed in source.feeds()
            if (routed := self._routed(source, feed, clock)) is not None
        ]

    def feeds(self) -> Sequence[Feed]:
        return self._feeds

    def serving(self, ticker: str) -> Sequence[str]:
        """See `Routing`."""
        return self._market.order(ticker)

    def shares(self) -> Mapping[str, Share]:
        """See `Routing`."""
        routes = {"market": self._market, "economic": self._economic}
        return {f"{kind} {source}": share for kind, route in routes.items() for source, share in route.shares().items()}

    def troubles(self) -> Mapping[str, TickerTrouble]:
        """See `Serving`: why a ticker has no market data, or not from the first of its sources."""
        return self._market.troubles()

    def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """That of the source which serves the ticker, then what sources of news and posts have. See `histories`."""
        market = [self._sources[name] for name in self._market.order(ticker)[:1]]
        beside = [self._sources[name] for name in (*self._routes.news, *self._routes.social) if name in self._sources]
        others = [source for source in beside if not _has(source, "market")]
        return histories(ticker, [*market, *others], self._first_seen)

    def budgets(self) -> Sequence[BudgetView]:
        return budgets_of(self._sources.values())

    def ticker_notes(self) -> Mapping[str, str]:
        """What the source of a ticker's market data says of it."""
        notes: dict[str, str] = {}
        for name, source in self._sources.items():
            if isinstance(source, Reporting):
                notes |= {
                    ticker: note for ticker, note in source.ticker_notes().items() if name in self.serving(ticker)[:1]
                }
        return notes

    async def search(self, text: str) -> Sequence[Found]:
        """See `Searching`: by the first source that can."""
        return await search(text, self._sources.values())

    async def close(self) -> None:
        await close_all(self._sources.values(), self._close_shared)

    def _with(self, kind: str, names: Sequence[str]) -> Mapping[str, Source]:
        return {
            name: self._sources[name] for name in names if name in self._sources and _has(self._sources[name], kind)
        }

    def _routed(self, source: Source, feed: Feed, clock: Clock) -> Feed | None:
        named = NamedFeed(f"{feed.name} {source.name}", feed, source.simulated, self._first_seen)
        routes = {"market": self._market, "economic": self._economic}
        if (route := routes.get(feed.name)) is not None:
            return RoutedFeed(named.name, source.name, named, route, clock) if route.has(source.name) else None
        allowed = self._routes.news if feed.name == "news" else self._routes.social
        return named if source.name in allowed else None


def _has(source: Source, kind: str) -> bool:
    return any(feed.name == kind for feed in source.feeds())
