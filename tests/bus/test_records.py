"""Stages of a process that read the same record share what it was decoded to."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import batched
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from pipeline.analytics.forecasts.series import ForecastSeries
from pipeline.analytics.series import Series
from pipeline.bus import records
from pipeline.bus.base import Received, Record
from pipeline.bus.records import decode_all, record_of
from pipeline.model.messages import (
    INDICATOR_FIELDS,
    AnyMessage,
    Article,
    Bar,
    Forecast,
    HorizonForecast,
    IndicatorRow,
    Interval,
    decode,
)
from testkit.data import NEW_YORK
from tests.stages.test_stages import bar


def received(record: Record, offset: int) -> Received:
    """As a bus hands it out that has kept it in memory."""
    return Received(
        *(record.topic, record.key, record.value, record.ts, record.headers, 0, offset), decoded=record.decoded
    )


def minute_bar() -> Bar:
    prices = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.25}
    return Bar(ticker="AAPL", ts=datetime(2026, 7, 1, 14, 30, tzinfo=UTC), interval="1min", **prices, volume=5.0)


def article() -> Article:
    return Article(ticker="AAPL", ts=datetime(2026, 7, 1, tzinfo=UTC), id="1", title="News")


@pytest.fixture
def decoded_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topic of each record that is decoded from now on."""
    topics: list[str] = []

    def noted(topic: str, value: bytes) -> AnyMessage:
        topics.append(topic)
        return decode(topic, value)

    monkeypatch.setattr(records, "decode", noted)
    return topics


def test_all_who_are_handed_a_record_or_a_copy_get_the_same_message(decoded_in: list[str]) -> None:
    record = received(record_of(article()), 3)
    copied = replace(record, topic=record.topic)
    (((_, first),), ((_, second),)) = (decode_all([record])[0], decode_all([copied])[0])
    assert first is second
    assert first == article()
    assert decoded_in == [record.topic]


def test_what_a_record_was_decoded_to_makes_no_difference_between_two() -> None:
    one, other = (received(record_of(article()), 3) for _ in range(2))
    other = replace(other, headers=one.headers)
    decode_all([one])
    assert one == other
    assert one.decoded is not other.decoded


def test_the_same_value_in_another_topic_is_another_matter() -> None:
    record = record_of(bar(1))
    decode_all([received(record, 0)])
    elsewhere = Record("stock_data_msft", record.key, record.value, record.ts)
    (letter,) = decode_all([received(elsewhere, 0)])[1]
    assert "another ticker" in letter.reason


@pytest.mark.parametrize("at_once", [1, 1000], ids=["live", "a history"])
@pytest.mark.parametrize("make", [Series, ForecastSeries])
def test_a_row_that_was_computed_here_is_not_decoded_and_is_what_it_would_decode_to(
    monkeypatch: pytest.MonkeyPatch,
    decoded_in: list[str],
    at_once: int,
    make: Callable[[str, Interval, ZoneInfo, str], Series | ForecastSeries],
) -> None:
    monkeypatch.setattr("pipeline.analytics.series.has_batched", lambda: True)
    series = make("AAPL", "1min", NEW_YORK, bar(0).source)
    bars = [bar(minute, close=100 + minute % 7 / 3) for minute in range(1000)]
    rows = [row for part in batched(bars, at_once) for row in series.merge(part)]
    published = [record_of(row) for row in rows]
    read, _ = decode_all([received(record, offset) for offset, record in enumerate(published)])
    assert len(read) == len(bars)
    for (_, message), record, row in zip(read, published, rows, strict=True):
        assert message is row
        assert repr(message) == repr(decode(record.topic, record.value))  # of the same types, to the last digit
    assert not decoded_in


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"volume": None, "currency": "USD", "closed": False, "revision": 2**52 - 1},
        {"volume": 0.0, "open": 1e-300, "low": 1e-300},
        {"ticker": "CL=F", "low": -37.63},
        {"ts": datetime(2026, 7, 1, 16, 0, 0, 123_456, NEW_YORK)},
    ],
)
def test_a_bar_that_was_made_here_is_not_decoded_and_is_what_it_would_decode_to(
    decoded_in: list[str], changes: dict[str, Any]
) -> None:
    made = replace(minute_bar(), **changes)
    record = record_of(made)
    (((_, message),), _) = decode_all([received(record, 0)])
    assert message is made
    assert repr(message) == repr(decode(record.topic, record.value))
    assert not decoded_in


@pytest.mark.parametrize(
    "changes",
    [
        {"close": 100},
        {"volume": 5},
        {"revision": 3.0},
        {"closed": 1},
        {"interval": "2min"},
        {"volume": -1.0},
        {"revision": -1},
        {"revision": 2**52},
        {"source": ""},
    ],
)
def test_a_bar_of_other_types_or_beyond_the_limits_is_decoded(decoded_in: list[str], changes: dict[str, Any]) -> None:
    """A source of one's own makes what it likes, and no message checks that when it is made."""
    record = record_of(replace(minute_bar(), **changes))
    decode_all([received(record, 0)])
    assert decoded_in == [record.topic]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_does_not_have_is_what_it_would_decode_to(value: float) -> None:
    said_of: dict[str, Any] = {
        "ticker": "AAPL",
        "ts": bar(1).ts,
        "interval": "1min",
        "lineage": f"{1:08x}-{1:032x}",
        "close": 1.0,
    }
    row = IndicatorRow(**said_of | dict.fromkeys(INDICATOR_FIELDS, 50.0) | {"rsi_14": value})
    horizons = HorizonForecast(horizon=1), HorizonForecast(horizon=5, volatility=value)
    forecast = Forecast(**said_of, horizons=horizons)
    ((_, read_row), (_, read_forecast)), _ = decode_all([received(record_of(one), 0) for one in (row, forecast)])
    assert isinstance(read_row, IndicatorRow)
    assert read_row.rsi_14 is None
    assert isinstance(read_forecast, Forecast)
    assert read_forecast.horizons[1].volatility is None


def test_what_does_not_decode_is_a_dead_letter_each_time() -> None:
    record = Received("stock_data_aapl", "AAPL", b"{", 0)
    for _ in range(2):
        decoded, (letter,) = decode_all([record])
        assert not decoded
        assert letter.payload == "{"
