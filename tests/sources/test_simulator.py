"""The simulated market: plausible, repeatable, and the same whoever asks."""

import math
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.messages import AnyMessage, Article, Bar, EconomicPoint, Post, Quote, decode, encode, topic_of
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed
from pipeline.sources.simulator.path import PricePath
from pipeline.sources.simulator.source import BATCH, FIRST_MINUTES, SimulatorSource
from testkit.examples import DEAR
from testkit.fakes import START, FakeClock

NEW_YORK = ZoneInfo("America/New_York")
MIDNIGHT = int(datetime(2026, 3, 4, tzinfo=NEW_YORK).timestamp())
TICKERS = st.sampled_from(["AAPL", "IBM", "BRK.B", "^GSPC", "BTC-USD", "ZZZ"])


def path(ticker: str = "IBM", seed: int = 7) -> PricePath:
    return PricePath(seed, ticker, NEW_YORK)


def feed(source: SimulatorSource, name: str) -> Feed:
    return next(feed for feed in source.feeds() if feed.name == name)


async def collect(batches: AsyncGenerator[Sequence[AnyMessage]], clock: FakeClock, until: float) -> list[AnyMessage]:
    """What comes up to that reading of the clock."""
    messages: list[AnyMessage] = []
    async for batch in batches:
        if clock.monotonic() > until:
            break
        messages += batch
    await batches.aclose()
    return messages


async def run(name: str, seconds: float, *tickers: str, speed: float = 1) -> list[AnyMessage]:
    clock = FakeClock(auto=True)
    source = SimulatorSource(speed=speed, clock=clock)
    return await collect(feed(source, name).stream(Watchlist(tickers)), clock, seconds)


