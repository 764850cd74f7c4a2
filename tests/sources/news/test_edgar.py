"""Filings from EDGAR by real HTTP from a server on this machine."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Settings, SettingsError, load
from pipeline.config.sources import EdgarSettings
from pipeline.model.messages import Article
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import HttpError, UnavailableError
from pipeline.sources.base import NotConfiguredError, Serving, Source, SourceContext
from pipeline.sources.news.edgar import NEWEST, accepted_at, create
from pipeline.sources.news.forms import title_of
from pipeline.sources.polling.items import BlockedError
from testkit.data import RECORDED, require
from testkit.fakes import FakeClock
from testkit.http_fixtures import LIMITS
from testkit.http_server import Behaviour, HttpServer, answer, truncated

LIST = "/files/company_tickers.json"
APPLE = "/submissions/CIK0000320193.json"
COMPANIES = {
    "0": {"cik_str": 320193, "ticker": "AAPL", "title": "Apple Inc."},
    "1": {"cik_str": 1067983, "ticker": "BRK-B", "title": "BERKSHIRE HATHAWAY INC"},
    "2": {"cik_str": "what", "ticker": "ODD", "title": "Odd"},
}


def filing(number: int, form: str = "8-K", items: str = "", document: str = "doc.htm") -> dict[str, Any]:
    return {
        "accessionNumber": f"0000320193-26-{number:06}",
        "form": form,
        "acceptanceDateTime": f"2026-03-04T12:{number % 60:02}:00.000Z",
        "items": items,
        "primaryDocument": document,
        "primaryDocDescription": form,
    }


def submissions(*filings: dict[str, Any], **more: Any) -> bytes:
    """Newest first, in columns as the SEC gives them."""
    names = filing(0).keys()
    columns = {name: [row.get(name) for row in filings] for name in names} | more
    return json.dumps({"cik": "320193", "name": "Apple Inc.", "filings": {"recent": columns, "files": []}}).encode()


@pytest.fixture
async def started(server: HttpServer, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Callable[[], Source]]:
    """The source as after a start of the pipeline."""
    server.on(answer(COMPANIES), path=LIST)
    edgar = EdgarSettings(contact="me@example.com", base_url=server.url, data_url=server.url)
    context = SourceContext(Settings(edgar=edgar), tmp_path, clock, tmp_path, LIMITS)
    context.space.mkdir(parents=True, exist_ok=True)
    yield lambda: create(context)
    await context.close()


def stream_of(source: Source, *tickers: str) -> Any:
    (feed,) = source.feeds()
    return aclosing(feed.stream(Watchlist(tickers or ("AAPL",))))


async def test_a_filing_is_an_article(started: Callable[[], Source], server: HttpServer) -> None:
    server.on(answer(submissions(filing(3, "10-K/A"), filing(2, items="2.02,9.01"), filing(1, "144"))), path=APPLE)
    async with stream_of(started()) as batches:
        results, report = await anext(batches)
    assert results == Article(
        ticker="AAPL",
        ts=datetime(2026, 3, 4, 12, 2, tzinfo=UTC),
        id="0000320193-26-000002",
        title="8-K, current report: results of operations (2.02); financial statements and exhibits (9.01)",
        summary="Apple Inc.",
        url="https://www.sec.gov/Archives/edgar/data/320193/000032019326000002/doc.htm",
        publisher="SEC EDGAR",
        source="edgar",
    )
    assert report.title == "10-K/A, annual report, amended"
    agents = {request.headers["user-agent"] for request in server.requests}
    assert [request.path for request in server.requests] == [LIST, APPLE]
    (agent,) = agents
    assert agent.startswith("fintrends-tui/") and agent.endswith(" me@example.com")


async def test_the_recorded_submissions_are_read(started: Callable[[], Source], server: HttpServer) -> None:
    server.on(
        answer(require(RECORDED / "providers" / "rss" / "sec-submissions-AAPL.made.json").read_bytes()), path=APPLE
    )
    async with stream_of(started()) as batches:
        (article,) = await anext(batches)
    assert article.ts == datetime(2026, 1, 29, 21, 30, 40, tzinfo=UTC)
    assert article.url.endswith("/320193/000032019326000001/aapl-20260129.htm")


async def test_only_what_is_new_comes_and_the_list_of_companies_is_kept_for_a_day(
    started: Callable[[], Source], server: HttpServer, clock: FakeClock
) -> None:
    server.on(answer(submissions(filing(1))), answer(submissions(filing(2), filing(1))), path=APPLE)
    async with stream_of(started()) as batches:
        assert [article.id[-1] for article in await anext(batches)] == ["1"]
        assert [article.id[-1] for article in await anext(batches)] == ["2"]
    server.on(answer(submissions(filing(3))), path="/submissions/CIK0001067983.json")
    async with stream_of(started(), "BRK.B") as batches:  # another process
        await anext(batches)
    assert [request.path for request in server.requests].count(LIST) == 1
    clock.jump(86_400)
    server.on(answer(b"", 503), path=LIST)
    server.on(answer(submissions(filing(4))), path=APPLE)
    async with stream_of(started()) as batches:  # the old list is better than none
        assert [article.id[-1] for article in await anext(batches)] == ["4"]


async def test_what_is_no_company_is_its_ticker_s_trouble_alone(
    started: Callable[[], Source], server: HttpServer
) -> None:
    server.on(answer(submissions(filing(1))), path=APPLE)
    source = started()
    assert isinstance(source, Serving)
    async with stream_of(source, "BTC-USD", "ODD", "AAPL") as batches:
        (article,) = await anext(batches)
    assert article.ticker == "AAPL"
    assert {ticker: trouble.why for ticker, trouble in source.troubles().items()} == {
        "BTC-USD": "edgar: the SEC lists no company with the ticker BTC-USD",
        "ODD": "edgar: the SEC lists no company with the ticker ODD",
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"accessionNumber": "../../x"}, "accession number"),
        ({"accessionNumber": None}, "accession number"),
        ({"acceptanceDateTime": "soon"}, "not a time"),
        ({"acceptanceDateTime": None}, "no time"),
        ({"form": None}, "no form"),
        ({"form": 8}, "no form"),
    ],
)
async def test_a_row_that_does_not_fit_is_a_dead_letter_and_spoils_no_other(
    started: Callable[[], Source], server: HttpServer, change: dict[str, Any], why: str
) -> None:
    server.on(answer(submissions(filing(2) | change, filing(1))), path=APPLE)
    async with stream_of(started()) as batches:
        article, letter = await anext(batches)
    assert article.id == "0000320193-26-000001"
    assert letter.topic == "edgar:AAPL" and why in letter.reason


@pytest.mark.parametrize("document", ["", "../../../evil", "/etc/passwd", "a//b", None, 3])
async def test_a_document_that_leads_elsewhere_is_the_filing_s_index(
    started: Callable[[], Source], server: HttpServer, document: Any
) -> None:
    server.on(answer(submissions(filing(1, document=document))), path=APPLE)
    async with stream_of(started()) as batches:
        (article,) = await anext(batches)
    assert article.url.endswith("/320193/000032019326000001/0000320193-26-000001-index.htm")


async def test_optional_columns_may_be_missing_or_short(started: Callable[[], Source], server: HttpServer) -> None:
    body = submissions(filing(2), filing(1), items=None, primaryDocument=[], primaryDocDescription=7)
    server.on(answer(body), path=APPLE)
    async with stream_of(started()) as batches:
        assert [article.title for article in await anext(batches)] == ["8-K, current report"] * 2


async def test_a_thousand_filings_are_no_flood(started: Callable[[], Source], server: HttpServer) -> None:
    server.on(answer(submissions(*(filing(number) for number in range(1000, 0, -1)))), path=APPLE)
    async with aclosing(started().history("AAPL")) as chunks:
        (chunk,) = [chunk async for chunk in chunks]
    assert len(chunk.messages) == NEWEST


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        (answer(b"<html>Undeclared Automated Tool</html>", 403), BlockedError, "no contact that it accepts"),
        (answer(b"<!DOCTYPE html><html></html>"), BlockedError, "web page"),
        (answer(b"Request Rate Threshold Exceeded", 429), BlockedError, "too many requests"),
        (answer(b'{"filings": {"recent": {"accessi'), HttpError, "not as documented"),
        (answer(b'{"filings": []}'), HttpError, "not as documented"),
        (answer(submissions(filing(1), form=["8-K", "8-K"])), HttpError, "columns differ in length"),
        (answer(b"[" * 100_000), HttpError, "not as documented"),
        (answer(b"\xff"), HttpError, "not as documented"),
        (truncated(submissions()), UnavailableError, "broke off"),
        (answer(b"", 500), UnavailableError, "status 500"),
    ],
)
@pytest.mark.parametrize("path", [APPLE, LIST])
async def test_a_fault_of_the_service_is_told_in_words(
    started: Callable[[], Source],
    server: HttpServer,
    behaviour: Behaviour,
    error: type[Exception],
    words: str,
    path: str,
) -> None:
    server.on(answer(submissions()), path=APPLE)
    server.on(behaviour, path=path)
    if path == LIST and "column" in words:
        words = "holds none"  # it is JSON, but no list of companies
    if path == LIST and words in ("web page", "not as documented"):
        error, words = HttpError, "not as documented|holds none"
    async with stream_of(started()) as batches:
        with pytest.raises(error, match=words) as caught:
            await anext(batches)
    assert not getattr(caught.value, "permanent", False)
    assert "me@example.com" not in str(caught.value)


def test_without_somebody_to_write_to_it_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match=r"SEC asks .* e-mail address \(edgar.contact"):
        create(SourceContext(Settings(), tmp_path, FakeClock(), tmp_path))
    settings = load(None, None, {"FINTRENDS_EDGAR__CONTACT": "me@example.com"}).settings
    assert settings.edgar.contact == "me@example.com"
    for bad in ("me", "me@x\r\nX-Evil: 1", "a@b c", "@", "ä@b"):
        with pytest.raises(SettingsError, match=r"edgar\.contact"):
            load(None, None, {"FINTRENDS_EDGAR__CONTACT": bad})


def test_a_clock_of_new_york_that_is_marked_as_utc_is_known_where_it_can_be() -> None:
    assert accepted_at("2026-01-29T21:30:40.000Z") == datetime(2026, 1, 29, 21, 30, 40, tzinfo=UTC)
    assert accepted_at("2025-04-30T07:30:32.000Z") == datetime(2025, 4, 30, 11, 30, 32, tzinfo=UTC)  # 03:30 is no hour
    assert accepted_at("2025-01-30T07:30:32.000Z") == datetime(2025, 1, 30, 12, 30, 32, tzinfo=UTC)
    with pytest.raises(ValueError, match="not a time"):
        accepted_at("soon")


def test_titles_are_for_people() -> None:
    assert title_of("4", "") == "4, change in an insider's holdings"
    assert title_of("8-K", "5.02, 99.99,") == (
        "8-K, current report: change of directors or officers (5.02); item 99.99"
    )
    assert title_of("425", "") == "425"
