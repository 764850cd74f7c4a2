"""The replay of recorded bars."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.clock import Clock
from pipeline.messages import AnyMessage, Bar, DeadLetter
from pipeline.sources.base import SourceError
from pipeline.sources.replay import BATCH, ReplaySource
from pipeline.sources.replay_csv import UNDATED, BarFile
from pipeline.watchlist import Watchlist
from tests.data import BARS, recorded_bars, require
from tests.fakes import FakeClock

NEW_YORK = ZoneInfo("America/New_York")
HEADER = "datetime,open,high,low,close,volume"


def row(time: str, price: float = 10) -> str:
    return f"{time},{price},{price + 1},{price - 1},{price},100"


def minutes(count: int, day: str = "2024-03-04", hour: int = 10) -> list[str]:
    """Rows of consecutive minutes, at most a day's worth from the hour on."""
    return [row(f"{day} {hour + i // 60:02d}:{i % 60:02d}:00", 10 + i) for i in range(count)]


def write(
    path: Path, rows: Sequence[str], *, newest_first: bool = False, header: str = HEADER, end: str = "\n"
) -> None:
    path.write_bytes(("\n".join([header, *(reversed(rows) if newest_first else rows)]) + end).encode())


def source(directory: Path, speed: float | None = None, clock: Clock | None = None) -> ReplaySource:
    return ReplaySource(directory, speed=speed, clock=clock)