class TestPath:
    @given(TICKERS, st.integers(0, 10**6), st.integers(0, 10**7))
    def test_a_minute_under_way_grows_into_its_bar(self, ticker: str, seed: int, number: int) -> None:
        market = path(ticker, seed)
        start = 1_500_000_000 - 1_500_000_000 % 60 + 60 * number
        closed = market.bar(start + 60)
        forming = [market.forming_bar(start + second) for second in range(60)]
        quotes = [market.quote(start + second) for second in range(60)]
        for bar, quote in zip(forming, quotes, strict=True):
            assert (bar.ts, bar.open, bar.closed) == (closed.ts, closed.open, False)
            assert closed.low <= bar.low <= min(bar.open, bar.close)
            assert closed.high >= bar.high >= max(bar.open, bar.close)
            assert quote.price == bar.close
        for earlier, later in pairwise([*forming, closed]):
            assert later.high >= earlier.high
            assert later.low <= earlier.low
            assert (later.volume or 0) >= (earlier.volume or 0)
        assert all(later.revision > earlier.revision for earlier, later in pairwise(forming))
        assert (forming[-1].high, forming[-1].low, forming[-1].volume) == (closed.high, closed.low, closed.volume)
        assert closed.low <= min(closed.open, closed.close) <= max(closed.open, closed.close) <= closed.high

    @given(st.lists(st.integers(0, 100_000), min_size=1, max_size=8), st.randoms(use_true_random=False))
    @settings(max_examples=DEAR)
    def test_neither_order_nor_company_changes_a_bar(self, numbers: list[int], random) -> None:
        ends = [MIDNIGHT + 60 * number for number in numbers]
        in_order = {end: path().bar(end) for end in ends}
        random.shuffle(ends)
        shared = path()
        assert {end: shared.bar(end) for end in ends} == in_order

    def test_minutes_join(self) -> None:
        market = path()
        bars = [market.bar(MIDNIGHT + 60 * number) for number in range(-1500, 1500)]
        assert all(later.open == earlier.close for earlier, later in pairwise(bars))
        assert all(later.ts - earlier.ts == timedelta(minutes=1) for earlier, later in pairwise(bars))

    @pytest.mark.parametrize(
        ("day", "minutes"), [(date(2026, 3, 4), 1440), (date(2026, 3, 8), 1380), (date(2026, 11, 1), 1500)]
    )
    def test_a_day_is_made_of_its_minutes(self, day: date, minutes: int) -> None:
        market = path()
        start = int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp())
        bars = [market.bar(start + 60 * (number + 1)) for number in range(minutes)]
        assert bars[-1].ts.astimezone(NEW_YORK).date() == day + timedelta(days=1)
        daily = market.daily_bar(day)
        assert daily.ts.timestamp() == start
        assert (daily.open, daily.close) == (bars[0].open, bars[-1].close)
        assert daily.high == max(bar.high for bar in bars)
        assert daily.low == min(bar.low for bar in bars)
        assert daily.volume == sum(bar.volume for bar in bars)
        assert market.daily_bar(day + timedelta(days=1)).open == daily.close

    def test_a_quote_knows_yesterday_and_the_day_so_far(self) -> None:
        market = path()
        quote = market.quote(MIDNIGHT + 600 * 60 + 30.25)
        before = sum(market.bar(MIDNIGHT + 60 * (number + 1)).volume or 0 for number in range(600))
        under_way = market.forming_bar(MIDNIGHT + 600 * 60 + 30.25)
        assert quote.previous_close == market.daily_bar(date(2026, 3, 3)).close
        assert quote.volume == before + (under_way.volume or 0)
        assert under_way.revision == (MIDNIGHT + 600 * 60) * 1000 + 30_250

    def test_most_is_traded_at_the_open_and_the_close(self) -> None:
        market = path()

        def volume(hour: int, minute: int) -> float:
            start = MIDNIGHT + hour * 3600 + minute * 60
            return sum(market.bar(start + 60 * number).volume for number in range(1, 31))

        assert volume(9, 30) > 1.5 * volume(12, 30)
        assert volume(15, 30) > 1.5 * volume(12, 30)
        assert volume(12, 30) > 3 * volume(3, 0) > 0

    @pytest.mark.parametrize("ticker", ["AAPL", "IBM", "F", "BRK.B"])
    def test_prices_are_plausible(self, ticker: str) -> None:
        market = path(ticker)
        closes = [market.daily_bar(date(2026, 3, 4) + timedelta(days)).close for days in range(365)]
        returns = [math.log(later / earlier) for earlier, later in pairwise(closes)]
        assert 0.12 < math.sqrt(sum(r * r for r in returns)) < 0.7
        assert 2 < min(closes) < max(closes) < 3600

    def test_seed_and_ticker_make_the_difference(self) -> None:
        bars = [path("IBM", 7).bar(MIDNIGHT), path("IBM", 8).bar(MIDNIGHT), path("GE", 7).bar(MIDNIGHT)]
        assert len({(bar.open, bar.volume) for bar in bars}) == 3

    def test_a_bar_stays_what_it_was(self) -> None:
        """A change of the algorithm would contradict what is stored under the same keys."""
        bar = path("AAPL", 7).bar(MIDNIGHT + 36_000)
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (322.48, 322.64, 322.42, 322.57, 109_436)


