"""Which number the SEC has given the company of a ticker, its CIK: from `company_tickers.json`, once a day."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from pipeline.clock import Clock
from pipeline.net.errors import HttpError
from pipeline.net.http import Http, Permit
from pipeline.sources.polling.items import ReplyError
from pipeline.storage.statefile import StateFile

log = logging.getLogger(__name__)

FRESH: Final = 86_400.0
"""Seconds for which a list is used."""
AGAIN: Final = 900.0
"""Seconds until the next try for a new list, while there is an old one."""


class _Company(Struct):
    cik_str: Annotated[int, Meta(ge=1, le=9_999_999_999)]
    ticker: str


class _Known(Struct):
    """The list as of `at`, in seconds since the epoch."""

    at: float = 0.0
    ciks: dict[str, int] = {}


_LIST: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_COMPANY: Final = msgspec.json.Decoder(_Company)


class Companies:
    """The list, kept in a file across restarts. An old one is better than none."""

    def __init__(self, http: Http, url: str, path: Path, clock: Clock, permit: Permit, user_agent: str) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._permit = permit
        self._headers = {"User-Agent": user_agent}
        self._file = StateFile(path, _Known)
        self._known = self._file.load() or _Known()
        self._not_before = 0.0
        self._asking = asyncio.Lock()

    async def cik(self, ticker: str) -> int | None:
        """The company's number; None where the SEC lists none. `BRK.B` and `BRK-B` are the same share.

        Raises:
            HttpError: if there is no list, old or new.
        """
        async with self._asking:
            now = self._clock.now().timestamp()
            if not 0 <= now - self._known.at < FRESH and now >= self._not_before:
                await self._renew(now)
        return self._known.ciks.get(ticker.replace(".", "-"))

    async def _renew(self, now: float) -> None:
        try:
            body = await self._http.get(self._url, headers=self._headers, permit=self._permit)
            self._known = _Known(now, _ciks(body))
        except HttpError as error:
            if not self._known.ciks:
                raise
            self._not_before = now + AGAIN
            log.warning("the list of companies stays that of an earlier day: %s", error)
        else:
            self._file.save(self._known)


def _ciks(body: bytes) -> dict[str, int]:
    """The numbers by ticker, of the companies that fit.

    Raises:
        ReplyError: if none does.
    """
    try:
        rows = _LIST.decode(body)
    except (ValueError, RecursionError) as error:
        raise ReplyError("edgar", "the list of companies is not as documented") from error
    found: dict[str, int] = {}
    for raw in rows.values():
        try:
            company = _COMPANY.decode(raw)
        except (ValueError, RecursionError):
            continue
        found.setdefault(company.ticker.upper(), company.cik_str)
    if len(found) < len(rows) or not found:
        log.info("%d of %d rows in the list of companies give a ticker", len(found), len(rows))
    if not found:
        raise ReplyError("edgar", "the list of companies holds none")
    return found
