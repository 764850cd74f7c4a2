"""The feed by real HTTP from a Yahoo on this machine."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest

from pipeline.model.messages import AnyMessage, Bar, Dividend, Split
from pipeline.sources.yahoo.schedule import CLOSED, FOCUS, MAX_AGE
from testkit.fake_yahoo import FakeYahoo, Instrument
from testkit.fakes import START, FakeClock
from testkit.http_server import HttpServer, answer, held
from tests.sources.yahoo.bench import Bench

SHORT = (time(9, 30), time(9, 30), time(16), time(16))
NIGHT = datetime(2026, 3, 5, 6, 0, tzinfo=UTC)
"""One in the morning in New York."""


class TestWhatComes:
    @pytest.mark.parametrize(
        ("ticker", "symbol", "currency"),
        [
            ("AAPL", "AAPL", "USD"),
            ("BTC-USD", "BTC-USD", "USD"),
            ("VOD.L", "VOD.L", "GBp"),
            ("^GSPC", "^GSPC", "USD"),
            ("BRK.B", "BRK-B", "USD"),
            ("EURUSD=X", "EURUSD=X", "USD"),
        ],
    )
    async def test_bars_of_today_the_last_days_and_a_quote(
        self, bench: Bench, ticker: str, symbol: str, currency: str
    ) -> None:
        await bench.run(2, ticker)
        instrument = bench.yahoo.instruments[symbol]
        minutes, days = bench.bars(ticker), bench.bars(ticker, "daily")
        newest = max(minutes)
        assert newest == START - timedelta(minutes=1)
        assert minutes[newest].closed
        for ts, bar in minutes.items():
            assert bar.open == pytest.approx(instrument.price_at(ts.timestamp()))
        assert len(days) >= 20
        assert [bar.closed for bar in days.values()] == [True] * (len(days) - 1) + [False]
        (quote,) = bench.quotes(ticker)
        assert (quote.currency, quote.session, quote.source) == (currency, "regular", "yahoo")
        assert quote.price == pytest.approx(instrument.price_at(quote.ts.timestamp()), abs=0.001)
        assert bench.letters == []
        assert bench.source.troubles() == {}

    async def test_then_only_what_is_new_or_another(self, bench: Bench) -> None:
        bench.clock.jump(30)
        await bench.run(1, "AAPL")
        assert len(bench.bars("AAPL")) > 300
        bench.got.clear()
        await bench.run(60)
        later = [bar for bar in bench.got if isinstance(bar, Bar) and bar.interval == "1min"]
        assert [bar.ts for bar in later] == [START, START + timedelta(minutes=1)]
        assert [bar.closed for bar in later] == [True, False]

    async def test_what_was_not_taken_comes_again(self, bench: Bench) -> None:
        bench.watchlist.become(["AAPL"])
        stream = bench.source.feeds()[0].stream(bench.watchlist)
        batch = await anext(stream)
        await stream.aclose()
        bench.clock.jump(60)
        await bench.run(1)
        assert {m.ts for m in batch if isinstance(m, Bar)} <= set(bench.bars("AAPL"))

    async def test_a_closed_day_comes_once_it_is_final(self, bench: Bench) -> None:
        await bench.run(1, "AAPL")
        today = max(bench.bars("AAPL", "daily"))
        bench.clock.jump((datetime(2026, 3, 4, 20, 58, tzinfo=UTC) - bench.clock.now()).total_seconds())
        await bench.run(60)
        assert not bench.bars("AAPL", "daily")[today].closed
        await bench.run(25 * 60)
        assert bench.bars("AAPL", "daily")[today].closed

    async def test_a_fund_has_days_only(self, bench: Bench) -> None:
        bench.yahoo.instruments["VFINX"] = Instrument("VFINX", 600.0, "MUTUALFUND")
        await bench.run(200, "VFINX")
        assert bench.bars("VFINX", "daily")
        assert len(bench.asked("VFINX", "1m")) == 1
        assert len(bench.asked("VFINX", "1d")) == 4
        assert bench.source.troubles() == {}

    async def test_a_ticker_that_comes_is_served_and_one_that_goes_is_left_alone(self, bench: Bench) -> None:
        await bench.run(30, "AAPL")
        await bench.run(30, "MSFT")
        assert bench.bars("MSFT")
        await bench.run(120)
        assert bench.asked("AAPL", "1m") == [0.0]

    async def test_an_answer_about_a_ticker_that_has_gone_is_dropped(self, bench: Bench, server: HttpServer) -> None:
        release = asyncio.Event()
        bench.yahoo.faults["MSFT"] = held(release, answer("", 500))
        bench.watchlist.become(["MSFT", "AAPL"])
        running = asyncio.create_task(bench.run(60))
        while not bench.asked("MSFT"):
            await asyncio.sleep(0.001)
        bench.watchlist.remove(["MSFT"])
        release.set()
        await running
        assert {message.ticker for message in bench.got if isinstance(message, Bar)} == {"AAPL"}
        assert bench.source.troubles() == {}

    async def test_without_tickers_nothing_is_asked(self, bench: Bench) -> None:
        await bench.run(60)
        assert bench.yahoo.asked == []


class TestPace:
    async def test_two_a_second_at_most_and_no_ticker_before_its_reply_has_aged(self, bench: Bench) -> None:
        tickers = [f"T{number}" for number in range(12)]
        bench.yahoo.instruments |= {ticker: Instrument(ticker, 10.0, hours=SHORT) for ticker in tickers}
        bench.watchlist.focus = "T3"
        await bench.run(90, *tickers)
        times = [at for at, _, _ in bench.yahoo.asked]
        assert all(third - first >= 1.0 for first, third in zip(times, times[2:], strict=False))
        assert len(times) > 25
        for ticker in tickers:
            asked = bench.asked(ticker, "1m")
            assert len(asked) >= 2
            assert all(after - before >= MAX_AGE for before, after in pairwise(asked))

    async def test_the_focus_comes_first_and_more_often(self, bench: Bench) -> None:
        bench.watchlist.focus = "VOD.L"
        await bench.run(60, "AAPL", "MSFT", "VOD.L")
        assert bench.yahoo.asked[0][1] == "VOD.L"
        gaps = [after - before for before, after in pairwise(bench.asked("VOD.L", "1m"))]
        assert gaps == pytest.approx([FOCUS] * 4, abs=1.0)
        assert len(bench.asked("AAPL", "1m")) == 2

    async def test_while_its_exchange_is_closed_a_ticker_is_asked_for_rarely_and_crypto_is_not(
        self, bench: Bench
    ) -> None:
        bench.clock.jump((NIGHT - START).total_seconds())
        await bench.run(900, "AAPL", "BTC-USD")
        gaps = [after - before for before, after in pairwise(bench.asked("AAPL", "1m"))]
        assert gaps == pytest.approx([CLOSED] * 3, abs=1.0)
        assert len(bench.asked("BTC-USD", "1m")) == 16
        assert len(bench.quotes("AAPL")) == 1

    async def test_a_failed_feed_that_is_started_again_does_not_ask_earlier(self, bench: Bench) -> None:
        await bench.run(5, "AAPL")
        asked = len(bench.yahoo.asked)
        await bench.run(5)
        assert len(bench.yahoo.asked) == asked


@pytest.fixture
def split_one(yahoo: FakeYahoo) -> Instrument:
    """Four for one on the day of the test, as soon as it is added to what Yahoo knows."""
    hours = (time(9, 30), time(9, 30), time(10, 30), time(10, 30))
    yahoo.instruments["ONE"] = Instrument("ONE", 400.0, hours=hours)
    splits, dividends = [(date(2026, 3, 4), 4.0, 1.0)], [(date(2026, 3, 2), 0.25)]
    return Instrument("ONE", 100.0, hours=hours, splits=splits, dividends=dividends)


class TestSplits:
    async def test_what_was_handed_out_before_a_split_is_handed_out_again_adjusted(
        self, bench: Bench, split_one: Instrument, clock: FakeClock
    ) -> None:
        await bench.history("ONE")
        await bench.run(5, "ONE")
        before = bench.bars("ONE", "daily")
        assert 370 < before[min(before)].close < 430
        bench.yahoo.instruments["ONE"] = split_one
        bench.got.clear()
        await bench.run(120)
        splits = [message for message in bench.got if isinstance(message, Split)]
        assert [(split.numerator, split.denominator) for split in splits] == [(4, 1)]
        days, minutes = bench.bars("ONE", "daily"), bench.bars("ONE")
        assert len(days) > 200
        assert min(minutes) < START - timedelta(days=28)
        for ts in before:
            assert days[ts].close < 110
            assert days[ts].revision > before[ts].revision

    async def test_it_is_done_once_across_restarts(self, bench: Bench, split_one: Instrument, clock: FakeClock) -> None:
        await bench.run(5, "ONE")
        bench.restart()  # the split comes while nobody looks
        bench.yahoo.instruments["ONE"] = split_one
        await bench.run(60, "ONE")
        assert len(bench.bars("ONE", "daily")) > 200
        bench.restart()
        await bench.run(60, "ONE")
        assert len(bench.bars("ONE", "daily")) < 30

    async def test_one_that_is_interrupted_begins_again(self, bench: Bench, split_one: Instrument) -> None:
        await bench.run(5, "ONE")
        bench.yahoo.instruments["ONE"] = split_one
        bench.restart()
        await bench.run(60, "ONE", until=lambda: len(bench.bars("ONE", "daily")) > 200)
        bench.restart()
        await bench.run(60, "ONE")
        assert len(bench.bars("ONE", "daily")) > 200

    async def test_a_part_that_was_not_taken_comes_again(self, bench: Bench, split_one: Instrument) -> None:
        await bench.run(5, "ONE")
        bench.yahoo.instruments["ONE"] = split_one
        bench.clock.jump(60)
        untaken: list[int] = []

        def refuse(batch: Sequence[AnyMessage]) -> bool:
            days = sum(isinstance(message, Bar) and message.interval == "daily" for message in batch)
            untaken.extend([days] if days > 200 else [])
            return days > 200

        bench.refuse = refuse
        await bench.run(120, until=lambda: untaken)
        bench.refuse = lambda batch: False
        await bench.run(120)
        assert untaken
        assert len(bench.bars("ONE", "daily")) > 200

    async def test_a_new_ticker_has_nothing_to_hand_out_again(self, bench: Bench, split_one: Instrument) -> None:
        bench.yahoo.instruments["ONE"] = split_one
        await bench.run(60, "ONE")
        assert len(bench.bars("ONE", "daily")) < 30
        dividends = [message for message in bench.got if isinstance(message, Dividend)]
        assert [(dividend.amount, dividend.currency) for dividend in dividends] == [(0.25, "USD")]
