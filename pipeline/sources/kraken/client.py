"""Asks Kraken for candles."""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta
from typing import Final

from pipeline.clock import Clock
from pipeline.model.messages import Interval
from pipeline.net.http import Http, Permit, unlimited
from pipeline.sources.crypto.candles import LENGTHS
from pipeline.sources.crypto.exchange import Candles, NotTradedError
from pipeline.sources.kraken import replies
from pipeline.sources.kraken.replies import NAME, TITLE
from pipeline.sources.kraken.symbols import pair_name_of, symbol_of

ROWS: Final = 720
"""Candles that there are of each interval, whatever is asked for."""


class KrakenExchange:
    """See `CryptoExchange`. Which pairs there are is learnt by asking for them."""

    name: str = NAME
    title: str = TITLE
    reach: Mapping[Interval, timedelta] = {"daily": ROWS * timedelta(days=1), "1min": ROWS * timedelta(minutes=1)}
    limit_note: str = f"{TITLE} has no more than the newest {ROWS} bars of each interval"
    streams_bars: bool = True

    def __init__(self, http: Http, base_url: str, clock: Clock, permit: Permit = unlimited) -> None:
        """`permit` is awaited before each request that leaves."""
        self._http = http
        self._url = f"{base_url}/0/public/OHLC"
        self._clock = clock
        self._permit = permit

    def symbol_of(self, ticker: str) -> str | None:
        """See `CryptoExchange`."""
        return symbol_of(ticker)

    async def look_up(self) -> None:
        """See `CryptoExchange`; nothing has to be known."""

    async def pages(self, ticker: str, interval: Interval, since: datetime) -> AsyncGenerator[Candles]:
        """See `CryptoExchange`; there is one page."""
        pair = pair_name_of(ticker)
        if pair is None:
            raise NotTradedError(TITLE, ticker)
        length = LENGTHS[interval]
        params = {
            "pair": pair,
            "interval": f"{length.total_seconds() / 60:.0f}",
            "since": f"{since.timestamp() - 1:.0f}",  # those after it are given
        }
        body = await self._http.get(self._url, params=params, permit=self._permit)
        yield replies.candles(body, ticker, interval, self._clock)
