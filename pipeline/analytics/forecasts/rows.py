"""What models say, as the rows that are published have it."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from pipeline.analytics.forecasts.model import HORIZONS, Prediction
from pipeline.analytics.forecasts.scores import BandRecord
from pipeline.model.messages import DueBands, HorizonForecast
from pipeline.model.times import moment

_PERCENT: Final = 100.0


class Said(NamedTuple):
    """What is said at one bar, and of it. `lineage` names the bars that it was computed from."""

    ts: datetime
    close: float
    horizons: tuple[HorizonForecast, ...]
    prediction: Prediction | None
    lineage: str


def horizons_of(prediction: Prediction | None, close: float, before: Sequence[Said]) -> tuple[HorizonForecast, ...]:
    """Of each horizon what is said at a bar with this close, and what was said of it. `before` are the bars before, the
    oldest first, as far as what was said there may be about this one."""
    count = len(before)
    due = [_due(before[-horizon], place) if horizon <= count else None for place, horizon in enumerate(HORIZONS)]
    if prediction is None:
        return tuple(HorizonForecast(horizon=horizon, due=due[place]) for place, horizon in enumerate(HORIZONS))
    return tuple(_told(prediction, place, close, due[place]) for place in range(len(HORIZONS)))


def _due(said: Said, place: int) -> DueBands | None:
    bands = said.horizons[place]
    if bands.low_50 is None or bands.low_80 is None or bands.low_95 is None:
        return None
    if bands.high_50 is None or bands.high_80 is None or bands.high_95 is None:
        return None
    return DueBands(
        ts=said.ts,
        close=said.close,
        low_50=bands.low_50,
        high_50=bands.high_50,
        low_80=bands.low_80,
        high_80=bands.high_80,
        low_95=bands.low_95,
        high_95=bands.high_95,
    )


def _told(prediction: Prediction, place: int, close: float, due: DueBands | None) -> HorizonForecast:
    band, horizon = prediction.bands[place], HORIZONS[place]
    by_50, by_80, by_95 = map(math.exp, band.halves)
    return HorizonForecast(
        horizon=horizon,
        low_50=close / by_50,
        high_50=close * by_50,
        low_80=close / by_80,
        high_80=close * by_80,
        low_95=close / by_95,
        high_95=close * by_95,
        volatility=band.volatility,
        due=due,
        **_record(band.record, horizon),
    )


def _record(record: BandRecord, horizon: int) -> dict[str, Any]:
    count = record.total
    if not count:
        return {}
    held_50, held_80, held_95 = record.inside
    return {
        "count": count,
        "held_50": held_50 / count,
        "held_80": held_80 / count,
        "held_95": held_95 / count,
        "score": _PERCENT * record.ours / count,
        "score_ewma": _PERCENT * record.ewma / count,
        "score_rolling": _PERCENT * record.rolling / count,
        "skill": record.skill(horizon),
    }


def direction_of(prediction: Prediction | None) -> dict[str, Any]:
    """The fields of a row that are about no horizon."""
    if prediction is None:
        return {}
    record, count = prediction.direction, prediction.direction.total
    return {
        "up": prediction.up,
        "up_loss": record.ours / count if count else None,
        "up_loss_base": record.base / count if count else None,
        "up_skill": record.skill,
        "since": moment(prediction.since),
        "drifted": None if prediction.drifted is None else moment(prediction.drifted),
    }
