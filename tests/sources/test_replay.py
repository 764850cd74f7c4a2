"""The replay of recorded bars."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Bar, DeadLetter, Interval, bar_rank
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import SourceError
from pipeline.sources.replay.csv_files import UNDATED, BarFile
from pipeline.sources.replay.source import BATCH, ReplaySource
from testkit.data import BARS, recorded_bars, require
from testkit.fakes import FakeClock

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


def rows_of(
    directory: Path,
    rows: Sequence[str],
    *,
    interval: Interval = "1min",
    zone: str = "America/New_York",
    header: str = HEADER,
    ticker: str = "A",
    newest_first: bool = False,
) -> list[Bar | DeadLetter]:
    """What a file of these rows gives."""
    path = directory / f"{ticker}_{interval}.csv"
    write(path, rows, newest_first=newest_first, header=header)
    return BarFile(path, ticker, interval, ZoneInfo(zone)).read(0, 10_000)


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
            ("2024-03-11 10:00", "2024-03-11T14:00:00+00:00"),  # summer
            ("2024-03-08T10:00:00+01:00", "2024-03-08T09:00:00+00:00"),  # says its offset
            ("2024-03-08T10:00:00.250Z", "2024-03-08T10:00:00.250000+00:00"),
            ("2024-03-08 10:00:00 UTC", "2024-03-08T10:00:00+00:00"),
            ("2024-03-08 10:00:00-0500", "2024-03-08T15:00:00+00:00"),
            ("20240308 100000", "2024-03-08T15:00:00+00:00"),
            ("202403081000", "2024-03-08T15:00:00+00:00"),
            ("2024/3/8 9:30", "2024-03-08T14:30:00+00:00"),
            ("8.3.2024 10:00", "2024-03-08T15:00:00+00:00"),
            ("03/18/2024 4:00 PM", "2024-03-18T20:00:00+00:00"),
            ("18/03/2024 16:00", "2024-03-18T20:00:00+00:00"),
            ("Mar 8, 2024 10:00", "2024-03-08T15:00:00+00:00"),
            ("8-Mar-2024 10:00", "2024-03-08T15:00:00+00:00"),
            ("1709910000", "2024-03-08T15:00:00+00:00"),
            ("1709910000.5", "2024-03-08T15:00:00.500000+00:00"),
            ("1709910000000", "2024-03-08T15:00:00+00:00"),
            ("1709910000000000", "2024-03-08T15:00:00+00:00"),
            ("1709910000000000000", "2024-03-08T15:00:00+00:00"),
            ("915204600", "1999-01-01T15:30:00+00:00"),
            ("-252322200", "1962-01-02T14:30:00+00:00"),
        ],
    )
    def test_times_become_utc(self, tmp_path: Path, local: str, utc: str) -> None:
        [bar] = rows_of(tmp_path, [row(f'"{local}"')])
        assert bar.ts.isoformat() == utc

    @pytest.mark.parametrize(
        "impossible",
        [
            "0", "43756", "99999999999", "1.57E+12", "24-03-08 10:00", "3/8/24", "0024-03-08", "1970-01-01 00:00:00",
            "9999-12-31", "2024-02-30", "2024-13-01", "2024-03-08 25:00", "2024-03-08 10:61", "2024-03-08 13:00 PM",
            "2024-W10-5", "2024-03-08 10:00 Mars", "8 Mxr 2024", "",
        ],
    )  # fmt: skip
    def test_what_is_no_time_of_a_bar_is_a_dead_letter(self, tmp_path: Path, impossible: str) -> None:
        _, letter = rows_of(tmp_path, [row("2024-03-04 10:00:00"), row(impossible)])
        assert isinstance(letter, DeadLetter)
        assert letter.reason.startswith("line 3: ")
        assert "datetime" in letter.reason

    @pytest.mark.parametrize(
        ("zone", "label", "day"),
        [
            ("America/New_York", "2019-10-18", "2019-10-18"),
            ("America/New_York", "2019-10-18 16:00", "2019-10-18"),
            ("America/New_York", "2019-10-18T00:00:00Z", "2019-10-18"),
            ("America/New_York", "2019-10-18T04:00:00Z", "2019-10-18"),
            ("America/New_York", "2019-10-18 00:00:00-04:00", "2019-10-18"),
            ("America/New_York", "1571356800", "2019-10-18"),  # midnight UTC
            ("America/New_York", "1571405400000", "2019-10-18"),  # the opening
            ("Australia/Sydney", "2019-10-18", "2019-10-18"),
            ("Australia/Sydney", "2019-10-18T00:00:00Z", "2019-10-18"),
            ("Australia/Sydney", "2019-10-17T13:00:00Z", "2019-10-18"),  # midnight there
            ("Australia/Sydney", "1571353200", "2019-10-18"),  # 10:00 there, 23:00 of the day before in UTC
            ("Asia/Kolkata", "2019-10-18T00:00:00+05:30", "2019-10-18"),
            ("Africa/Cairo", "2023-04-28 10:00", "2023-04-28"),  # a day that begins at 01:00
        ],
    )
    def test_a_daily_bar_is_the_exchanges_day_whatever_the_hour(
        self, tmp_path: Path, zone: str, label: str, day: str
    ) -> None:
        [bar] = rows_of(tmp_path, [row(label)], interval="daily", zone=zone)
        there = bar.ts.astimezone(ZoneInfo(zone))
        assert f"{there:%Y-%m-%d}" == day
        assert bar.ts == datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

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
            "2024-03-04 10:01:00,,2,1,1,5",
            "2024-03-04 10:01:00,null,null,null,null,null",
            "2024-03-04 10:01:00,1,2,0,1,5",  # a low that is missing
            "2024-03-04 10:01:00,0,0,0,0,0",
            "2024-03-04 10:01:00,-1,-1,-1,-1,5",  # of a share
            "2024-03-04 10:01:00,1,2,1,2.1,5",
            "2024-03-04 10:01:00,0.9,2,1,1,5",
            "2024-03-04 10:01:00,1_0,20,1,1,5",
            "2024-03-04 10:01:00,1,000,2,1,1,5",
            '2024-03-04 10:01:00,"1,02",2,1,1,5',  # a decimal comma
            '2024-03-04 10:01:00,"1,2,1,1,5',
            '2024-03-04 10:01:00,"1"1,2,1,1,5',
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

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "it is empty"),
            (b"\n \n", "it is empty"),
            (b"date,open,high\n", "it has no column low, close"),
            (b"date,open,open,high,low,close\n", "it names open twice"),
            (b"2024-03-04 10:00:00,1,2,3,4,5\n", "it has no column names"),
            (b"Exceeded the daily hits limit", "it has no column names"),
            (b"\n<!DOCTYPE html>\n<html>", "it is HTML"),
            (b"<html><head><title>503", "it is HTML"),
            (b'{"Information": "the key ABCDEFGH"}', "it is JSON"),
            ("datetime,open".encode("utf-16"), "it is not text"),
            (b"PK\x03\x04", "it is compressed"),
        ],
    )
    def test_a_file_without_the_header_is_refused_with_what_it_is(
        self, tmp_path: Path, content: bytes, reason: str
    ) -> None:
        path = tmp_path / "A_1min.csv"
        path.write_bytes(content)
        with pytest.raises(SourceError, match=f"must begin with the header datetime,open.*; {reason}") as refused:
            BarFile(path, "A", "1min", NEW_YORK)
        assert "ABCDEFGH" not in str(refused.value)


AS_VENDORS_WRITE = {
    "Alpha Vantage": "timestamp,open,high,low,close,volume\r\n2019-10-18,234.5,237.5,234,236.5,24358443\r\n",
    "Yahoo": "Date,Open,High,Low,Close,Adj Close,Volume\n2019-10-18,234.5,237.5,234,236.5,231.2,24358443\n",
    "yfinance": (
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2019-10-18 00:00:00-04:00,234.5,237.5,234,236.5,24358443,0.0,0.0\n"
    ),
    "Nasdaq": (
        'Date,Close/Last,Volume,Open,High,Low\n10/18/2019,"$236.50","24,358,443","$234.50","$237.50","$234.00"\n'
    ),
    "Stooq": (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "AAPL.US,D,20191018,000000,234.5,237.5,234,236.5,24358443,0\n"
    ),
    "investing.com": (
        '\ufeff"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"Oct 18, 2019","236.50","234.50","237.50","234.00","24.358443M","0.48%"\n'
    ),
    "a spreadsheet": "Date;Open;High;Low;Close;Volume\n18.10.2019;234.5;237.5;234;236.5;24358443\n",
    "a terminal": "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>\n2019.10.18\t234.5\t237.5\t234\t236.5\t24358443\n",
    "with an address first": (
        "https://www.example.com\nunix,date,symbol,open,high,low,close,volume\n"
        "1571371200000,2019-10-18 04:00:00,AAPL,234.5,237.5,234,236.5,24358443\n"
    ),
    "quoted": (
        '"datetime","open","high","low","close","volume"\n"2019-10-18","234.5","237.5","234","236.5","24,358,443"\n'
    ),
}


class TestVendors:
    @pytest.mark.parametrize("vendor", AS_VENDORS_WRITE)
    def test_one_bar_as_each_writes_it(self, tmp_path: Path, vendor: str) -> None:
        path = tmp_path / "AAPL_daily.csv"
        path.write_text(AS_VENDORS_WRITE[vendor], newline="")
        [bar] = BarFile(path, "AAPL", "daily", NEW_YORK).read(0, 9)
        assert isinstance(bar, Bar), bar
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (234.5, 237.5, 234, 236.5, 24358443)
        assert bar.ts == datetime(2019, 10, 18, 4, tzinfo=UTC)

    def test_a_column_in_utc_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "EURUSD=X_1min.csv"
        path.write_text("Gmt time,Open,High,Low,Close,Volume\n18.10.2019 16:00:00.000,1.1,1.2,1.1,1.2,3.5\n")
        assert BarFile(path, "EURUSD=X", "1min", NEW_YORK).read(0, 9)[0].ts == datetime(2019, 10, 18, 16, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["", "-", "NaN", "null", "N/A", " "])
    def test_a_volume_that_is_missing_is_not_known_and_the_prices_are_kept(self, tmp_path: Path, text: str) -> None:
        [bar] = rows_of(tmp_path, [f"2024-01-02,13.2,14.2,13.1,13.2,{text}"], interval="daily")
        assert isinstance(bar, Bar)
        assert (bar.close, bar.volume) == (13.2, None)

    def test_so_it_is_where_there_is_no_such_column(self, tmp_path: Path) -> None:
        header = "datetime,open,high,low,close"
        [bar] = rows_of(tmp_path, ["2024-01-02,1.1,1.2,1.1,1.15"], interval="daily", header=header, ticker="EURUSD=X")
        assert isinstance(bar, Bar)
        assert bar.volume is None

    @pytest.mark.parametrize(
        ("text", "volume"), [('"1,000"', 1000), ('"1,234,567.5"', 1234567.5), ('"12,34,567"', 1234567), ("1.2k", 1200)]
    )
    def test_thousands(self, tmp_path: Path, text: str, volume: float) -> None:
        [bar] = rows_of(tmp_path, [f"2024-01-02,10,11,9,10,{text}"])
        assert isinstance(bar, Bar)
        assert bar.volume == volume

    def test_prices_of_futures_go_below_zero(self, tmp_path: Path) -> None:
        rows = ["2020-04-20,17.73,17.85,-40.32,-37.63,247947", "2020-04-21,-14,13.86,-16.74,10.01,81212"]
        for ticker in ("CL=F", "^IRX", "CLM20.NYM"):
            bars = rows_of(tmp_path, rows, interval="daily", ticker=ticker)
            assert [bar.close for bar in bars if isinstance(bar, Bar)] == [-37.63, 10.01]


class TestDates:
    """Whether the day or the month comes first, all rows of a file say together."""

    @pytest.mark.parametrize(
        ("dates", "first"),
        [
            (["01/02/2024", "01/30/2024"], "2024-01-02"),
            (["30/01/2024", "01/02/2024"], "2024-01-30"),
            (["02/02/2024"], "2024-02-02"),
            (["01-02-2024", "45/67/2024", "15-02-2024"], "2024-02-01"),
            (["01.02.2024"], "2024-02-01"),
        ],
    )
    def test_it_is_told(self, tmp_path: Path, dates: list[str], first: str) -> None:
        bars = [bar for bar in rows_of(tmp_path, [row(date) for date in dates]) if isinstance(bar, Bar)]
        assert f"{min(bar.ts for bar in bars).astimezone(NEW_YORK):%Y-%m-%d}" == first

    @pytest.mark.parametrize(
        ("dates", "reason"),
        [
            (["01/02/2024", "03/04/2024"], r"'01/02/2024': it is not known whether the day or the month"),
            (["30/01/2024", "01/30/2024"], r"the day comes first on line 2 .* and the month on line 3"),
        ],
    )
    def test_or_the_file_is_refused(self, tmp_path: Path, dates: list[str], reason: str) -> None:
        with pytest.raises(SourceError, match=reason):
            rows_of(tmp_path, [row(date) for date in dates])

    def test_nasdaq_writes_the_american_way(self, tmp_path: Path) -> None:
        [bar] = rows_of(tmp_path, ["01/02/2024,$2,5,$1,$2,$1"], header="Date,Close/Last,Volume,Open,High,Low")
        assert bar.ts == datetime(2024, 1, 2, 5, tzinfo=UTC)


NIGHT = tuple(f"2024-11-03 {hour:02d}:{minute:02d}:00" for hour in (0, 1, 1, 2) for minute in range(60))


class TestClockChanges:
    """In the night of 2024-11-03 the hour from 01:00 occurs twice in New York, on 2024-03-10 that from 02:00 never."""

    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("step", [1, 5, 15, 30, 60])
    def test_order_tells_the_hours_apart(self, tmp_path: Path, step: int, newest_first: bool) -> None:
        interval: Interval = f"{step}min"  # type: ignore[assignment]
        bars = rows_of(tmp_path, [row(t) for t in NIGHT[::step]], interval=interval, newest_first=newest_first)
        assert [bar.ts for bar in bars if isinstance(bar, Bar)] == [
            datetime(2024, 11, 3, 4, tzinfo=UTC) + timedelta(minutes=number) for number in range(0, 240, step)
        ]

    @pytest.mark.parametrize("newest_first", [False, True])
    def test_so_it_does_in_another_zone_and_where_trades_are_few(self, tmp_path: Path, newest_first: bool) -> None:
        labels = ["01:50", "02:10", "02:40", "02:20", "02:50", "03:30"]  # from 03:00 back to 02:00
        rows = [row(f"2024-10-27 {label}") for label in labels]
        bars = rows_of(tmp_path, rows, zone="Europe/Berlin", newest_first=newest_first)
        utc = [f"{bar.ts:%H:%M}" for bar in bars if isinstance(bar, Bar)]
        assert utc == ["23:50", "00:10", "00:40", "01:20", "01:50", "02:30"]

    @pytest.mark.parametrize(
        ("labels", "utc"),
        [
            (["00:58", "00:59", "01:00", "01:01"], ["04:58", "04:59", "05:00", "05:01"]),
            (["01:58", "01:59", "02:00", "02:01"], ["06:58", "06:59", "07:00", "07:01"]),
            (["00:59", "01:00", "01:59", "02:00"], ["04:59", "05:00", "06:59", "07:00"]),
        ],
    )
    def test_so_do_neighbours(self, tmp_path: Path, labels: list[str], utc: list[str]) -> None:
        bars = rows_of(tmp_path, [row(f"2024-11-03 {label}") for label in labels])
        assert [f"{bar.ts:%H:%M}" for bar in bars if isinstance(bar, Bar)] == utc

    @pytest.mark.parametrize(
        "labels",
        [
            ["01:30"],
            ["00:10", "01:30", "02:40"],
            ["01:30", "01:30"],  # one bar, or two
            ["00:59", *(f"01:{minute:02d}" for minute in range(60)), "02:00"],  # one hour, but which
            ["00:59", "01:20", "01:10", "01:20", "01:10", "02:00"],
        ],
    )
    def test_where_nothing_tells_it_is_a_dead_letter(self, tmp_path: Path, labels: list[str]) -> None:
        rows = rows_of(tmp_path, [row(f"2024-11-03 {label}") for label in labels])
        letters = [letter for letter in rows if isinstance(letter, DeadLetter)]
        assert len(letters) == sum(label.startswith("01") for label in labels)
        assert all("occurs twice in America/New_York" in letter.reason for letter in letters)

    def test_an_offset_tells(self, tmp_path: Path) -> None:
        bars = rows_of(tmp_path, [row("2024-11-03 01:30-05:00"), row("2024-11-03 01:30-04:00")])
        assert {f"{bar.ts:%H:%M}" for bar in bars if isinstance(bar, Bar)} == {"06:30", "05:30"}

    @pytest.mark.parametrize(
        ("label", "zone"), [("2024-03-10 02:30", "America/New_York"), ("2024-03-31 02:00", "Europe/Berlin")]
    )
    def test_an_hour_that_the_clocks_skip_is_a_dead_letter(self, tmp_path: Path, label: str, zone: str) -> None:
        [letter] = rows_of(tmp_path, [row(label)], zone=zone)
        assert isinstance(letter, DeadLetter)
        assert f"does not exist in {zone}" in letter.reason


class TestRowsOfOneBar:
    @pytest.mark.parametrize("newest_first", [False, True])
    def test_the_later_counts_which_is_the_upper_one_where_the_newest_stands_first(
        self, tmp_path: Path, newest_first: bool
    ) -> None:
        rows = []
        for minute in minutes(40):
            rows += [minute, minute.replace(",100", ",50000")]
        bars = [bar for bar in rows_of(tmp_path, rows, newest_first=newest_first) if isinstance(bar, Bar)]
        best = {bar.ts: bar for bar in sorted(bars, key=bar_rank)}
        assert [bar.volume for bar in best.values()] == [50000] * 40

    def test_the_last_of_three_that_are_apart(self, tmp_path: Path) -> None:
        rows = [row("2024-01-25", 3), row("2024-01-26", 9), row("2024-01-25", 1), row("2024-01-25T00:00:00Z", 2)]
        bars = [bar for bar in rows_of(tmp_path, rows, interval="daily") if isinstance(bar, Bar)]
        assert max((bar for bar in bars if bar.open != 9), key=bar_rank).open == 2

    def test_the_same_file_gives_the_same_again(self, tmp_path: Path) -> None:
        rows = [row("2024-01-25", 3), row("2024-01-25", 4)]
        assert rows_of(tmp_path, rows) == rows_of(tmp_path, rows)


AS_TRADED = (
    "2020-08-27,500,510,490,500,100,{0}",
    "2020-08-28,504,508,496,500,100,{0}",
    "2020-08-31,127,131,126,129,400,{1}",
)
ADJUSTED = (
    "2020-08-27,126,127,124,125,400,0",
    "2020-08-28,126,127,124,125,400,0",
    "2020-08-31,127,131,126,129,400,4",
)


class TestSplits:
    def closes(self, tmp_path: Path, rows: Sequence[str], column: str) -> list[tuple[float, float | None]]:
        bars = rows_of(tmp_path, rows, interval="daily", header=f"{HEADER},{column}")
        return [(bar.close, bar.volume) for bar in bars if isinstance(bar, Bar)]

    def test_prices_before_a_split_are_adjusted_for_it(self, tmp_path: Path) -> None:
        rows = [text.format("1.0", "4.0") for text in AS_TRADED]
        assert self.closes(tmp_path, rows, "split_coefficient") == [(125, 400), (125, 400), (129, 400)]

    def test_so_they_are_for_a_reverse_and_a_small_one(self, tmp_path: Path) -> None:
        rows = ["2024-01-02,2,2,2,2,1000,1", "2024-01-03,19,20,18,19,100,0.1", "2024-01-04,18,18,18,18,100,1.05"]
        [(first, volume), (second, _), (third, _)] = self.closes(tmp_path, rows, "split_coefficient")
        assert (first, volume) == (pytest.approx(20 / 1.05), pytest.approx(105))
        assert (second, third) == (pytest.approx(19 / 1.05), 18)

    def test_what_is_adjusted_already_stays(self, tmp_path: Path) -> None:
        for column in ("Stock Splits", "split_coefficient"):
            assert self.closes(tmp_path, ADJUSTED, column) == [(125, 400), (125, 400), (129, 400)]

    def test_an_adjusted_close_tells_a_split_and_a_dividend_is_none(self, tmp_path: Path) -> None:
        told = [text.format("121.1", "127") for text in AS_TRADED]
        assert self.closes(tmp_path, told, "Adj Close") == [(125, 400), (125, 400), (129, 400)]
        dividend = ["2024-01-02,10,10,10,10,1,7", "2024-01-03,8,8,8,8,1,8"]
        assert self.closes(tmp_path, dividend, "Adj Close") == [(10, 1), (8, 1)]

    def test_a_bar_adjusted_for_a_later_split_supersedes(self, tmp_path: Path) -> None:
        header = f"{HEADER},split_coefficient"
        once = rows_of(tmp_path, [text.format("1", "4") for text in AS_TRADED], interval="daily", header=header)
        before = rows_of(tmp_path, [AS_TRADED[0].format("1")], interval="daily", header=header)
        assert isinstance(once[0], Bar)
        assert isinstance(before[0], Bar)
        assert bar_rank(once[0]) > bar_rank(before[0])


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

    async def test_a_file_that_gives_no_bar_is_a_failure_of_its_ticker_alone(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        write(tmp_path / "A_1min.csv", minutes(2))
        write(tmp_path / "B_1min.csv", ["a,b,c", *[row("yesterday")] * 5])
        write(tmp_path / "C_5min.csv", [])
        write(tmp_path / "D_1min.csv", minutes(2), header="<html>")
        of = source(tmp_path)
        messages = await everything(of, Watchlist("ABCD"))
        assert sum(isinstance(message, Bar) for message in messages) == 2
        assert "B_1min.csv: none of 6 rows can be read; line 2: 3 fields instead of 6" in of.failures()["B"]
        assert "C_5min.csv has a header and no bars" in of.failures()["C"]
        assert "it is HTML" in of.failures()["D"]
        assert set(of.failures()) == set("BCD")
        assert of.ticker_notes()["B"] == of.failures()["B"]
        await everything(of, Watchlist("ABCD"))
        assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 3

    async def test_how_many_rows_were_misfits_is_told_with_the_first(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        write(tmp_path / "A_1min.csv", [*minutes(2), "broken", *minutes(4)[2:], "broken"])
        of = source(tmp_path)
        await everything(of, Watchlist(["A"]))
        assert "A_1min.csv: 2 of 6 rows cannot be read; the first: line 4: 1 fields instead of 6" in caplog.text
        assert of.failures() == {}

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

    async def test_a_header_alone_is_no_history(self, tmp_path: Path) -> None:
        write(tmp_path / "A_daily.csv", [])
        with pytest.raises(SourceError, match=r"A_daily\.csv has a header and no bars"):
            await anext(source(tmp_path).history("A"))

    async def test_what_was_adjusted_for_is_told(self, tmp_path: Path) -> None:
        rows = ["2024-01-02,2,2,2,2,1000,1", "2024-01-03,19,20,18,19,100,0.1"]
        write(tmp_path / "A_daily.csv", rows, header=f"{HEADER},split_coefficient")
        [chunk] = [chunk async for chunk in source(tmp_path).history("A")]
        assert chunk.note == "prices before a split are adjusted for it: 2024-01-03 (1 for 10)"
