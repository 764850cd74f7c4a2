"""What Yahoo has of a ticker's past."""

from datetime import timedelta
from itertools import chain, pairwise
from typing import Any

import pytest

from pipeline.model.messages import Bar, DeadLetter
from pipeline.net.errors import UnavailableError
from pipeline.sources.base import SourceError
from pipeline.sources.yahoo.history import MINUTES_AT_ONCE, parts
from testkit.fake_yahoo import Instrument
from testkit.fakes import START
from testkit.http_server import answer
from tests.sources.yahoo.bench import Bench


def messages(chunks: list[Any]) -> list[Any]:
    return list(chain.from_iterable(chunk.messages for chunk in chunks))


async def test_days_then_minutes_oldest_first(bench: Bench) -> None:
    chunks = await bench.history("VOD.L")
    bars = [message for message in messages(chunks) if isinstance(message, Bar)]
    days = [bar for bar in bars if bar.interval == "daily"]
    minutes = [bar for bar in bars if bar.interval == "1min"]
    assert bars == days + minutes
    assert all(earlier.ts < later.ts for kind in (days, minutes) for earlier, later in pairwise(kind))
    assert days[0].ts < START - timedelta(days=360)
    assert minutes[0].ts < START - timedelta(days=28)
    assert {bar.currency for bar in bars} == {"GBp"}
    assert [chunk.note for chunk in chunks] == [*(f"{number} of 6 requests" for number in range(1, 7)), ""]
    assert chunks[-1].done == chunks[-1].total == len(bars)


@pytest.mark.parametrize("years", [0, 5])
def test_no_question_is_for_more_than_yahoo_answers(years: int) -> None:
    first, *minutes = parts(START, years)
    assert first.span.start < START - timedelta(days=(years or 90) * 365)
    assert all(part.span.end - part.span.start <= MINUTES_AT_ONCE for part in minutes)
    assert minutes[0].span.start > START - timedelta(days=30)
    assert all(earlier.span.end == later.span.start for earlier, later in pairwise(minutes))
    assert minutes[-1].span.end == START


async def test_of_a_fund_there_are_days_only(bench: Bench) -> None:
    bench.yahoo.instruments["VFINX"] = Instrument("VFINX", 600.0, "MUTUALFUND")
    chunks = await bench.history("VFINX")
    assert len(bench.yahoo.asked) == 1
    assert "only daily bars" in chunks[-1].note
    assert chunks[-1].total > 200


async def test_an_unknown_symbol_is_an_error_that_says_so(bench: Bench) -> None:
    with pytest.raises(SourceError, match=r"knows no symbol NONE.*check its spelling"):
        await bench.history("NONE")


async def test_a_part_that_cannot_be_read_is_left_out_and_said(bench: Bench) -> None:
    bench.yahoo.faults["AAPL"] = answer({"chart": {"result": 1}})
    chunks = await bench.history("AAPL")
    assert {type(message) for message in messages(chunks)} == {DeadLetter}
    assert "cannot be read" in chunks[-1].note


async def test_when_yahoo_is_away_the_load_is_tried_again(bench: Bench) -> None:
    bench.yahoo.faults["*"] = answer("", 503)
    with pytest.raises(UnavailableError):
        await bench.history("AAPL")


async def test_a_search_by_name(bench: Bench) -> None:
    found = await bench.source.search("berkshire")
    assert [(match.ticker, match.name) for match in found] == [("BRK-B", "Berkshire Hathaway Inc.")]
