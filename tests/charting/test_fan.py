import pytest

from fintrends_tui.charting.buckets import step_named
from fintrends_tui.charting.fan import fan
from pipeline.contract.snapshot import ForecastView, HorizonView

TS = 1_800_000_000.0
MINUTE = 60


def said(interval: str = "1min", *, level: str = "80", reach: float = 1.0) -> ForecastView:
    horizons = [HorizonView(bars=bars, bands={level: (100 - reach * bars, 100 + reach * bars)}) for bars in (1, 5, 15)]
    return ForecastView(interval=interval, ts=TS, close=100.0, horizons=horizons)


def test_it_opens_candle_by_candle_up_to_the_farthest_forecast() -> None:
    (band,) = fan([said()], step_named("1min"), TS)
    assert [ts for ts, _, _ in band.points] == [TS + index * MINUTE for index in range(1, 16)]
    assert [high - low for _, low, high in band.points] == pytest.approx([2.0 * index for index in range(1, 16)])


def test_a_candle_that_forms_is_not_forecast_again() -> None:
    (band,) = fan([said()], step_named("1min"), TS + MINUTE)
    assert band.points[0] == (TS + 2 * MINUTE, 98.0, 102.0)
    assert len(band.points) == 14


def test_the_longest_interval_within_a_candle_is_shown() -> None:
    views = [said("1min", reach=1), said("5min", reach=2), said("60min", reach=9)]
    (band,) = fan(views, step_named("15min"), TS)
    assert [(ts - TS) / MINUTE for ts, _, _ in band.points] == [15, 30, 45, 60, 75]
    assert band.points[-1][1:] == (70.0, 130.0)


@pytest.mark.parametrize(
    ("views", "step", "last"),
    [
        ([], "1min", TS),
        ([ForecastView(interval="1min", ts=TS, close=1.0, horizons=[HorizonView(bars=1)])], "1min", TS),
        ([said("60min")], "1min", TS),  # nothing is said of so short a time
        ([said("1min")], "daily", TS),  # nor of one so long
        ([said("1min")], "1min", TS + 3600),  # old: all of it has come
    ],
)
def test_where_nothing_is_forecast_there_is_none(views: list[ForecastView], step: str, last: float) -> None:
    assert fan(views, step_named(step), last) == []


def test_the_widest_comes_first() -> None:
    both = said().horizons[0].bands | {"50": (99.5, 100.5)}
    view = ForecastView(interval="1min", ts=TS, close=100.0, horizons=[HorizonView(bars=1, bands=both)])
    assert [band.tone for band in fan([view], step_named("1min"), TS)] == ["fan-wide", "fan-narrow"]
