"""Asks Coinbase Exchange for its pairs and their candles."""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from pipeline.clock import Clock
from pipeline.model.messages import Interval
from pipeline.net.errors import RefusedError
from pipeline.net.http import Http, Permit, unlimited
from pipeline.sources.coinbase import replies
from pipeline.sources.coinbase.replies import NAME, TITLE
from pipeline.sources.crypto.candles import LENGTHS
from pipeline.sources.crypto.exchange import Candles, NotTradedError
from pipeline.sources.crypto.pairs import pair_of

PAGE: Final = 299
"""Candles of a page: 300 are allowed, and both ends of the time asked for may count."""
PRODUCTS_LAST: Final = 6 * 3600.0
"""Seconds until it is asked again which pairs there are."""
PRODUCTS_RETRY: Final = 600.0
"""As much when there was no answer."""


class CoinbaseExchange:
    """See `CryptoExchange`. A pair has the same name there as here."""

    name: str = NAME
    title: str = TITLE
    reach: Mapping[Interval, timedelta] = {"daily": timedelta(days=5 * 365), "1min": timedelta(days=2)}
    limit_note: str = ""
    streams_bars: bool = False

    def __init__(self, http: Http, base_url: str, clock: Clock, permit: Permit = unlimited) -> None:
        """`permit` is awaited before each request that leaves."""
        self._http = http
        self._base_url = base_url
        self._clock = clock
        self._permit = permit
        self._products: frozenset[str] | None = None
        self._look_at = clock.monotonic()

    def symbol_of(self, ticker: str) -> str | None:
        """See `CryptoExchange`. As long as it is not known which pairs there are, each may be one."""
        traded = pair_of(ticker) is not None if self._products is None else ticker in self._products
        return ticker if traded else None

    async def look_up(self) -> None:
        """See `CryptoExchange`. What fails is tried again later: candles can be had without."""
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + PRODUCTS_RETRY
        body = await self._http.get(f"{self._base_url}/products", permit=self._permit)
        self._products = replies.products(body, self._clock)
        self._look_at = now + PRODUCTS_LAST

    async def pages(self, ticker: str, interval: Interval, since: datetime) -> AsyncGenerator[Candles]:
        """See `CryptoExchange`."""
        length = LENGTHS[interval]
        start, now = since, self._clock.now()
        while start <= now:
            following = start + PAGE * length
            page = await self._candles(ticker, interval, start, min(following, now))
            # Some may be older than what is asked for, and whether the end belongs to it is not said.
            yield Candles([bar for bar in page.bars if start <= bar.ts < following], page.misfits)
            start = following

    async def _candles(self, ticker: str, interval: Interval, start: datetime, end: datetime) -> Candles:
        url = f"{self._base_url}/products/{quote(ticker, safe='')}/candles"
        params = {
            "granularity": f"{LENGTHS[interval].total_seconds():.0f}",
            "start": start.isoformat(timespec="seconds"),
            "end": end.isoformat(timespec="seconds"),
        }
        if self.symbol_of(ticker) is None:
            raise NotTradedError(TITLE, ticker)
        try:
            body = await self._http.get(url, params=params, permit=self._permit)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise NotTradedError(TITLE, ticker) from error
            raise
        return replies.candles(body, ticker, interval, self._clock)
