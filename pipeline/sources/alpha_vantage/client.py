"""Asks Alpha Vantage: one method a function of its API, one request a call."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from pipeline.clock import Clock
from pipeline.model.messages import Article, Bar, EconomicPoint, Interval, Quote
from pipeline.net.http import Http, Permit, unlimited
from pipeline.sources.alpha_vantage import replies
from pipeline.sources.alpha_vantage.answer import Answer, ParsedReply
from pipeline.sources.alpha_vantage.symbols import symbol_of

MAX_BULK: Final = 100

EconomicSeries = Literal[
    "REAL_GDP",
    "CPI",
    "INFLATION",
    "FEDERAL_FUNDS_RATE",
    "TREASURY_YIELD",
    "UNEMPLOYMENT",
    "RETAIL_SALES",
    "NONFARM_PAYROLL",
]

ECONOMIC_PARAMETERS: Final[Mapping[EconomicSeries, Mapping[str, str]]] = {
    "REAL_GDP": {"interval": "quarterly"},
    "CPI": {"interval": "monthly"},
    "INFLATION": {},
    "FEDERAL_FUNDS_RATE": {"interval": "monthly"},
    "TREASURY_YIELD": {"interval": "daily", "maturity": "10year"},
    "UNEMPLOYMENT": {},
    "RETAIL_SALES": {},
    "NONFARM_PAYROLL": {},
}


class AlphaVantageClient:
    """Every method raises `HttpError` where no answer came and `AlphaVantageError` where the answer is not data."""

    def __init__(
        self,
        http: Http,
        api_key: str,
        *,
        base_url: str,
        clock: Clock,
        permit: Permit = unlimited,
        attempts: int | None = None,
    ) -> None:
        """`permit` is awaited before each request that leaves, repeated ones included; `attempts` as for `Http.get`."""
        self._http = http
        self._api_key = api_key
        self._clock = clock
        self._url = f"{base_url.rstrip('/')}/query"
        self._permit = permit
        self._attempts = attempts

    async def daily(self, ticker: str, *, full: bool = False) -> ParsedReply[Bar]:
        """Daily bars as traded: the newest 100, or with `full` (premium) more than twenty years."""
        answer = await self._ask("TIME_SERIES_DAILY", ticker, symbol=symbol_of(ticker), outputsize=_size(full))
        return replies.bars(answer, ticker, "daily")

    async def intraday(
        self,
        ticker: str,
        interval: Interval,
        *,
        full: bool = False,
        month: str | None = None,
        extended_hours: bool = False,
    ) -> ParsedReply[Bar]:
        """Bars as traded (premium): the newest 100, or with `full` those of 30 days, or of a month (YYYY-MM)."""
        answer = await self._ask(
            "TIME_SERIES_INTRADAY",
            ticker,
            symbol=symbol_of(ticker),
            interval=interval,
            outputsize=_size(full),
            adjusted="false",
            extended_hours="true" if extended_hours else "false",
            **({"month": month} if month else {}),
        )
        return replies.bars(answer, ticker, interval)

    async def quote(self, ticker: str) -> Quote:
        """The last price; on the free plan that of the last day that is over."""
        return replies.quote(await self._ask("GLOBAL_QUOTE", ticker, symbol=symbol_of(ticker)), ticker)

    async def bulk_quotes(self, tickers: Sequence[str]) -> ParsedReply[Quote]:
        """The last prices of at most 100 tickers (premium); those it does not know are left out."""
        if not 1 <= len(tickers) <= MAX_BULK:
            raise ValueError(f"{len(tickers)} tickers in one request; 1 to {MAX_BULK} are allowed")
        symbols = {symbol_of(ticker): ticker for ticker in tickers}
        return replies.bulk_quotes(await self._ask("REALTIME_BULK_QUOTES", None, symbol=",".join(symbols)), symbols)

    async def news(
        self, ticker: str, *, since: datetime | None = None, until: datetime | None = None, limit: int = 50
    ) -> ParsedReply[Article]:
        """The newest articles that name the ticker, at most `limit` (1000 at most), from `since` to `until`."""
        bounds = {
            name: at.astimezone(UTC).strftime("%Y%m%dT%H%M")
            for name, at in (("time_from", since), ("time_to", until))
            if at is not None
        }
        answer = await self._ask(
            "NEWS_SENTIMENT", ticker, tickers=symbol_of(ticker), sort="LATEST", limit=str(limit), **bounds
        )
        return replies.articles(answer, ticker)

    async def economic(self, series: EconomicSeries) -> ParsedReply[EconomicPoint]:
        """The whole series."""
        parameters = ECONOMIC_PARAMETERS[series]
        return replies.economic_points(await self._ask(series, None, **parameters), parameters.get("interval", ""))

    async def _ask(self, function: str, ticker: str | None, **parameters: str) -> Answer:
        params = {"function": function, **parameters, "apikey": self._api_key}
        body = await self._http.get(self._url, params=params, permit=self._permit, attempts=self._attempts)
        return Answer(body, function, ticker, self._clock.now(), self._api_key)


def _size(full: bool) -> str:
    return "full" if full else "compact"
