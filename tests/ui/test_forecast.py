"""Forecasts in words."""

from msgspec.structs import replace

from fintrends_tui.state.forecast import ForecastLine, forecast_lines
from pipeline.contract.snapshot import ForecastView, HorizonView, TickerDetail
from tests.ui import samples


def detail(forecast: ForecastView) -> TickerDetail:
    return replace(samples.detail(), forecasts=[forecast])


def written(lines: list[ForecastLine]) -> list[str]:
    return ["".join(text for text, _ in line.parts) for line in lines]


def test_bands_record_and_direction_are_told_and_that_there_is_no_skill() -> None:
    said, record, direction = written(forecast_lines(detail(samples.forecast("1min", 200.0))))
    assert said.endswith("80 %: next close 199.88 to 200.12, 5th 199.72 to 200.28, 15th 199.50 to 200.50")
    assert record.startswith("Skill: held 79.9 % of 1,846, score 0.976 of EWMA's and 0.842 of rolling band's, since ")
    assert direction == "No skill: next return positive with 48 % (log-loss 0.6939; base rate 0.6948, a coin 0.6931)"


def test_of_few_forecasts_nothing_is_claimed() -> None:
    few = HorizonView(bars=1, bands={"80": (1.0, 2.0)}, count=20, held={"80": 0.85}, score=1.0, score_ewma=2.0)
    lines = written(forecast_lines(detail(ForecastView(interval="daily", ts=samples.NOW, close=1.5, horizons=[few]))))
    assert lines[1] == "Too few to tell of skill: held 85.0 % of 20, score 0.500 of EWMA's"
    new = replace(few, count=0, held={}, score=None, score_ewma=None)
    lines = written(forecast_lines(detail(ForecastView(interval="daily", ts=samples.NOW, close=1.5, horizons=[new]))))
    assert lines[1] == "No bar that was forecast has come yet"


def test_where_no_band_is_said_none_is_shown() -> None:
    nothing = ForecastView(interval="1min", ts=samples.NOW, close=1.5, horizons=[HorizonView(bars=1)])
    (line,) = written(forecast_lines(detail(nothing)))
    assert line == "No forecast of 1min bars: there are fewer than 100, or the price does not move"
    assert forecast_lines(replace(samples.detail(), forecasts=[])) == []
    assert forecast_lines(None) == []


def test_a_close_outside_of_its_band_and_drift_are_noted() -> None:
    shown = replace(samples.forecast("1min", 200.0), outside=0.5, drifted=samples.NOW - 600)
    record = forecast_lines(detail(shown))[1]
    assert record.parts[-1] == (", last close outside of its 95 % band", "warn")
    assert "returns drifted" in record.parts[-2][0]


def test_it_is_of_the_interval_that_the_watchlist_shows() -> None:
    shown = replace(samples.detail(), interval="daily")
    assert written(forecast_lines(shown))[0].startswith("daily at ")