def stream(of: ReplaySource, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
    [feed] = of.feeds()
    return feed.stream(watchlist)


async def everything(of: ReplaySource, watchlist: Watchlist) -> list[AnyMessage]:
    return [message async for batch in stream(of, watchlist) for message in batch]


def times(messages: Sequence[AnyMessage]) -> list[str]:
    return [f"{message.ts:%d %H:%M}" for message in messages]


class TestFile:
    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("end", ["\n", "", "\n\n"])
    def test_rows_come_oldest_first_in_parts_of_any_size(self, tmp_path: Path, newest_first: bool, end: str) -> None:
        path = tmp_path / "A_1min.csv"
        write(path, minutes(7), newest_first=newest_first, end=end)
        file = BarFile(path, "A", "1min", NEW_YORK)
        for size in (1, 3, 100):
            rows = [bar for start in range(0, len(file), size) for bar in file.read(start, size)]
            assert [bar.open for bar in rows if isinstance(bar, Bar)] == [10, 11, 12, 13, 14, 15, 16]
        assert file.read(len(file), 1) == []

    def test_a_row_becomes_a_bar(self, tmp_path: Path) -> None:
        path = tmp_path / "BRK.B_5min.csv"
        write(path, ["2024-03-04 16:00:00,1.5,2.5,0.5,2,1234"])
        assert BarFile(path, "BRK.B", "5min", NEW_YORK).read(0, 9) == [
            Bar(
                ticker="BRK.B",
                interval="5min",
                ts=datetime(2024, 3, 4, 21, tzinfo=UTC),
                open=1.5,
                high=2.5,
                low=0.5,
                close=2,
                volume=1234,
                source="replay",
            )
        ]

    def test_columns_are_found_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "A_1min.csv"
        path.write_bytes(b"\xef\xbb\xbfVolume,Close,Low,High,Open,DateTime,vwap\r\n7,2,1,4,3,2024-03-04 10:00:00,9\r\n")
        [bar] = BarFile(path, "A", "1min", NEW_YORK).read(0, 9)
        assert isinstance(bar, Bar)
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (3, 4, 1, 2, 7)

    @pytest.mark.parametrize(
        ("local", "utc"),
        [
            ("2024-03-08 10:00:00", "2024-03-08T15:00:00+00:00"),  # winter
            ("2024-03-11 10:00:00", "2024-03-11T14:00:00+00:00"),  # summer
            ("2024-03-10 02:30:00", "2024-03-10T07:30:00+00:00"),  # skipped
            ("2024-11-03 01:30:00", "2024-11-03T05:30:00+00:00"),  # twice; the first
            ("2024-03-08T10:00:00+01:00", "2024-03-08T09:00:00+00:00"),  # says its offset
            ("2024-07-04", "2024-07-04T04:00:00+00:00"),
            ("2024-12-24", "2024-12-24T05:00:00+00:00"),
        ],
    )
    def test_local_times_become_utc(self, tmp_path: Path, local: str, utc: str) -> None:
        path = tmp_path / "A_daily.csv"
        write(path, [row(local)])
        [bar] = BarFile(path, "A", "daily", NEW_YORK).read(0, 9)
        assert bar.ts.isoformat() == utc

    @pytest.mark.parametrize(
        "bad",
        [
            "2024-03-04 10:01:00,1,2,3",
            "2024-03-04 10:01:00,1,2,0.5,1,2,3",
            "2024-03-04 10:01:00,one,2,1,1,5",
            "2024-03-04 10:01:00,nan,2,1,1,5",
            "2024-03-04 10:01:00,1,inf,1,1,5",
            "2024-03-04 10:01:00,0,2,0,1,5",
            "2024-03-04 10:01:00,1,2,1,1,-5",
            "2024-03-04 10:01:00,1,1,2,1,5",
            "yesterday,1,2,1,1,5",
            "0001-01-01 00:00:00+14:00,1,2,1,1,5",
            "\x00\ufffd",
        ],
    )
    @pytest.mark.parametrize("newest_first", [False, True])
    def test_a_bad_row_is_a_dead_letter_in_its_place(self, tmp_path: Path, bad: str, newest_first: bool) -> None:
        path = tmp_path / "A_1min.csv"
        write(path, [row("2024-03-04 10:00:00"), bad, row("2024-03-04 10:02:00")], newest_first=newest_first)
        before, letter, after = BarFile(path, "A", "1min", NEW_YORK).read(0, 9)
        assert isinstance(before, Bar)
        assert isinstance(after, Bar)
        assert isinstance(letter, DeadLetter)
        assert (letter.topic, letter.partition, letter.offset) == ("replay:A_1min.csv", 0, 3)
        assert letter.reason
        assert before.ts <= letter.ts < after.ts

    def test_a_bad_row_without_dated_neighbours_is_still_handed_out(self, tmp_path: Path) -> None:
        path = tmp_path / "A_1min.csv"
        write(path, ["???"])
        [letter] = BarFile(path, "A", "1min", NEW_YORK).read(0, 9)
        assert isinstance(letter, DeadLetter)
        assert (letter.ts, letter.offset, letter.payload) == (UNDATED, 2, "???")

    @pytest.mark.parametrize("content", [b"", b"\n", b"date,open\n", b"2024-03-04 10:00:00,1,2,3,4,5\n", b"\xff\xfe"])
    def test_a_file_without_the_header_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "A_1min.csv"
        path.write_bytes(content)
        with pytest.raises(SourceError, match="must begin with the header datetime,open"):
            BarFile(path, "A", "1min", NEW_YORK)


class TestStream:
    async def test_all_tickers_and_intervals_in_order_of_time(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", minutes(12), newest_first=True)
        write(tmp_path / "A_5min.csv", minutes(12)[::5])
        write(tmp_path / "^B_1min.csv", minutes(12))
        write(tmp_path / "A_daily.csv", ["2024-03-01,1,2,1,1,1"])
        write(tmp_path / "C_1min.csv", minutes(12))
        messages = await everything(source(tmp_path), Watchlist(["A", "^B"]))
        bars = [m for m in messages if isinstance(m, Bar)]
        assert len(bars) == len(messages) == 27
        assert times(bars) == sorted(times(bars))
        assert {(bar.ticker, bar.interval) for bar in bars} == {("A", "1min"), ("A", "5min"), ("^B", "1min")}
        assert not any(bar.simulated for bar in bars)

    async def test_batches_are_bounded(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", minutes(700, hour=0))
        write(tmp_path / "B_1min.csv", minutes(700, hour=0), newest_first=True)
        sizes = [len(batch) async for batch in stream(source(tmp_path), Watchlist(["A", "B"]))]
        assert sum(sizes) == 1400
        assert max(sizes) <= BATCH

    async def test_a_bad_row_is_streamed_among_the_bars(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", [*minutes(2), "broken", *minutes(4)[2:]])
        messages = await everything(source(tmp_path), Watchlist(["A"]))
        assert [type(m) for m in messages] == [Bar, Bar, DeadLetter, Bar, Bar]

    async def test_nothing_watched_is_nothing_to_do(self, tmp_path: Path) -> None:
        assert await everything(source(tmp_path), Watchlist()) == []

    async def test_a_missing_directory_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"there is no directory .*nowhere"):
            await everything(source(tmp_path / "nowhere"), Watchlist(["A"]))

    async def test_no_file_at_all_is_an_error_that_says_what_is_expected(self, tmp_path: Path) -> None:
        of = source(tmp_path)
        for _ in range(2):
            with pytest.raises(SourceError, match=r"no bars of A, B; expected are files <TICKER>_<interval>\.csv"):
                await everything(of, Watchlist(["A", "B"]))
        write(tmp_path / "A_1min.csv", minutes(1))
        assert len(await everything(of, Watchlist(["A", "B"]))) == 1

    async def test_daily_bars_alone_are_no_error(self, tmp_path: Path) -> None:
        write(tmp_path / "A_daily.csv", [row("2024-03-04")])
        assert await everything(source(tmp_path), Watchlist(["A"])) == []

    async def test_of_a_ticker_without_a_file_it_is_told_why_it_has_nothing(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", minutes(1))
        of = source(tmp_path)
        await everything(of, Watchlist(["A", "ZZZ"]))
        assert of.ticker_notes() == {"ZZZ": "nothing to replay: there is no ZZZ_1min.csv"}

    async def test_one_ticker_without_a_file_is_warned_of_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        write(tmp_path / "A_1min.csv", minutes(1))
        of, watchlist = source(tmp_path), Watchlist(["A", "B"])
        with caplog.at_level(logging.WARNING):
            await everything(of, watchlist)
            watchlist.add(["C"])
            await everything(of, watchlist)
        warnings = [record.getMessage() for record in caplog.records]
        assert [w.split("bars of ")[1][0] for w in warnings] == ["B", "C"]
        assert all(str(tmp_path) in w and "<TICKER>_<interval>.csv" in w for w in warnings)

    async def test_the_recorded_bars_are_what_the_files_hold(self) -> None:
        require(BARS)
        tickers = ["AAPL", "MSFT", "TSLA"]
        messages = await everything(source(BARS), Watchlist(tickers))
        for ticker in tickers:
            assert [m for m in messages if isinstance(m, Bar) and m.ticker == ticker] == recorded_bars(ticker)
        assert len(messages) == 1948 + 1948 + 1946


class TestWatchlist:
    async def test_a_ticker_added_streams_from_its_beginning_and_a_removed_one_stops(self, tmp_path: Path) -> None:
        for ticker in "AB":
            write(tmp_path / f"{ticker}_1min.csv", minutes(1200, hour=0))
        watchlist = Watchlist(["A"])
        batches = stream(source(tmp_path), watchlist)
        await anext(batches)
        watchlist.add(["B"])
        watchlist.remove(["A"])
        messages = [message async for batch in batches for message in batch]
        assert [m.open for m in messages if isinstance(m, Bar)] == [10 + i for i in range(1200)]
        assert {m.ticker for m in messages if isinstance(m, Bar)} == {"B"}

    async def test_a_change_while_files_are_opened_is_seen(self, tmp_path: Path) -> None:
        for ticker in "AB":
            write(tmp_path / f"{ticker}_1min.csv", minutes(2))
        watchlist = Watchlist(["A"])
        opening = asyncio.ensure_future(everything(source(tmp_path), watchlist))
        await asyncio.sleep(0)
        watchlist.add(["B"])
        assert {m.ticker for m in await opening if isinstance(m, Bar)} == {"A", "B"}

    async def test_started_again_it_streams_only_what_it_has_not(self, tmp_path: Path) -> None:
        for ticker in "AB":
            write(tmp_path / f"{ticker}_1min.csv", minutes(600, hour=0))
        of, watchlist = source(tmp_path), Watchlist(["A"])
        assert len(await everything(of, watchlist)) == 600
        assert await everything(of, watchlist) == []
        watchlist.add(["B"])
        again = await everything(of, watchlist)
        assert len(again) == 600
        assert {m.ticker for m in again if isinstance(m, Bar)} == {"B"}

    async def test_one_that_comes_back_goes_on_where_it_stopped(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", minutes(1200, hour=0))
        write(tmp_path / "B_1min.csv", [row("2024-03-05 10:00:00")])
        watchlist = Watchlist(["A", "B"])
        batches = stream(source(tmp_path), watchlist)
        first = [*await anext(batches)]
        watchlist.remove(["A"])
        assert times(await anext(batches)) == ["05 15:00"]
        watchlist.add(["A"])
        rest = [message async for batch in batches for message in batch]
        opens = [m.open for m in first + rest if isinstance(m, Bar)]
        assert opens == [10 + i for i in range(1200)]

    async def test_a_batch_that_was_not_published_comes_again(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", minutes(1200, hour=0))
        of, watchlist = source(tmp_path), Watchlist(["A"])
        batches = stream(of, watchlist)
        published = [*await anext(batches)]
        lost = await anext(batches)
        await batches.aclose()
        rest = await everything(of, watchlist)
        assert rest[: len(lost)] == lost
        assert [m.open for m in published + rest if isinstance(m, Bar)] == [10 + i for i in range(1200)]


class TestPace:
    async def test_bars_come_when_they_are_due(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", [*minutes(3), row("2024-03-04 11:00:00")])
        clock = FakeClock(auto=True)
        came = [
            (round(clock.monotonic(), 3), *times(batch))
            async for batch in stream(source(tmp_path, 60, clock), Watchlist(["A"]))
        ]
        assert came == [(0, "04 15:00"), (1, "04 15:01"), (2, "04 15:02"), (60, "04 16:00")]

    async def test_nights_are_skipped(self, tmp_path: Path) -> None:
        rows = [*minutes(2), row("2024-03-04 11:59:00"), *minutes(2, day="2024-03-05"), *minutes(1, day="2024-03-08")]
        write(tmp_path / "A_1min.csv", rows)
        clock = FakeClock(auto=True)
        came = [
            (round(clock.monotonic(), 3), times(batch))
            async for batch in stream(source(tmp_path, 60, clock), Watchlist(["A"]))
        ]
        assert came == [
            (0, ["04 15:00"]),
            (1, ["04 15:01"]),
            (119, ["04 16:59"]),
            (119, ["05 15:00"]),
            (120, ["05 15:01"]),
            (120, ["08 15:00"]),
        ]

    async def test_an_unreadable_first_row_does_not_set_the_clock(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", minutes(2))
        write(tmp_path / "B_1min.csv", ["???"])
        clock = FakeClock(auto=True)
        came = [
            (round(clock.monotonic(), 3), len(batch))
            async for batch in stream(source(tmp_path, 1, clock), Watchlist(["A", "B"]))
        ]
        assert came == [(0, 2), (60, 1)]

    async def test_a_ticker_added_interrupts_the_wait_and_catches_up(self, tmp_path: Path) -> None:
        write(tmp_path / "A_1min.csv", [*minutes(1), row("2024-03-04 12:00:00")])
        write(tmp_path / "B_1min.csv", [*minutes(5), row("2024-03-04 11:59:00")])
        clock, watchlist = FakeClock(), Watchlist(["A"])
        batches = stream(source(tmp_path, 1, clock), watchlist)
        assert times(await anext(batches)) == ["04 15:00"]
        waiting = asyncio.ensure_future(anext(batches))
        await clock.advance(180)
        assert not waiting.done()
        watchlist.add(["B"])
        assert times(await waiting) == ["04 15:00", "04 15:01", "04 15:02", "04 15:03"]
        await batches.aclose()


class TestHistory:
    async def test_it_is_the_daily_file(self, tmp_path: Path) -> None:
        days = [f"{2020 + i // 336}-{i // 28 % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(1100)]
        write(tmp_path / "BRK.B_daily.csv", [row(day) for day in days], newest_first=True)
        chunks = [chunk async for chunk in source(tmp_path).history("BRK.B")]
        assert [(chunk.done, chunk.total) for chunk in chunks] == [(500, 1100), (1000, 1100), (1100, 1100)]
        bars = [message for chunk in chunks for message in chunk.messages]
        assert [f"{bar.ts.astimezone(NEW_YORK):%Y-%m-%d %H:%M}" for bar in bars] == [f"{day} 00:00" for day in days]
        assert {(bar.ticker, bar.interval) for bar in bars if isinstance(bar, Bar)} == {("BRK.B", "daily")}

    async def test_without_one_it_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"there is no A_daily\.csv in"):
            await anext(source(tmp_path).history("A"))
