"""What the answers and the refusals of a provider teach, and what they must not."""

import asyncio
import json
from collections import Counter
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipeline.model.messages import Article, Bar, DeadLetter, Quote
from pipeline.sources.alpha_vantage.answer import ParsedReply
from pipeline.sources.alpha_vantage.errors import AlphaVantageError, BurstLimitError, UnreadableReplyError
from pipeline.sources.alpha_vantage.memory import MEMORY_FILE, fingerprint
from pipeline.sources.alpha_vantage.plan_state import Task
from pipeline.sources.alpha_vantage.scheduler import REMEMBERED_MISFITS
from pipeline.sources.alpha_vantage.source import ARTICLES, PAGES
from pipeline.sources.base import HistoryChunk, SourceError
from testkit.fake_provider import KEY, Bench, new_york

DAY, NEXT = "2026-03-04", "2026-03-05"


async def test_a_row_that_does_not_fit_says_nothing_of_how_new_the_data_are(tmp_path):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan="premium")
    bench.provider.unfit = {"news", "economic"}
    bench.watchlist.add(["AAPL"])
    await bench.day(new_york(DAY, "10:05"))
    assert {"news", "economic"} <= {asked.kind for asked in bench.asked}
    known = bench.scheduler.memory.facts.known
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


@pytest.mark.parametrize("plan", ["free", "premium"])
@pytest.mark.parametrize("more", [set(), {"economic", "bulk"}])
async def test_what_the_plan_lacks_says_nothing_of_the_symbol(tmp_path, plan, more):
    bench = Bench(new_york(DAY, "09:00"), tmp_path, plan=plan)
    bench.provider.missing = {"daily", "news", "quote", "intraday"} | more
    bench.watchlist.add(["AAPL", "MSFT"])
    await bench.day(new_york(DAY, "11:00"))
    assert bench.scheduler.unknown == set()
    assert all("only with a premium plan" in note for note in bench.scheduler.ticker_notes().values())
    assert bench.scheduler.ticker_notes().keys() == {"AAPL", "MSFT"}


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

        async def news(*_: object, **__: object) -> ParsedReply[Article]:
            return ParsedReply([], letters)

        monkeypatch.setattr(bench.provider, "news", news)
        return len((await bench.source.answer(Task("news", ("AAPL",)))).messages)

    assert await ask(range(REMEMBERED_MISFITS)) == REMEMBERED_MISFITS
    assert await ask(range(REMEMBERED_MISFITS)) == 0
    assert await ask(range(REMEMBERED_MISFITS, REMEMBERED_MISFITS + 10)) == 10
    assert await ask(range(10, REMEMBERED_MISFITS)) == 0
    assert await ask(range(10)) == 10  # forgotten, for newer ones came


def unreadable(*, notice: bool = False) -> AlphaVantageError:
    letter = DeadLetter(ts=datetime(2026, 3, 4, tzinfo=UTC), topic="t", partition=0, offset=7, reason="r", payload="p")
    return UnreadableReplyError("TIME_SERIES_DAILY", "not known", letter, notice=notice)


async def load(bench: Bench, ticker: str, until: datetime) -> HistoryChunk:
    """The last chunk of the load of that ticker."""
    chunks: list[HistoryChunk] = []

    async def run() -> None:
        async with aclosing(bench.source.history(ticker)) as history:
            chunks.extend([chunk async for chunk in history])

    task = asyncio.create_task(run())
    await bench.until(until)
    assert task.done()
    await task
    return chunks[-1]


def asked_of(bench: Bench, ticker: str) -> Counter[str]:
    return Counter(asked.kind for asked in bench.asked if ticker in asked.subjects)