class TestMarket:
    async def test_quotes_forming_bars_and_closed_ones(self) -> None:
        messages = await run("market", 180, "AAPL", "IBM")
        assert {m.simulated for m in messages} == {True}
        for ticker in ("AAPL", "IBM"):
            mine = [m for m in messages if isinstance(m, Bar | Quote) and m.ticker == ticker]
            quotes = [m for m in mine if isinstance(m, Quote)]
            bars = [m for m in mine if isinstance(m, Bar)]
            assert 178 <= len(quotes) <= 182
            assert all(later.ts - earlier.ts == timedelta(seconds=1) for earlier, later in pairwise(quotes))
            closed = [bar for bar in bars if bar.closed]
            assert [bar.ts for bar in closed] == [
                START + timedelta(minutes=n - FIRST_MINUTES) for n in range(len(closed))
            ]
            assert 3 <= len(closed) - FIRST_MINUTES <= 4
            assert 35 <= len(bars) - len(closed) <= 38
            rank = [(bar.ts, bar.closed, bar.revision) for bar in bars]
            assert rank == sorted(rank)

    async def test_tickers_do_not_tick_at_once(self) -> None:
        tickers = [f"T{number}" for number in range(50)]
        messages = await run("market", 3, *tickers)
        moments = {m.ts.microsecond for m in messages if isinstance(m, Quote)}
        assert len(moments) == 50
        assert max(moments) - min(moments) > 800_000

    async def test_history_and_stream_agree(self) -> None:
        streamed = [m for m in await run("market", 130, "IBM", speed=60) if isinstance(m, Bar) and m.closed]
        clock = FakeClock(START + timedelta(hours=3))
        chunks = [chunk async for chunk in SimulatorSource(clock=clock).history("IBM")]
        past = {m.ts: m for chunk in chunks for m in chunk.messages if isinstance(m, Bar) and m.interval == "1min"}
        assert len(streamed) >= 128
        assert all(past[bar.ts] == bar for bar in streamed)

    async def test_a_fast_clock_skips_quotes_and_no_bar(self) -> None:
        messages = await run("market", 5, "IBM", speed=3600)
        closed = [m.ts for m in messages if isinstance(m, Bar) and m.closed]
        assert closed == [START + timedelta(minutes=n - FIRST_MINUTES) for n in range(len(closed))]
        assert len(closed) - FIRST_MINUTES >= 290
        assert len([m for m in messages if isinstance(m, Quote)]) <= 52

    async def test_a_restart_after_a_failure_leaves_no_gap(self) -> None:
        clock, watchlist = FakeClock(auto=True), Watchlist(["IBM"])
        market = feed(SimulatorSource(speed=60, clock=clock), "market")
        before = await collect(market.stream(watchlist), clock, 10)
        clock.jump(600)
        after = await collect(market.stream(watchlist), clock, clock.monotonic() + 5)
        closed = sorted({m.ts for m in before + after if isinstance(m, Bar) and m.closed})
        assert closed == [START + timedelta(minutes=n - FIRST_MINUTES) for n in range(len(closed))]
        assert len(closed) - FIRST_MINUTES > 600

    async def test_the_watchlist_is_followed(self) -> None:
        clock, watchlist = FakeClock(auto=True), Watchlist(["IBM"])
        batches = feed(SimulatorSource(clock=clock), "market").stream(watchlist)
        seen: list[set[str]] = []
        for change in (lambda: None, lambda: watchlist.add(["GE"]), lambda: watchlist.remove(["IBM"])):
            change()
            tickers: set[str] = set()
            until = clock.monotonic() + 3
            async for batch in batches:
                if clock.monotonic() > until:
                    break
                tickers |= {m.ticker for m in batch if isinstance(m, Bar | Quote)}
            seen.append(tickers)
        await batches.aclose()
        assert seen == [{"IBM"}, {"IBM", "GE"}, {"GE"}]

    async def test_at_full_speed_only_closed_bars_without_waiting(self) -> None:
        clock = FakeClock()
        batches = feed(SimulatorSource(speed=None, clock=clock), "market").stream(Watchlist(["IBM", "GE", "F"]))
        messages: list[AnyMessage] = []
        while len(messages) < 5000:
            batch = await anext(batches)
            assert len(batch) <= BATCH
            messages += batch
        await batches.aclose()
        bars = [m for m in messages if isinstance(m, Bar) and m.closed]
        assert len(bars) == len(messages)
        assert clock.monotonic() == 0
        for ticker in ("IBM", "GE", "F"):
            mine = [bar.ts for bar in bars if bar.ticker == ticker]
            assert mine == [START + timedelta(minutes=n + 1) for n in range(len(mine))]


