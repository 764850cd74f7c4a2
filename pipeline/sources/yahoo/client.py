"""Asks Yahoo: for a chart, and for symbols by name. One request a call, from the first of its hosts that answers."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from pipeline.clock import Clock
from pipeline.model.messages import Interval
from pipeline.net.errors import CircuitOpenError, HttpError, RateLimitedError, RefusedError, UnavailableError
from pipeline.net.http import Http
from pipeline.net.rate_limit import RateLimiter
from pipeline.net.request_budget import RateLimit
from pipeline.sources.yahoo.chart import GRANULARITIES, ChartReply, read_chart
from pipeline.sources.yahoo.reply import Asked, refusal_in
from pipeline.sources.yahoo.search import Match, matches
from pipeline.sources.yahoo.symbols import symbol_of

log = logging.getLogger(__name__)

RATES: Final = (RateLimit(2, 1.0),)
"""Those are ours: Yahoo names none."""
AT_ONCE: Final = 4
LEFT_ALONE: Final = 60.0
"""Seconds that a host that failed comes after the other."""
FOUND: Final = 10
"""Symbols that a search gives at most."""


class TimeSpan(NamedTuple):
    """From `start` until before `end`."""

    start: datetime
    end: datetime


class _Refused(NamedTuple):
    """What a host says with a status from 400 to 499 that concerns one request only."""

    status: int
    body: bytes


class YahooClient:
    """Asks within the rates of the limiter."""

    def __init__(self, http: Http, base_urls: Sequence[str], clock: Clock, limiter: RateLimiter) -> None:
        """`base_urls` are hosts with the same data, the one to ask first before the others."""
        self._http = http
        self._base_urls = tuple(dict.fromkeys(base_urls))
        self._clock = clock
        self._limiter = limiter
        self._left_until: dict[str, float] = {}

    async def chart(
        self, ticker: str, interval: Interval, span: TimeSpan | str = "1d", *, since: datetime | None = None
    ) -> ChartReply:
        """Bars of the span, or of a range that ends now: `1d`, `5d`, `1mo`, `1y` …, and the last price.

        Those before `since` are not read. Bars of a minute go back 30 days, at most 7 of them at a time.

        Raises:
            SymbolError: if there are no data of this symbol; others are not affected.
            HttpError: if no answer came, from any host.
        """
        params = {"interval": GRANULARITIES[interval], "includePrePost": "true", "events": "div,split"}
        if isinstance(span, str):
            params["range"] = span
        else:
            params |= {"period1": str(int(span.start.timestamp())), "period2": str(int(span.end.timestamp()))}
        body = await self._ask(f"/v8/finance/chart/{quote(symbol_of(ticker), safe='')}", params)
        now = self._clock.now()
        if isinstance(body, bytes):
            return read_chart(body, ticker, interval, now, since)
        refusal = refusal_in(body.body, Asked(ticker, GRANULARITIES[interval], now))
        if refusal is None:
            raise HttpError("Yahoo", f"it refuses {ticker} with status {body.status}, and does not say why")
        raise refusal

    async def search(self, text: str) -> list[Match]:
        """What can be watched under that name, the best first.

        Raises:
            HttpError: if no answer came, or none that can be read.
        """
        params = {"q": text, "quotesCount": str(FOUND), "newsCount": "0", "listsCount": "0"}
        body = await self._ask("/v1/finance/search", params)
        try:
            return matches(body if isinstance(body, bytes) else body.body)
        except ValueError as error:
            raise HttpError("Yahoo", "the answer to a search cannot be read") from error

    async def _ask(self, path: str, params: Mapping[str, str]) -> bytes | _Refused:
        """JSON, from the first host that has some.

        Raises:
            HttpError: that of the host asked last. RateLimitedError and RefusedError at once: they are meant for us,
                and to ask the next host would be to evade them.
        """
        *first, last = self._hosts()
        async with self._limiter.slot():
            for url in first:
                try:
                    return await self._ask_host(url, path, params)
                except (RateLimitedError, RefusedError):
                    raise
                except HttpError as error:
                    log.debug("%s; the next host is asked", error)
            return await self._ask_host(last, path, params)

    async def _ask_host(self, url: str, path: str, params: Mapping[str, str]) -> bytes | _Refused:
        try:
            return await self._asked(url, path, params)
        except (RateLimitedError, RefusedError, CircuitOpenError):
            raise
        except HttpError:
            self._left_until[url] = self._clock.monotonic() + LEFT_ALONE
            raise

    async def _asked(self, url: str, path: str, params: Mapping[str, str]) -> bytes | _Refused:
        try:
            body = await self._http.get(f"{url}{path}", params=params, permit=self._limiter.permit, attempts=1)
        except RefusedError as error:
            if error.permanent:
                raise
            if not _is_json(error.body):
                raise UnavailableError(error.provider, f"{error.cause}, without a word of Yahoo's") from error
            return _Refused(error.status, error.body)
        if not _is_json(body):
            shown = "a web page" if body.lstrip().startswith(b"<") else "something"
            raise UnavailableError(url.partition("://")[2], f"it sends {shown} instead of data")
        return body

    def _hosts(self) -> list[str]:
        """All of them, those that failed lately last."""
        now = self._clock.monotonic()
        return sorted(self._base_urls, key=lambda url: self._left_until.get(url, now) > now)


def _is_json(body: bytes) -> bool:
    return body.lstrip().startswith(b"{")
