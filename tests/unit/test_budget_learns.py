"""What the answers and the refusals of a provider teach, and what they must not."""

import asyncio
from collections import Counter
from contextlib import aclosing

import pytest

from pipeline.messages import Article, DeadLetter
from pipeline.sources.alpha_vantage.answer import Reply
from pipeline.sources.alpha_vantage.desk import REMEMBERED_MISFITS
from pipeline.sources.base import HistoryChunk
from pipeline.sources.situation import Task
from tests.fake_provider import Bench, new_york

DAY, NEXT = "2026-03-04", "2026-03-05"


async def test_a_row_that_does_not_fit_says_nothing_of_how_new_the_data_are(tmp_path):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan="premium")
    bench.provider.unfit = {"news", "economic"}
    bench.watchlist.add(["AAPL"])
    await bench.day(new_york(DAY, "10:05"))
    assert {"news", "economic"} <= {asked.kind for asked in bench.asked}
    known = bench.desk.memory.facts.known
    assert [key for key in known.newest if key.startswith(("news", "economic"))] == []
    bench.provider.unfit = set()
    await bench.day(new_york("2026-03-06"))
    again = [a for a in bench.asked if a.subjects == ("CPI",) and a.at > new_york(DAY, "10:05")]
    assert again  # not in two months, as after a value of today


@pytest.mark.parametrize("kind", ["daily", "news", "economic", "quote", "intraday", "bulk"])
@pytest.mark.parametrize("plan", ["free", "premium"])
async def test_what_the_plan_lacks_is_asked_for_once_and_the_rest_goes_on(tmp_path, kind, plan):
    bench = Bench(new_york(DAY, "09:00"), tmp_path, plan=plan)
    bench.provider.live_quotes = True
    bench.provider.missing = {kind} | ({"intraday", "bulk"} if kind == "quote" else set())
    bench.watchlist.add(["AAPL", "MSFT"])
    await bench.day(new_york(DAY, "11:00"))
    counts = Counter(asked.kind for asked in bench.asked)
    never = plan == "free" and kind in ("intraday", "bulk")
    # Every plan has daily bars, so that their refusal is one of each ticker.
    assert counts[kind] == (0 if never else 2 if kind == "daily" else 1)
    others = {"daily", "news", "economic"} - {kind}
    assert others <= counts.keys()
    assert {a.subjects[0] for a in bench.asked if a.kind in ("daily", "news") and a.kind in others} == {"AAPL", "MSFT"}


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("intraday", "no intraday bars: not in the plan"),
        ("news", "no news: not in the plan"),
        ("economic", "no economic series: not in the plan"),
    ],
)
async def test_a_load_leaves_out_what_the_plan_lacks_and_says_so(tmp_path, kind, note):
    bench = Bench(new_york(DAY, "20:00"), tmp_path, plan="premium")
    bench.provider.missing = {kind} | ({"month"} if kind == "intraday" else set())
    chunks: list[HistoryChunk] = []

    async def load() -> None:
        async with aclosing(bench.source.history("AAPL")) as history:
            chunks.extend([chunk async for chunk in history])

    task = asyncio.create_task(load())
    await bench.until(new_york(DAY, "20:30"))
    assert task.done()
    await task
    assert chunks[-1].note == note
    assert max(Counter((asked.kind, asked.subjects) for asked in bench.asked).values()) == 1


async def test_what_did_not_fit_is_handed_out_once_and_the_memory_of_it_is_bounded(tmp_path, monkeypatch):
    bench = Bench(new_york(DAY, "10:00"), tmp_path)

    async def ask(offsets: range) -> int:
        letters = [
            DeadLetter(ts=bench.clock.now(), topic="t", partition=0, offset=number, reason="", payload="")
            for number in offsets
        ]

        async def news(*_: object, **__: object) -> Reply[Article]:
            return Reply([], letters)

        monkeypatch.setattr(bench.provider, "news", news)
        return len((await bench.source.answer(Task("news", ("AAPL",)))).messages)

    assert await ask(range(REMEMBERED_MISFITS)) == REMEMBERED_MISFITS
    assert await ask(range(REMEMBERED_MISFITS)) == 0
    assert await ask(range(REMEMBERED_MISFITS, REMEMBERED_MISFITS + 10)) == 10
    assert await ask(range(10, REMEMBERED_MISFITS)) == 0
    assert await ask(range(10)) == 10  # forgotten, for newer ones came