@pytest.mark.parametrize("error", [unreadable(), unreadable(notice=True), BurstLimitError()])
@pytest.mark.parametrize("plan", ["free", "premium"])
async def test_what_could_not_be_understood_is_asked_again_in_a_while(tmp_path, plan, error):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan=plan)
    bench.provider.missing = {"bulk", "intraday", "quote", "news", "economic"} if plan == "premium" else set()
    bench.watchlist.add(["AAPL"])
    bench.provider.refusals = [error] * 2
    async with bench.running():
        await bench.until(new_york(DAY, "10:00") + timedelta(seconds=2))
        known = bench.scheduler.memory.facts.known
        not_understood = {f"{asked.kind} {asked.subjects[0]}" for asked in bench.asked[:2]}
        assert not_understood.isdisjoint(known.asked)
        await bench.until(new_york(DAY, "10:10"))
    assert "daily AAPL" in known.asked
    assert any(isinstance(message, Bar) for message in bench.got)


async def test_a_notice_that_is_not_known_is_asked_about_ever_more_seldom(tmp_path):
    bench = Bench(new_york(DAY, "00:00"), tmp_path)
    bench.watchlist.add(["AAPL", "MSFT", "TSLA"])
    bench.provider.refusals = [unreadable(notice=True) for _ in range(100)]
    await bench.day(new_york(DAY, "12:00"))
    assert 3 <= len(bench.asked) < 20
    assert not bench.budget.refused and not bench.scheduler.unknown


@pytest.mark.parametrize("plan", ["free", "premium"])
@pytest.mark.parametrize("kind", ["daily", "intraday", "quote", "news"])
async def test_a_function_that_refuses_one_ticker_is_left_out_for_that_one_only(tmp_path, plan, kind):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan=plan)
    bench.provider.live_quotes = True
    bench.provider.missing = {"bulk"}
    bench.provider.refused = {(kind, "IWDA.AS")}
    bench.watchlist.add(["IWDA.AS", "IBM"])
    await bench.day(new_york(DAY, "20:00"))
    of_one, of_other = asked_of(bench, "IWDA.AS"), asked_of(bench, "IBM")
    assert of_one[kind] == min(1, of_other[kind] or of_one[kind])
    others = {"daily", "news", "intraday" if plan == "premium" else "quote"} - {kind}
    assert others <= of_one.keys()
    assert of_other[kind] > 1 or kind == "quote" or (plan, kind) == ("free", "intraday")
    assert "IWDA.AS" not in bench.scheduler.unknown


async def test_the_close_is_that_of_the_quote_where_daily_bars_are_refused(tmp_path):
    bench = Bench(new_york(DAY, "10:00"), tmp_path)
    bench.provider.refused = {("daily", "IWDA.AS")}
    bench.watchlist.add(["IWDA.AS"])
    await bench.day(new_york(NEXT, "00:00"))
    closes = [message.ts for message in bench.got if isinstance(message, Quote)]
    assert closes[-1] == new_york(DAY, "16:00")
    assert "refuses" in bench.source.ticker_notes()["IWDA.AS"]


@pytest.mark.parametrize(("part", "kind"), [("full", "daily"), ("month", "intraday")])
@pytest.mark.parametrize("how", ["refused", "empty"])
async def test_a_load_falls_back_to_the_newest_rows_where_all_of_them_are_refused(tmp_path, part, kind, how):
    bench = Bench(new_york(DAY, "20:00"), tmp_path, plan="premium")
    await bench.source.answer(Task("quote", ("NESN.SWI",)))  # so that it is known
    setattr(bench.provider, how, {(part, "NESN.SWI")})
    chunk = await load(bench, "NESN.SWI", new_york(DAY, "20:40"))
    counts = asked_of(bench, "NESN.SWI")
    assert (counts[part], counts[kind]) == (1 if how == "refused" else 3, 1)
    if part == "full":
        assert "the newest 100 daily bars only" in chunk.note and "NESN.SWI" in chunk.note
    assert bench.scheduler.unknown == set()


async def test_a_load_leaves_out_what_is_refused_of_the_ticker_and_fails_only_where_nothing_is_known(tmp_path):
    bench = Bench(new_york(DAY, "20:00"), tmp_path)
    bench.provider.refused = {("daily", "C40.PAR")}
    bench.provider.unknown = {"APPL"}
    chunk = await load(bench, "C40.PAR", new_york(DAY, "20:20"))
    assert chunk.note.endswith("no daily bars: refused for C40.PAR")
    with pytest.raises(SourceError, match="knows no symbol APPL"):
        await load(bench, "APPL", new_york(DAY, "20:40"))