class TestTexts:
    @pytest.mark.parametrize(("name", "kind", "per_hour"), [("news", Article, 12), ("social", Post, 60)])
    async def test_a_few_at_once_then_one_now_and_then(self, name: str, kind: type, per_hour: int) -> None:
        first = await run(name, 0.5, "IBM", "GE")
        assert 6 <= len(first) <= 8
        later = await run(name, 36_000, "IBM")
        assert len(later) == pytest.approx(10 * per_hour, abs=5)
        assert {type(m) for m in later} == {kind}
        assert all(m.simulated and m.ts <= START + timedelta(seconds=36_001) for m in later)
        moments = [m.ts for m in later]
        assert moments == sorted(moments)
        ids = [m.id for m in later if isinstance(m, Article | Post)]
        assert len(set(ids)) == len(ids)

    async def test_they_repeat_exactly(self) -> None:
        assert await run("social", 600, "IBM") == await run("social", 600, "IBM")

    async def test_at_full_speed_they_follow_the_market(self) -> None:
        clock, watchlist = FakeClock(auto=True), Watchlist(["IBM"])
        source = SimulatorSource(speed=None, clock=clock)
        market, news = (feed(source, name).stream(watchlist) for name in ("market", "news"))
        assert len(await anext(news)) <= 4
        for _ in range(3):
            bars = await anext(market)
        items = await anext(news)
        assert 100 < len(items) <= 201  # one in five minutes of 1,000, the last batch being unacknowledged
        assert items[-1].ts < bars[0].ts
        await market.aclose()
        await news.aclose()


class TestEconomy:
    async def test_the_latest_points_of_eight_series_then_new_ones(self) -> None:
        points = [m for m in await run("economic", 3600, "IBM") if isinstance(m, EconomicPoint)]
        first, rest = points[:192], points[192:]
        series = {name: [p for p in first if p.series == name] for name in {p.series for p in first}}
        assert len(series) == 8
        for of_one in series.values():
            assert len(of_one) == 24
            assert [p.ts for p in of_one] == sorted({p.ts for p in of_one})
            assert of_one[-1].ts <= START
            assert all(p.simulated and p.value is not None and p.value > 0 and p.unit for p in of_one)
        assert [(p.series, p.ts) for p in rest] == [
            ("TREASURY_YIELD", START + timedelta(minutes=5 * n)) for n in range(1, 13)
        ]

    async def test_a_month_ends(self) -> None:
        clock = FakeClock(datetime(2026, 3, 31, 23, 59, 30, tzinfo=UTC), auto=True)
        batches = feed(SimulatorSource(clock=clock), "economic").stream(Watchlist())
        points = (await collect(batches, clock, 60))[192:]
        assert {m.series for m in points if isinstance(m, EconomicPoint)} == {
            "REAL_GDP", "CPI", "FEDERAL_FUNDS_RATE", "TREASURY_YIELD", "RETAIL_SALES", "UNEMPLOYMENT", "NONFARM_PAYROLL"
        }  # fmt: skip
        assert {m.ts for m in points} == {datetime(2026, 4, 1, tzinfo=UTC)}


class TestHistory:
    async def test_days_minutes_and_texts_up_to_now_oldest_first(self) -> None:
        chunks = [chunk async for chunk in SimulatorSource(clock=FakeClock()).history("^GSPC")]
        messages = [m for chunk in chunks for m in chunk.messages]
        assert [chunk.done for chunk in chunks] == [*range(500, 3001, 500), 3250]
        assert {chunk.total for chunk in chunks} == {len(messages)}
        moments = [m.ts for m in messages]
        assert moments == sorted(moments)
        assert moments[-1] <= START
        daily = [m for m in messages if isinstance(m, Bar) and m.interval == "daily"]
        minutes = [m for m in messages if isinstance(m, Bar) and m.interval == "1min"]
        assert (len(daily), len(minutes)) == (250, 2880)
        assert daily[-1].ts.astimezone(NEW_YORK).date() == date(2026, 3, 3)
        assert minutes[-1].ts == START
        assert sum(isinstance(m, Article) for m in messages) == 40
        assert sum(isinstance(m, Post) for m in messages) == 80
        assert all(m.simulated for m in messages)

    async def test_every_message_is_one_the_bus_carries(self) -> None:
        messages = [m async for chunk in SimulatorSource(clock=FakeClock()).history("BRK.B") for m in chunk.messages]
        messages += await run("economic", 1) + await run("market", 10, "IBM") + await run("social", 1, "IBM")
        for message in messages:
            assert decode(topic_of(message), encode(message)) == message
