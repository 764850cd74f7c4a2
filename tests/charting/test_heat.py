"""The heat map: a tile a ticker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.charting.heat import heat_map, shade, tiles
from pipeline.contract.snapshot import TickerView

ROWS = [
    TickerView(ticker=name, price=100.0, change_percent=percent)
    for name, percent in (("AAPL", 0.1), ("MSFT", -0.5), ("TSLA", 4.0), ("JPM", None))
]


def test_each_tile_names_its_ticker_and_its_change() -> None:
    text = "\n".join("".join(run.text for run in row) for row in heat_map(ROWS, 60, 20))
    for part in ("AAPL", "▲ +0.10%", "▼ -0.50%", "JPM", "100.00"):
        assert part in text


@pytest.mark.parametrize(
    ("percent", "tone"),
    [(None, "session"), (0.1, "session"), (0.5, "heat-up-1"), (-1.5, "heat-down-2"), (9.0, "heat-up-3")],
)
def test_the_farther_the_price_has_moved_the_stronger_the_shade(percent: float | None, tone: str) -> None:
    assert shade(percent) == tone


@given(st.integers(1, 300), st.integers(2, 200), st.integers(1, 60))
def test_any_watchlist_fits_any_size(count: int, width: int, height: int) -> None:
    rows = heat_map((ROWS * 75)[:count], width, height)
    assert [sum(len(run.text) for run in row) for row in rows] == [width] * height
    assert tiles(count, width, height).across * tiles(count, width, height).width <= width
