"""Items that are dated later than now: kept, and never newer than when they were seen first."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.analytics.sentiment import Opinion, SentimentScorer, rolling_score
from pipeline.model.messages import AnyMessage, Article, Post, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import HistoryChunk
from pipeline.sources.combined import CombinedSource
from pipeline.sources.first_seen import REMEMBERED, FirstSeen
from testkit.fakes import START, FakeClock
from tests.sources.test_sources import FakeSource, nothing


def article(ts: datetime, number: int = 1, *, simulated: bool = False) -> Article:
    return Article(ticker="IBM", ts=ts, id=f"https://x/{number}", title="Profit soars", source="a", simulated=simulated)


def post(ts: datetime) -> Post:
    return Post(ticker="IBM", ts=ts, id="7", text="to the moon", source="b")


@pytest.mark.parametrize("make", [article, post])
@pytest.mark.parametrize("ahead", [timedelta(seconds=1), timedelta(hours=9), timedelta(days=400)])
def test_it_bears_the_time_at_which_it_was_seen_first(tmp_path: Path, make, ahead: timedelta) -> None:
    clock = FakeClock()
    seen = FirstSeen(tmp_path / "f.json", clock)
    item = make(START + ahead)
    assert seen.bound([item])[0].ts == START
    clock.jump(3600)
    assert seen.bound([item])[0].ts == START
    assert FirstSeen(tmp_path / "f.json", clock).bound([item])[0].ts == START, "nor after a restart"
    clock.jump(500 * 86_400)  # its date has come, and it is old news
    assert seen.bound([item])[0].ts == START
    assert seen.bound([make(START - ahead)])[0].ts == START - ahead, "should the date be corrected"


def test_what_is_not_of_a_time_to_come_is_left_alone(tmp_path: Path) -> None:
    quote = Quote(ticker="IBM", ts=START + timedelta(days=1), price=1)
    simulated = article(START + timedelta(days=1), 3, simulated=True)
    messages: list[AnyMessage] = [article(START), article(START - timedelta(days=9), 2), quote, simulated]
    assert FirstSeen(tmp_path / "f.json", FakeClock()).bound(messages) == messages
    assert not (tmp_path / "f.json").exists()


def test_what_it_remembers_is_bounded(tmp_path: Path) -> None:
    seen = FirstSeen(tmp_path / "f.json", FakeClock())
    seen.bound([article(START + timedelta(days=1), number) for number in range(3 * REMEMBERED)])
    assert len(seen._seen) == REMEMBERED


async def test_whatever_a_source_hands_out_goes_through_it() -> None:
    far = article(datetime.now(UTC) + timedelta(days=400))
    source = CombinedSource([FakeSource("a", HistoryChunk([far], 1, 1), batch=[far])], nothing)
    chunks = [chunk async for chunk in source.history("IBM")]
    async with aclosing(source.feeds()[0].stream(Watchlist())) as batches:
        live = [batch async for batch in batches]
    assert chunks[0].messages == live[0]
    assert live[0][0].ts <= datetime.now(UTC)


def test_its_weight_is_that_of_its_age_since_then(tmp_path: Path) -> None:
    clock = FakeClock()
    seen = FirstSeen(tmp_path / "f.json", clock)
    (item,) = seen.bound([article(START + timedelta(days=400))])
    scored = SentimentScorer().score_item(item)  # type: ignore[arg-type]
    assert rolling_score([Opinion(scored.ts, scored.compound)], START + timedelta(days=4)) is None
