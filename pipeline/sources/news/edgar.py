"""Filings of companies with the SEC as news, from the submissions of EDGAR.

https://www.sec.gov/search-filings/edgar-application-programming-interfaces: `CIK##########.json` holds at least a
company's filings of the last year, newest first, in columns of equal length. Programs have to name somebody who can be
written to, and to stay below ten requests a second.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from pipeline import __version__
from pipeline.clock import Clock
from pipeline.config.sources import EdgarSettings
from pipeline.model.messages import Article, DeadLetter
from pipeline.net.errors import RefusedError
from pipeline.net.http import Http, Permit, unlimited
from pipeline.net.rate_limit import RateLimiter
from pipeline.net.request_budget import RateLimit
from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.news.article import article, polled
from pipeline.sources.news.companies import Companies
from pipeline.sources.news.forms import AMENDED, title_of
from pipeline.sources.outside import moment, text_or_none
from pipeline.sources.polling.items import (
    BlockedError,
    Page,
    ReplyError,
    UnknownTickerError,
    decoded,
    digest_of,
    misfit,
)

NAME: Final = "edgar"
PUBLISHER: Final = "SEC EDGAR"
SPACING: Final = 5.0
"""Seconds between two tickers."""
RATES: Final = (RateLimit(2, 1.0),)
"""The SEC allows ten a second."""
NEWEST: Final = 40
"""Filings of one company that are looked at."""
NEW_YORK: Final = ZoneInfo("America/New_York")
OPEN: Final = range(6, 22)
"""Hours of New York in which EDGAR accepts filings."""
_ARCHIVES: Final = "https://www.sec.gov/Archives/edgar/data"
_ACCESSION: Final = re.compile(r"\d{10}-\d{2}-\d{6}", re.ASCII)


def create(context: SourceContext) -> Source:
    """EDGAR as the settings want it.

    Raises:
        NotConfiguredError: if there is no address to name.
    """
    settings = context.settings.edgar
    if not settings.contact:
        raise NotConfiguredError(
            "no contact: the SEC asks programs to name an e-mail address (edgar.contact, FINTRENDS_EDGAR__CONTACT)"
        )
    clock, agent = context.clock, user_agent(settings.contact)
    permit = RateLimiter(clock, RATES, at_once=1).permit
    url, path = f"{settings.base_url}/files/company_tickers.json", context.data_dir / "edgar_companies.json"
    companies = Companies(context.http, url, path, clock, permit, agent)
    return polled(context, Edgar(context.http, settings, companies, clock, permit), SPACING)


def user_agent(contact: str) -> str:
    """As the SEC wants it: a name, and whom to write to."""
    return f"fintrends-tui/{__version__} {contact}"


class Edgar:
    """The submissions of companies."""

    name = NAME

    def __init__(
        self, http: Http, settings: EdgarSettings, companies: Companies, clock: Clock, permit: Permit = unlimited
    ) -> None:
        """`permit` is awaited before each request that leaves."""
        self._http = http
        self._settings = settings
        self._companies = companies
        self._clock = clock
        self._permit = permit

    async def page(self, ticker: str, older: str | None) -> Page:  # noqa: ARG002
        """The newest filings of the forms that are wanted; older ones are not asked for. See `ItemProvider.page`."""
        try:
            cik = await self._companies.cik(ticker)
            if cik is None:
                raise UnknownTickerError(NAME, f"the SEC lists no company with the ticker {ticker}")
            url = f"{self._settings.data_url}/submissions/CIK{cik:010}.json"
            headers = {"User-Agent": user_agent(self._settings.contact)}
            body = await self._http.get(url, headers=headers, permit=self._permit)
        except RefusedError as error:
            match error.status:
                case 404:
                    raise UnknownTickerError(NAME, f"it has no filings of {ticker} (404)") from error
                case 401 | 403:
                    why = f"it denies access for now ({error.status}): too many requests, or no contact that it accepts"
                    raise BlockedError(NAME, why) from error
                case _:
                    raise
        return read_page(body, ticker, cik, self._settings.forms, self._clock)


class _Columns(Struct):
    accessionNumber: list[Any]  # noqa: N815
    form: list[Any]
    acceptanceDateTime: list[Any]  # noqa: N815
    items: Any = None
    primaryDocument: Any = None  # noqa: N815
    primaryDocDescription: Any = None  # noqa: N815


class _Filings(Struct):
    recent: _Columns


class _Submissions(Struct):
    filings: _Filings
    name: Any = None


_SUBMISSIONS: Final = msgspec.json.Decoder(_Submissions)


def read_page(body: bytes, ticker: str, cik: int, forms: tuple[str, ...], clock: Clock) -> Page:
    """The newest filings of these forms, amended ones included; a row that does not fit becomes a dead letter.

    Raises:
        BlockedError, ReplyError: see `ItemProvider.page`.
    """
    reply = decoded(_SUBMISSIONS, body, NAME)
    columns = reply.filings.recent
    if not len(columns.accessionNumber) == len(columns.form) == len(columns.acceptanceDateTime):
        raise ReplyError(NAME, "the answer is not as documented: its columns differ in length")
    items: list[tuple[int, Article]] = []
    misfits: list[DeadLetter] = []
    wanted = {name for form in forms for name in (form, form + AMENDED)}
    for at, form in enumerate(columns.form):
        if form not in wanted and isinstance(form, str):
            continue
        row = {name: _at(getattr(columns, name), at) for name in columns.__struct_fields__}
        try:
            filing = _article(row, text_or_none(reply.name) or "", ticker, cik)
            items.append((digest_of(filing.id.encode()), filing))
        except ValueError as error:
            misfits.append(misfit(NAME, ticker, msgspec.json.encode(row), str(error), clock))
        if len(items) + len(misfits) == NEWEST:
            break
    return Page(items, misfits)


def _at(column: Any, at: int) -> Any:
    """The cell; None where the column is missing or shorter."""
    return column[at] if isinstance(column, list) and at < len(column) else None


def _article(row: dict[str, Any], company: str, ticker: str, cik: int) -> Article:
    number, form, accepted = (text_or_none(row[name]) for name in ("accessionNumber", "form", "acceptanceDateTime"))
    if number is None or not _ACCESSION.fullmatch(number):
        raise ValueError("it has no accession number")
    if form is None or accepted is None:
        raise ValueError("it has no form, or no time of acceptance")
    description = text_or_none(row["primaryDocDescription"]) or ""
    return article(
        accepted_at(accepted),
        number,
        title_of(form, text_or_none(row["items"]) or ""),
        f"{_ARCHIVES}/{cik}/{number.replace('-', '')}/{_document(row['primaryDocument'], number)}",
        ticker=ticker,
        summary=": ".join(part for part in (company, description if description != form else "") if part),
        publisher=PUBLISHER,
        source=NAME,
    )


def accepted_at(text: str) -> datetime:
    """When a filing was accepted. Of some companies EDGAR gives the clock of New York, but marks it as UTC as ever:
    that is known where it would be an hour in which it accepts nothing, else the time is hours too early.

    Raises:
        ValueError: if it is no time.
    """
    utc = moment(text, UTC)
    return utc if utc.astimezone(NEW_YORK).hour in OPEN else utc.replace(tzinfo=NEW_YORK)


def _document(name: object, number: str) -> str:
    """The filing's main document; its index where none is named, or one that would lead elsewhere."""
    path = text_or_none(name) or ""
    return quote(path) if path and not {"", ".", ".."} & set(path.split("/")) else f"{number}-index.htm"
