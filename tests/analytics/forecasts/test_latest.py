"""What is shown of forecasts and what alerts are about, from rows in any order."""

from random import Random

import msgspec
import pytest

from pipeline.analytics.forecasts.latest import LatestForecasts
from pipeline.model.messages import Forecast
from tests.analytics.forecasts.test_series import HISTORY, bar, reference

ROWS = list(reference([*HISTORY[:150], bar(150, HISTORY[149].close * 1.05)]).values())
"""The last close leaps out of its band."""


def shown(*rows: Forecast) -> LatestForecasts:
    latest = LatestForecasts()
    for row in rows:
        latest.put(row)
    return latest


def test_the_last_row_is_shown_whatever_the_order() -> None:
    shuffled = [*ROWS, *ROWS[:50]]
    Random(1).shuffle(shuffled)
    assert shown(*shuffled).views() == shown(*ROWS).views()
    (view,) = shown(*shuffled).views()
    last = ROWS[-1]
    assert (view.interval, view.ts, view.close, view.up) == ("1min", last.ts.timestamp(), last.close, last.up)
    for said, horizon in zip(last.horizons, view.horizons, strict=True):
        assert horizon.bars == said.horizon
        assert horizon.bands["80"] == (said.low_80, said.high_80)
        assert horizon.held["95"] == said.held_95


def test_of_two_rows_of_one_bar_that_which_knows_more() -> None:
    greater = msgspec.structs.replace(ROWS[-1], lineage="f" + ROWS[-1].lineage[1:], up=0.75)
    for rows in ((greater, ROWS[-1]), (ROWS[-1], greater)):
        assert shown(*rows).up("1min") == 0.75


def test_a_close_outside_of_the_band_that_was_said_of_it() -> None:
    last, before = ROWS[-1].horizons[0], ROWS[-2].horizons[0]
    assert last.due is not None and before.due is not None
    outside = shown(*ROWS).outside("1min")
    assert outside is not None and outside > 0.0
    assert not last.due.low_95 <= ROWS[-1].close <= last.due.high_95
    inside = shown(ROWS[-2]).outside("1min")
    assert inside is not None and -1.0 <= inside <= 0.0
    assert before.due.low_95 <= ROWS[-2].close <= before.due.high_95
    edge = msgspec.structs.replace(ROWS[-1], close=last.due.high_95)
    assert shown(edge).outside("1min") == pytest.approx(0.0, abs=1e-9)


def test_where_nothing_was_said_of_the_last_close_nothing_is_known() -> None:
    assert shown(ROWS[0]).outside("1min") is None
    assert shown(ROWS[0]).up("1min") is None
    assert shown(*ROWS).outside("daily") is None
    assert shown().views() == []