async def test_a_part_of_a_load_that_cannot_be_read_does_not_hold_up_the_rest_for_ever(tmp_path, monkeypatch):
    bench = Bench(new_york(DAY, "20:00"), tmp_path)

    async def news(*_: object, **__: object) -> ParsedReply[Article]:
        raise unreadable()

    monkeypatch.setattr(bench.provider, "news", news)
    chunk = await load(bench, "AAPL", new_york(DAY, "20:40"))
    assert chunk.note.endswith("no news: its answers cannot be parsed")


@pytest.mark.parametrize("kind", ["daily", "quote"])
async def test_nothing_at_all_of_a_known_symbol_passes(tmp_path, kind):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.provider.live_quotes = True
    bench.watchlist.add(["ENI.MI"])
    async with bench.running():
        await bench.until(new_york(DAY, "09:40"))
        bench.provider.empty = {(kind, "ENI.MI")}
        await bench.until(new_york(DAY, "18:30"))
        assert bench.scheduler.unknown == set() and bench.scheduler.memory.left_out(bench.clock.now()) == set()
        bench.provider.empty = set()
        seen = len(bench.got)
        await bench.until(new_york(NEXT, "18:30"))
    assert any(isinstance(message, Bar if kind == "daily" else Quote) for message in bench.got[seen:])


async def test_what_the_same_function_gave_before_outweighs_its_refusal(tmp_path):
    bench = Bench(new_york(DAY, "15:00"), tmp_path)
    bench.watchlist.add(["PVR.NS"])
    async with bench.running():
        await bench.until(new_york(DAY, "15:30"))
        bench.provider.refused = {("daily", "PVR.NS")}
        await bench.until(new_york(DAY, "18:30"))
        bench.provider.refused = set()
        await bench.until(new_york(NEXT, "00:00"))
    assert [bar.ts for bar in bench.got if isinstance(bar, Bar)][-1] == new_york(DAY)


def write_old(tmp_path, now: datetime, **facts: object) -> None:
    content = {"key": fingerprint(KEY), "known": {}, "lacking": {}, "unknown": {}} | facts
    (tmp_path / MEMORY_FILE).write_text(json.dumps(content))


async def test_an_older_file_that_takes_a_refusal_for_an_unknown_symbol_is_not_believed_against_its_data(tmp_path):
    now = new_york(DAY, "10:00")
    known = {"asked": {"quote IWDA.AS": now.timestamp()}, "newest": {"quote IWDA.AS": now.timestamp() - 3600}}
    write_old(tmp_path, now, known=known, unknown={"IWDA.AS": now.timestamp(), "APPL": now.timestamp()})
    bench = Bench(now, tmp_path)
    assert bench.scheduler.unknown == {"APPL"}
    bench.watchlist.add(["IWDA.AS"])
    await bench.day(new_york(DAY, "10:05"))
    assert asked_of(bench, "IWDA.AS")["daily"] == 1


async def test_an_older_file_that_counted_what_it_could_not_read_as_asked_is_asked_again(tmp_path):
    now = new_york(DAY, "10:00")
    asked = {"daily IBM": now.timestamp(), "daily MSFT": now.timestamp(), "full history IBM": now.timestamp()}
    newest = {"daily MSFT": new_york("2026-03-03").timestamp()}
    write_old(tmp_path, now, known={"asked": asked, "newest": newest})
    bench = Bench(now, tmp_path)
    bench.watchlist.add(["IBM", "MSFT"])
    await bench.day(new_york(DAY, "10:05"))
    assert (asked_of(bench, "IBM")["daily"], asked_of(bench, "MSFT")["daily"]) == (1, 0)


@pytest.mark.parametrize("kind", ["news", "economic"])
@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=400)])
async def test_a_time_to_come_is_not_how_new_the_data_are(tmp_path, kind, ahead):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan="premium")
    bench.provider.dated = {kind: bench.clock.now() + ahead}
    bench.watchlist.add(["AAPL"])
    async with bench.running():
        await bench.until(new_york(DAY, "10:30"))
        assert [key for key in bench.scheduler.memory.facts.known.newest if key.startswith(kind)] == []
        await bench.until(new_york("2026-03-06", "10:30"))
    subject = "AAPL" if kind == "news" else "CPI"
    assert asked_of(bench, subject)[kind] >= 2
    now = bench.clock.now()
    assert all(since is None or since <= now for since in bench.provider.since)


