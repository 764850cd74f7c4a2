"""What a source makes of the day's budget: whole days on a virtual clock."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

from msgspec.structs import replace

from pipeline.model.messages import Bar
from pipeline.net.errors import UnavailableError
from pipeline.sources.alpha_vantage.errors import BurstLimitError, DailyLimitError
from pipeline.sources.alpha_vantage.memory import MEMORY_FILE
from testkit.fake_provider import KEY, Asked, Bench, new_york

DAY, NEXT = "2026-03-04", "2026-03-05"
"""A Wednesday, and the day after."""
FIVE = ["AAPL", "MSFT", "TSLA", "JPM", "V"]


async def test_a_free_day_is_spread_over_the_hours_of_trading(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(FIVE)
    await bench.day(new_york(NEXT))
    assert len(bench.asked) == 25
    opening, closing = new_york(DAY, "09:30"), new_york(DAY, "16:00")
    first = [asked for asked in bench.asked if asked.at < opening]
    assert Counter(asked.kind for asked in first) == {"daily": 5, "news": 5}
    spread = [asked.at for asked in bench.asked if opening <= asked.at <= closing]
    gaps = {round((b - a).total_seconds()) for a, b in pairwise([opening, *spread, closing])}
    assert len(spread) == 10 and max(gaps) - min(gaps) <= 70
    after = [asked for asked in bench.asked if asked.at > closing]
    assert Counter(asked.subjects[0] for asked in after if asked.kind == "daily") == Counter(FIVE)
    assert len(after) == 5 and after[0].at == new_york(DAY, "18:00")
    assert _wasted(bench) == []


async def test_the_second_day_spends_what_the_first_did_on_first_sight(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(FIVE)
    await bench.day(new_york("2026-03-06"))
    second = [asked for asked in bench.asked if asked.at >= new_york(NEXT)]
    assert len(second) == 25
    assert Counter(asked.kind for asked in second) == {"news": 18, "economic": 2, "daily": 5}
    assert set(Counter(asked.subjects for asked in second if asked.kind == "news").values()) <= {3, 4}


async def test_the_focused_ticker_is_asked_for_first_and_most(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(FIVE)
    bench.watchlist.focus = "TSLA"
    await bench.day(new_york("2026-03-06"))
    assert bench.asked[0].subjects == ("TSLA",)
    news = Counter(a.subjects[0] for a in bench.asked if a.kind == "news" and a.at >= new_york(NEXT))
    assert news.most_common(1)[0][0] == "TSLA" and min(news.values()) >= 2


async def test_live_quotes_are_used_where_the_plan_has_them(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.provider.live_quotes = True
    bench.watchlist.add(FIVE)
    await bench.day(new_york(DAY, "16:00"))
    assert {asked.subjects[0] for asked in bench.asked if asked.kind == "quote"} == set(FIVE)


async def test_a_weekend_asks_for_news_only_and_a_holiday_is_one(tmp_path):
    bench = Bench(new_york("2026-07-02", "15:00"), tmp_path)  # the Thursday before Independence Day, kept on Friday
    bench.watchlist.add(FIVE)
    await bench.day(new_york("2026-07-06"))
    for day in ("2026-07-03", "2026-07-04", "2026-07-05"):
        begin = new_york(day)
        asked = [a for a in bench.asked if begin <= a.at < begin + timedelta(days=1)]
        assert len(asked) == 25
        assert {a.kind for a in asked} <= {"news", "economic"}
    assert _wasted(bench) == []


async def test_a_half_day_ends_early(tmp_path):
    bench = Bench(new_york("2026-11-27", "09:00"), tmp_path)  # the day after Thanksgiving: closes at 13:00
    bench.watchlist.add(FIVE)
    await bench.day(new_york("2026-11-28"))
    spread = [a for a in bench.asked if a.at >= new_york("2026-11-27", "09:30") and a.kind != "daily"]
    assert len(spread) == 10 and max(a.at for a in spread) < new_york("2026-11-27", "13:00")
    assert [a.at for a in bench.asked if a.kind == "daily"][5] == new_york("2026-11-27", "15:00")


async def test_a_restart_keeps_the_count_and_asks_nothing_twice(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(FIVE)
    await bench.day(new_york(DAY, "12:10"))
    before = len(bench.asked)
    bench.restart()
    assert bench.budget.used == before and bench.budget.left == 25 - before
    await bench.day(new_york(NEXT))
    assert len(bench.asked) == 25 and _wasted(bench) == []


async def test_the_provider_is_believed_when_it_says_that_the_day_is_used_up(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(FIVE)
    async with bench.running():
        await bench.until(new_york(DAY, "11:00"))
        bench.provider.refusals.append(DailyLimitError())
        before = len(bench.asked)
        await bench.until(new_york(DAY, "23:59"))
        assert len(bench.asked) == before + 1
        view = bench.scheduler.view()
        assert view.left == 0 and view.next_at == new_york(NEXT).timestamp()
        assert view.note == "it reports that the daily limit is reached, goes on at 00:00 EST"
        await bench.until(new_york("2026-03-06"))
        assert len(bench.asked) == before + 1 + 25


async def test_an_unknown_ticker_costs_one_request_a_function_and_the_others_go_on(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add([*FIVE[:4], "APPL"])
    bench.provider.unknown = {"APPL"}
    await bench.day(new_york(NEXT))
    assert sorted(asked.kind for asked in bench.asked if asked.subjects == ("APPL",)) == ["daily", "news", "quote"]
    assert len(bench.asked) == 25
    assert bench.source.ticker_notes() == {"APPL": "unknown to Alpha Vantage"}
    await bench.day(new_york(NEXT, "10:00"))
    assert [asked.at for asked in bench.asked if asked.subjects == ("APPL",)][3] >= new_york(NEXT, "09:00")


async def test_a_burst_limit_and_failures_are_waited_for(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(["AAPL"])
    bench.provider.refusals = [BurstLimitError(), UnavailableError("av", "status 503", retry_after=120)]
    async with bench.running():
        await bench.until(new_york(DAY, "09:01"))
        assert bench.scheduler.view().note == "status 503"
        await bench.until(new_york(DAY, "09:05"))
    assert [asked.kind for asked in bench.asked] == ["daily"] * 3 + ["news"]
    assert bench.asked[1].at - bench.asked[0].at >= timedelta(seconds=5)
    assert bench.asked[2].at - bench.asked[1].at >= timedelta(seconds=120)
    assert [type(message) for message in bench.got][:1] == [Bar]


async def test_an_outage_of_hours_leaves_most_of_the_day(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(FIVE)
    bench.provider.outage = UnavailableError("av", "status 503")
    async with bench.running():
        await bench.until(new_york(DAY, "12:00"))
        assert 2 <= len(bench.asked) <= 12
        bench.provider.outage = None
        await bench.until(new_york(DAY, "13:01"))
    assert {type(message) for message in bench.got} >= {Bar}


async def test_a_line_that_is_down_costs_nothing_and_is_tried_again_soon(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(["AAPL"])
    bench.provider.outage = UnavailableError("av", "no connection", sent=False)
    async with bench.running():
        await bench.until(new_york(DAY, "12:00"))
        assert bench.budget.used == 0
        bench.provider.outage = None
        await bench.until(new_york(DAY, "12:16"))
    assert {type(message) for message in bench.got} >= {Bar}


async def test_a_premium_budget_serves_two_hundred_tickers_at_its_rate(tmp_path):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan="premium", requests_per_minute=75)
    tickers = [f"T{number:03}" for number in range(200)]
    bench.watchlist.add(tickers)
    bench.watchlist.focus = "T150"
    bench.provider.live_quotes = True
    await bench.day(new_york(DAY, "10:09"))
    times = [asked.at for asked in bench.asked]
    assert all(b - a > timedelta(seconds=60) for a, b in zip(times, times[75:], strict=False))
    assert {asked.subjects[0] for asked in bench.asked if asked.kind == "intraday"} == set(tickers)
    assert {asked.subjects[0] for asked in bench.asked if asked.kind == "news"} == set(tickers)
    assert [a.kind for a in bench.asked if "T150" in a.subjects][:2] == ["bulk", "intraday"]
    assert bench.asked.index(next(a for a in bench.asked if a.subjects == ("T150",) and a.kind == "intraday")) < 5
    focused = [a.at for a in bench.asked if a.kind == "intraday" and a.subjects == ("T150",)]
    assert max(b - a for a, b in pairwise(focused)) <= timedelta(seconds=90)
    assert all(len(asked.subjects) == 100 for asked in bench.asked if asked.kind == "bulk")


async def test_a_premium_plan_is_quiet_while_the_market_is_closed(tmp_path):
    bench = Bench(new_york(DAY, "15:50"), tmp_path, plan="premium")
    bench.watchlist.add(FIVE)
    await bench.day(new_york(NEXT, "09:00"))
    late = [a for a in bench.asked if a.at >= new_york(DAY, "16:02") and a.kind not in ("news", "economic")]
    assert Counter(a.kind for a in late) == {"daily": 5}
    last = [a.at for a in bench.asked if a.kind == "intraday"][-1]
    assert new_york(DAY, "16:00") < last <= new_york(DAY, "16:02")


async def test_what_the_plan_lacks_is_learnt_once_and_forgotten_with_the_key(tmp_path):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan="premium")
    bench.watchlist.add(FIVE)
    bench.provider.missing = {"bulk", "intraday"}
    bench.provider.live_quotes = True
    await bench.day(new_york(DAY, "10:10"))
    assert Counter(a.kind for a in bench.asked)["bulk"] == 1 and bench.scheduler.view().not_in_plan == [
        "bulk",
        "intraday",
    ]
    assert Counter(a.subjects[0] for a in bench.asked if a.kind == "quote").keys() == set(FIVE)
    bench.restart()
    assert bench.scheduler.lacking == {"bulk", "intraday"}
    bench.clock.jump(timedelta(days=8).total_seconds())
    assert bench.scheduler.lacking == frozenset()
    bench.settings = replace(bench.settings, alpha_vantage=replace(bench.settings.alpha_vantage, api_key="another-key"))
    bench.restart()
    assert bench.scheduler.memory.facts.known.asked == {}
    assert KEY not in (tmp_path / MEMORY_FILE).read_text()


def _wasted(bench: Bench) -> list[Asked]:
    """Questions whose answer was known: a series or a quote asked for again before there was another close."""
    wasted = []
    seen: dict[tuple[str, tuple[str, ...]], Asked] = {}
    for asked in bench.asked:
        last = seen.get((asked.kind, asked.subjects))
        closed = any(last.at < session.close <= asked.at for session in bench.sessions) if last else True
        if asked.kind in ("daily", "quote") and not closed:
            wasted.append(asked)
        seen[asked.kind, asked.subjects] = asked
    return wasted
