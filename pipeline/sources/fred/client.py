"""Asks FRED for one series a request: by its API where there is a key, else by the table behind a graph.

https://fred.stlouisfed.org/docs/api/fred/series_observations.html; `fredgraph.csv?id=…&cosd=YYYY-MM-DD` is what the web
site offers for download.
"""

from datetime import date
from http import HTTPStatus
from typing import Final

from pipeline.clock import Clock
from pipeline.config.sources import FredSettings
from pipeline.model.messages import DeadLetter, EconomicPoint
from pipeline.net.errors import RefusedError
from pipeline.net.http import Http
from pipeline.net.rate_limit import RateLimiter
from pipeline.net.request_budget import RateLimit
from pipeline.sources.base import SourceError
from pipeline.sources.fred.replies import read_csv, read_json
from pipeline.sources.fred.series import FredSeries

RATES: Final = (RateLimit(1, 1.0),)
"""The API allows 120 a minute."""


class FredClient:
    """Every method raises `HttpError` where no series came, and `SourceError` where the key is refused."""

    def __init__(self, http: Http, settings: FredSettings, clock: Clock) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._permit = RateLimiter(clock, RATES, at_once=1).permit

    async def observations(
        self, series: FredSeries, since: date | None = None
    ) -> tuple[list[EconomicPoint], list[DeadLetter]]:
        """The series from that day on, or all of it: its points, oldest first, and what does not fit."""
        settings = self._settings
        if not settings.api_key:
            params = {"id": series.id} | ({"cosd": since.isoformat()} if since else {})
            body = await self._http.get(f"{settings.base_url}/graph/fredgraph.csv", params=params, permit=self._permit)
            return read_csv(body, series, self._clock.now())
        params = {"series_id": series.id, "api_key": settings.api_key, "file_type": "json"}
        params |= {"observation_start": since.isoformat()} if since else {}
        url = f"{settings.api_url}/fred/series/observations"
        try:
            body = await self._http.get(url, params=params, permit=self._permit)
        except RefusedError as error:
            if error.status == HTTPStatus.BAD_REQUEST and b"api_key" in error.body:
                raise SourceError(
                    "FRED does not accept the API key; check FRED_API_KEY, or unset it: the series come without one too"
                ) from error
            raise
        return read_json(body, series, self._clock.now(), settings.api_key)