async def test_a_time_to_come_in_an_older_file_steers_nothing(tmp_path):
    now = new_york(DAY, "10:00")
    later = (now + timedelta(days=600)).timestamp()
    times = {"news AAPL": later, "daily AAPL": later, "economic CPI": later}
    write_old(tmp_path, now, known={"asked": dict.fromkeys(times, now.timestamp() - 90_000), "newest": times})
    bench = Bench(now, tmp_path, plan="premium")
    bench.watchlist.add(["AAPL"])
    await bench.day(new_york(DAY, "10:05"))
    assert bench.provider.since[0] is None
    assert asked_of(bench, "CPI")["economic"] == asked_of(bench, "AAPL")["daily"] == 1


class Feed:
    """So many articles, a minute apart up to now, served as the provider serves them."""

    def __init__(self, bench: Bench, count: int, apart: timedelta = timedelta(minutes=1)) -> None:
        now = bench.clock.now()
        self.all = [Article(ticker="IBM", ts=now - n * apart, id=f"a{n}", title="News") for n in range(count)]
        self.asked: list[tuple[datetime | None, datetime | None]] = []

    async def news(
        self, ticker: str, *, since: datetime | None = None, until: datetime | None = None, limit: int = 50
    ) -> ParsedReply[Article]:
        self.asked.append((since, until))
        rows = [a for a in self.all if (since is None or a.ts >= since) and (until is None or a.ts <= until)][:limit]
        return ParsedReply([msgspec.structs.replace(row) for row in reversed(rows)], [], len(rows))


@pytest.mark.parametrize("count", [ARTICLES - 1, ARTICLES + 1, 3 * ARTICLES])
async def test_a_full_page_of_news_is_noticed_and_the_rest_is_asked_for(tmp_path, monkeypatch, caplog, count):
    bench = Bench(new_york(DAY, "10:00"), tmp_path)
    feed = Feed(bench, 5 * ARTICLES)
    monkeypatch.setattr(bench.provider, "news", feed.news)
    bench.scheduler.memory.facts.known.newest["news IBM"] = feed.all[count - 1].ts.timestamp()
    answered = await bench.source.answer(Task("news", ("IBM",)))
    assert [message.id for message in answered.messages] == [f"a{n}" for n in range(count - 1, -1, -1)]
    assert len(feed.asked) == 1 + count // ARTICLES
    assert "left out" not in caplog.text


@pytest.mark.parametrize(
    ("count", "apart", "pages"),
    [(PAGES * ARTICLES + 300, timedelta(minutes=1), PAGES), (2 * ARTICLES, timedelta(0), 2)],
    ids=["too many", "all of one minute"],
)
async def test_a_gap_that_is_too_wide_is_said(tmp_path, monkeypatch, caplog, count, apart, pages):
    bench = Bench(new_york(DAY, "10:00"), tmp_path)
    feed = Feed(bench, count, apart)
    monkeypatch.setattr(bench.provider, "news", feed.news)
    bench.scheduler.memory.facts.known.newest["news IBM"] = feed.all[-1].ts.timestamp() - 60
    answered = await bench.source.answer(Task("news", ("IBM",)))
    assert answered.final and len(answered.messages) >= ARTICLES
    assert len(feed.asked) == pages
    assert "more news of IBM" in caplog.text and "are left out" in caplog.text


async def test_at_first_sight_the_newest_are_enough(tmp_path, monkeypatch, caplog):
    bench = Bench(new_york(DAY, "10:00"), tmp_path)
    feed = Feed(bench, 3 * ARTICLES)
    monkeypatch.setattr(bench.provider, "news", feed.news)
    assert len((await bench.source.answer(Task("news", ("IBM",)))).messages) == ARTICLES
    assert feed.asked == [(None, None)] and "left out" not in caplog.text
