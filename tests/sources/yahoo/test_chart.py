"""Charts as messages: what each trap of the reply becomes."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.yahoo.chart import read_chart
from pipeline.sources.yahoo.errors import NoSuchSymbolError, NotServedError, SymbolError, UnreadableChartError
from pipeline.sources.yahoo.rows import plain
from testkit.fake_yahoo import refusal, reply
from tests.sources.yahoo.replies import CLOSE, META, NOW, OPEN, chart, seconds

_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
_NAMES = [
    "symbol",
    "quote",
    "open",
    "close",
    "splits",
    "date",
    "regularMarketTime",
    "currentTradingPeriod",
    "regular",
    "start",
    "validRanges",
]


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5)


ROW = (230.0, 231.0, 229.5, 230.5, 1000)


class TestBars:
    def test_a_bar_has_what_the_reply_says(self) -> None:
        (bar,) = chart((0, *ROW)).bars
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == ROW
        assert (bar.ticker, bar.interval, bar.source, bar.currency, bar.closed) == (
            "AAPL",
            "1min",
            "yahoo",
            "USD",
            True,
        )
        assert bar.ts == datetime(2026, 3, 4, 14, 30, tzinfo=UTC)
        assert bar.revision == int(NOW.timestamp() * 1000)

    def test_without_bars_there_are_no_timestamps(self) -> None:
        found = chart()
        assert (found.bars, found.misfits) == ([], [])
        assert found.quote is not None

    def test_values_without_timestamps_are_no_bars(self) -> None:
        body = json.dumps({"chart": {"result": [{"meta": META, "indicators": {"quote": [{"close": [1.0]}]}}]}})
        assert read_chart(body.encode(), "AAPL", "1min", NOW).bars == []

    def test_a_row_of_nulls_is_a_minute_without_a_trade(self) -> None:
        found = chart((0, *ROW), (60, None, None, None, None, None), (120, *ROW))
        assert seconds(found) == [0, 120]
        assert found.misfits == []

    def test_a_row_without_a_volume_has_a_bar_of_unknown_volume(self) -> None:
        assert chart((0, *ROW[:4], None)).bars[0].volume is None

    def test_columns_that_are_too_short_are_as_if_they_held_nulls(self) -> None:
        body = reply(META, [(OPEN, *ROW), (OPEN + 60, *ROW)])
        body["chart"]["result"][0]["indicators"]["quote"][0]["high"].pop()
        assert len(read_chart(json.dumps(body).encode(), "AAPL", "1min", NOW).bars) == 1

    def test_prices_have_the_digits_that_they_were_written_with(self) -> None:
        (bar,) = chart((0, 73.72000122070312, 1286.5699462890625, 73.0, 96123.4609375 / 1000, 1)).bars
        assert (bar.open, bar.high) == (73.72, 1286.57)

    def test_null_is_an_unknown_currency(self) -> None:
        found = chart((0, *ROW), currency=None)
        assert (found.bars[0].currency, found.quote and found.quote.currency) == (None, None)

    def test_what_is_before_a_time_is_not_read(self) -> None:
        body = json.dumps(reply(META, [(OPEN, "unfit", *ROW[1:]), (OPEN + 60, *ROW)])).encode()
        found = read_chart(body, "AAPL", "1min", NOW, datetime.fromtimestamp(OPEN + 60, UTC))
        assert (seconds(found), found.misfits) == ([60], [])

    def test_an_interval_that_was_not_asked_for_is_not_taken_for_it(self) -> None:
        assert chart((0, *ROW), interval="daily", dataGranularity="3mo").bars == []

    @pytest.mark.parametrize("firstTradeDate", [-1_325_583_000, None, "1985"])
    def test_when_trade_began_does_not_matter(self, firstTradeDate: Any) -> None:  # noqa: N803
        assert len(chart((0, *ROW), firstTradeDate=firstTradeDate).bars) == 1


class TestNow:
    """The last row may be at the time of now."""

    def test_it_belongs_to_the_bar_that_forms(self) -> None:
        found = chart((1740, *ROW), (1800, 230.0, 230.5, 229.9, 230.2, 500), (1817, 232.0, 232.0, 232.0, 232.0, 0))
        assert seconds(found) == [1740, 1800]
        last = found.bars[-1]
        assert (last.open, last.high, last.low, last.close, last.volume) == (230.0, 232.0, 229.9, 232.0, 500)
        assert not last.closed
        assert found.bars[0].closed

    def test_it_begins_that_bar_where_it_has_no_row_yet(self) -> None:
        found = chart((1740, *ROW), (1817, 232.0, 232.0, 232.0, 232.0, 0))
        assert seconds(found) == [1740, 1800]
        assert [bar.closed for bar in found.bars] == [True, False]

    def test_after_the_session_it_belongs_to_its_last_bar(self) -> None:
        london = {"currentTradingPeriod": {"regular": {"start": OPEN, "end": CLOSE}}}
        late = NOW + timedelta(hours=8)
        found = chart((23_340, *ROW), (23_407, 229.0, 229.0, 229.0, 229.0, 0), now=late, **london)
        assert seconds(found) == [23_340]
        assert (found.bars[0].close, found.bars[0].low, found.bars[0].volume) == (229.0, 229.0, 1000)

    def test_the_same_row_twice_is_one_bar(self) -> None:
        assert seconds(chart((0, *ROW), (0, *ROW))) == [0]

    def test_bars_of_an_hour_are_counted_from_the_start_of_their_session(self) -> None:
        found = chart((-1800, *ROW), (0, *ROW), (1800, *ROW), interval="60min", dataGranularity="1h")
        assert seconds(found) == [-1800, 0]


class TestClosed:
    @pytest.mark.parametrize(
        ("priced_at", "later", "now", "closed"),
        [
            (1799, [], 1830, False),  # its price is of the minute before
            (1830, [], 1830, False),
            (1860, [], 1865, True),
            (1799, [], 1860 + 19 * 60, False),  # prices may be late
            (1799, [], 1860 + 20 * 60, True),
            (1799, [(1860, None, None, None, None, None)], 1865, True),
            (1799, [(1875, *ROW)], 1880, True),
        ],
    )
    def test_a_minute_is_closed_once_the_provider_is_past_it(
        self, priced_at: int, later: list[Any], now: int, closed: bool
    ) -> None:
        at = datetime.fromtimestamp(OPEN + now, UTC)
        found = chart((1800, *ROW), *later, now=at, regularMarketTime=OPEN + priced_at)
        assert found.bars[0].closed is closed

    def test_an_empty_row_of_a_time_to_come_closes_nothing(self) -> None:
        found = chart((1800, *ROW), (7200, None, None, None, None, None))
        assert [bar.closed for bar in found.bars] == [False]

    def test_a_bar_of_a_time_to_come_is_none(self) -> None:
        found = chart((0, *ROW), (86_400, *ROW))
        assert seconds(found) == [0]
        assert "is a time to come" in found.misfits[0].reason

    @pytest.mark.parametrize(
        ("now", "priced_at", "closed"),
        [(-3600, 0, False), (1830, 1830, False), (23_400, 23_399, False), (23_410, 23_401, True), (24_700, 0, True)],
    )
    def test_a_day_is_closed_once_its_regular_session_is_over(self, now: int, priced_at: int, closed: bool) -> None:
        at = datetime.fromtimestamp(OPEN + now, UTC)
        found = chart((-86_400, *ROW), (0, *ROW), interval="daily", now=at, regularMarketTime=OPEN + priced_at)
        assert [bar.closed for bar in found.bars] == [True, closed]

    def test_a_day_without_end_is_closed_when_it_is_over(self) -> None:
        day = int(datetime(2026, 3, 4, tzinfo=UTC).timestamp())
        always = {
            "exchangeTimezoneName": "UTC",
            "currentTradingPeriod": {"regular": {"start": day, "end": day + 86_340}},
        }
        late = datetime(2026, 3, 4, 23, 59, 30, tzinfo=UTC)
        for now, closed in ((late, False), (late + timedelta(minutes=1), True)):
            found = chart(
                (day - OPEN, *ROW), interval="daily", ticker="BTC-USD", now=now, regularMarketTime=int(now.timestamp()),
                **always,
            )  # fmt: skip
            assert found.bars[0].closed is closed


class TestDays:
    def test_a_day_begins_at_midnight_of_the_exchange_whatever_its_offset_is_today(self) -> None:
        summer = int(datetime(2026, 7, 1, 13, 30, tzinfo=UTC).timestamp()) - OPEN
        winter = int(datetime(2026, 12, 1, 14, 30, tzinfo=UTC).timestamp()) - OPEN
        found = chart((summer, *ROW), (winter, *ROW), interval="daily", now=datetime(2026, 12, 5, tzinfo=UTC))
        assert [bar.ts for bar in found.bars] == [
            datetime(2026, 7, 1, 4, tzinfo=UTC),
            datetime(2026, 12, 1, 5, tzinfo=UTC),
        ]

    def test_a_day_in_tokyo_begins_on_the_day_before_in_utc(self) -> None:
        opens = int(datetime(2026, 3, 4, 0, 0, tzinfo=UTC).timestamp()) - OPEN
        (bar,) = chart((opens, *ROW), ticker="7203.T", interval="daily", exchangeTimezoneName="Asia/Tokyo").bars
        assert bar.ts == datetime(2026, 3, 3, 15, tzinfo=UTC)
        assert bar.ts.astimezone(ZoneInfo("Asia/Tokyo")).hour == 0

    def test_the_row_of_now_is_of_its_day(self) -> None:
        found = chart((0, *ROW), (1817, 232.0, 232.0, 232.0, 232.0, 2000), interval="daily")
        assert len(found.bars) == 1
        assert (found.bars[0].open, found.bars[0].close, found.bars[0].volume) == (230.0, 232.0, 2000)

    @pytest.mark.parametrize("zone", [None, "Mars/Olympus", "", "../../etc/passwd", 7])
    def test_without_a_zone_there_are_no_days(self, zone: Any) -> None:
        found = chart((0, *ROW), interval="daily", exchangeTimezoneName=zone)
        assert found.bars == []
        assert "time zone" in found.misfits[0].reason
        assert len(chart((0, *ROW), exchangeTimezoneName=zone).bars) == 1, "bars of a minute need none"


class TestVolume:
    def test_0_is_unknown_outside_regular_hours(self) -> None:
        found = chart((-60, *ROW[:4], 0), (0, *ROW[:4], 0), (1740, *ROW))
        assert [bar.volume for bar in found.bars] == [None, 0, 1000]

    @pytest.mark.parametrize("kind", ["INDEX", "CURRENCY"])
    @pytest.mark.parametrize("interval", ["1min", "daily"])
    def test_of_what_has_none_0_is_unknown(self, kind: str, interval: Any) -> None:
        found = chart((0, *ROW[:4], 0), ticker="^GSPC", instrumentType=kind, regularMarketVolume=0, interval=interval)
        assert found.bars[0].volume is None
        assert found.quote is not None
        assert found.quote.volume is None


class TestQuote:
    def test_it_is_the_last_price_of_the_regular_session(self) -> None:
        quote = chart(regularMarketVolume=5000).quote
        assert quote is not None
        assert (quote.price, quote.previous_close, quote.volume, quote.currency) == (230.5, 229.0, 5000, "USD")
        assert (quote.ts, quote.session, quote.source) == (NOW, "regular", "yahoo")

    def test_it_says_how_far_the_day_and_the_year_went(self) -> None:
        year = {"fiftyTwoWeekHigh": 260.1, "fiftyTwoWeekLow": "n/a"}
        quote = chart(regularMarketDayHigh=231.5, regularMarketDayLow=228, **year).quote
        assert quote is not None
        assert (quote.high, quote.low, quote.year_high, quote.year_low) == (231.5, 228, 260.1, None)

    def test_the_close_before_the_range_is_not_the_previous_close(self) -> None:
        quote = chart(previousClose=None).quote
        assert quote is not None
        assert quote.previous_close is None

    def test_among_days_it_is_the_close_of_the_day_before(self) -> None:
        quote = chart((-86_400, *ROW[:3], 229.75, 1), (0, *ROW), interval="daily", previousClose=None).quote
        assert quote is not None
        assert quote.previous_close == 229.75

    @pytest.mark.parametrize("meta", [{"regularMarketPrice": None}, {"regularMarketTime": None}])
    def test_without_a_price_or_its_time_there_is_none(self, meta: dict[str, Any]) -> None:
        assert chart(**meta).quote is None

    @pytest.mark.parametrize("price", [-1, "abc", [], 0])
    def test_an_impossible_price_is_a_dead_letter(self, price: Any) -> None:
        found = chart((0, *ROW), regularMarketPrice=price)
        assert (found.quote, len(found.misfits), len(found.bars)) == (None, 1, 1)

    def test_it_is_not_of_a_time_to_come(self) -> None:
        quote = chart(regularMarketTime=OPEN + 86_400).quote
        assert quote is not None
        assert quote.ts == NOW


SPLIT = {"date": OPEN, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}
DIVIDEND = {"amount": 0.205, "date": OPEN}


class TestEvents:
    def test_splits_and_dividends_are_of_the_exchanges_day(self) -> None:
        found = chart(events={"splits": {"1": SPLIT}, "dividends": {"1": DIVIDEND}})
        (split,), (dividend,) = found.splits, found.dividends
        assert (split.numerator, split.denominator, split.ts) == (4, 1, datetime(2026, 3, 4, 5, tzinfo=UTC))
        assert (dividend.amount, dividend.currency, dividend.ts) == (0.205, "USD", datetime(2026, 3, 4, 5, tzinfo=UTC))

    @pytest.mark.parametrize("change", [{"date": "x"}, {"numerator": 0}, {"denominator": None}, {"date": 1 << 60}])
    def test_one_that_does_not_fit_spoils_no_other(self, change: dict[str, Any]) -> None:
        found = chart(events={"splits": {"1": SPLIT | change, "2": SPLIT}})
        assert (len(found.splits), len(found.misfits)) == (1, 1)

    @pytest.mark.parametrize("events", [[], "x", {"splits": []}, {"splits": None}])
    def test_of_another_shape_there_are_none(self, events: Any) -> None:
        assert chart(events=events).splits == []


class TestMisfits:
    @pytest.mark.parametrize(
        "row",
        [
            ("x", *ROW),
            (1 << 60, *ROW),
            (None, *ROW),
            (0, "abc", *ROW[1:]),
            (0, 230.0, 1.0, 229.5, 230.5, 1000),
            (0, *ROW[:4], -1),
            (0, *ROW[:4], []),
            (0, 0.0, 0.0, 0.0, 0.0, 0),
            (0, 1e308, "1e309", 1.0, 1.0, 1),
        ],
    )
    def test_a_row_that_does_not_fit_is_a_dead_letter_and_spoils_no_other(self, row: tuple[Any, ...]) -> None:
        rows = [(OPEN + row[0] if isinstance(row[0], int) else row[0], *row[1:]), (OPEN + 60, *ROW)]
        found = read_chart(json.dumps(reply(META, rows)).encode(), "AAPL", "1min", NOW)
        assert seconds(found) == [60]
        (letter,) = found.misfits
        assert letter.topic == "yahoo:chart 1m"
        assert letter.reason.startswith("AAPL: ")

    def test_the_same_has_the_same_offset_and_another_has_another(self) -> None:
        one, two, other = (chart((0, *ROW[:4], volume)).misfits[0] for volume in (-1, -1, -2))
        assert one.offset == two.offset != other.offset

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            b"[]",
            b"{",
            b'{"chart": 1}',
            b'{"chart": {"result": []}}',
            b'{"chart": {"result": [1]}}',
            b'{"chart": {"result": [{"meta": {}}]}}',
            b'{"chart": {"result": [{"meta": {"symbol": "MSFT"}}]}}',
            b'{"chart": {"result": [{"meta": {"symbol": "AAPL"}, "timestamp": "now"}]}}',
            b"\xff\xfe",
            b"[" * 100_000,
        ],
    )
    def test_a_reply_that_cannot_be_read_is_one(self, body: bytes) -> None:
        with pytest.raises(UnreadableChartError) as caught:
            read_chart(body, "AAPL", "1min", NOW)
        assert caught.value.misfit.reason.startswith("AAPL: ")

    def test_what_is_refused_is_told_apart(self) -> None:
        unknown = refusal("Not Found", "No data found, symbol may be \x1b[31mdelisted")
        with pytest.raises(
            NoSuchSymbolError, match="Yahoo knows no symbol AAPL: No data found, symbol may be delisted"
        ):
            read_chart(json.dumps(unknown).encode(), "AAPL", "1min", NOW)
        with pytest.raises(NotServedError, match="1m data not available"):
            read_chart(json.dumps(refusal("Bad Request", "1m data not available")).encode(), "AAPL", "1min", NOW)

    @given(
        st.recursive(_LEAVES, _nested, max_leaves=20), st.sampled_from(["meta", "timestamp", "indicators", "events"])
    )
    def test_any_json_is_taken_or_refused(self, value: Any, where: str) -> None:
        body = reply(META, [(OPEN, *ROW)])
        body["chart"]["result"][0][where] = META | value if where == "meta" and isinstance(value, dict) else value
        with suppress(SymbolError):
            read_chart(json.dumps(body).encode(), "AAPL", "1min", NOW)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_plain_price_is_the_same_number(price: float) -> None:
    shown = plain(price)
    assert shown is not None
    assert shown == pytest.approx(price, rel=1e-7)


@given(st.decimals(min_value="0.0001", max_value=9999, places=4))
def test_a_plain_price_is_the_one_that_was_written(price: Any) -> None:
    import numpy as np

    written = float(f"{price:.7g}".rstrip("0") or 0)
    assert plain(float(np.float32(written))) == written
