"""Yahoo as a source: its live feed, the history of a ticker, and what can be watched under a name."""

from collections.abc import AsyncGenerator, Mapping, Sequence

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage
from pipeline.sources.base import Feed, HistoryChunk, SourceError, TickerTrouble
from pipeline.sources.yahoo.client import YahooClient
from pipeline.sources.yahoo.errors import NAME, NoSuchSymbolError, NotServedError, UnreadableChartError
from pipeline.sources.yahoo.history import parts
from pipeline.sources.yahoo.market import MarketFeed
from pipeline.sources.yahoo.memory import SplitMemory
from pipeline.sources.yahoo.reply import SOURCE
from pipeline.sources.yahoo.search import Match
from pipeline.sources.yahoo.troubles import Troubles


class YahooSource:
    """Bars, quotes, splits and dividends of everything that Yahoo has a chart of."""

    name: str = SOURCE
    simulated: bool = False

    def __init__(
        self,
        client: YahooClient,
        market: MarketFeed,
        troubles: Troubles,
        memory: SplitMemory,
        clock: Clock,
        years: int,
    ) -> None:
        """`years` of daily bars are a history; 0 is all of them."""
        self._client = client
        self._market = market
        self._troubles = troubles
        self._memory = memory
        self._clock = clock
        self._years = years

    def feeds(self) -> Sequence[Feed]:
        return [self._market]

    def troubles(self) -> Mapping[str, TickerTrouble]:
        return self._troubles.of(self._market.watched)

    async def search(self, text: str) -> Sequence[Match]:
        """What can be watched under that name, the best first.

        Raises:
            HttpError: if no answer came.
        """
        return await self._client.search(text)

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """Daily bars, then those of a minute of the last weeks.

        Raises:
            SourceError: if there is no such symbol. HttpError: if no answer came; trying again may help.
        """
        asked = parts(self._clock.now(), self._years)
        messages, left_out, minutes = 0, list[str](), True
        for number, part in enumerate(asked, 1):
            if part.interval == "1min" and not minutes:
                continue
            found: list[AnyMessage] = []
            try:
                chart = await self._client.chart(ticker, *part)
            except NoSuchSymbolError as error:
                raise SourceError(f"{error}; check its spelling") from error
            except NotServedError as error:
                left_out.append(str(error))
            except UnreadableChartError as error:
                left_out.append(str(error))
                found = [error.misfit]
            else:
                minutes = chart.intraday
                found = [*chart.splits, *chart.dividends, *chart.bars, *chart.misfits]
                self._memory.add(ticker, chart.splits)
            messages += len(found)
            yield HistoryChunk(found, messages, 0, note=f"{number} of {len(asked)} requests")
        left_out += [] if minutes else [f"{NAME} has only daily bars of it"]
        yield HistoryChunk((), messages, messages, note="; ".join(dict.fromkeys(left_out)))

    async def close(self) -> None:
        """Nothing is held open: the feed closes its stream when it ends."""
