"""How well forecasts did on recorded bars: coverage, interval scores and log-losses, beside those of the baselines.

    uv run python -m bench.forecasts [DIRECTORY] [--picture FILE.svg]

Of all files `<TICKER>_1min.csv` and `<TICKER>_daily.csv` of the directory, by default those of ../shared/data. The
scores are computed here anew, from the rows that the pipeline publishes and the closes that came; the first 100 bars
have no forecast. Of minutes it leaves out what lies over a night, and spares the EWMA the return of the night, after
which it would not be itself for an hour: so it is harder to beat than on the screen, where everything counts.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Final, NamedTuple

from bench.coverage import Course, drawn
from pipeline.analytics.forecasts.baselines import EwmaVariance, RollingQuantiles
from pipeline.analytics.forecasts.blocks import MICROSECONDS
from pipeline.analytics.forecasts.model import HORIZONS, ClosedBar, ForecastModel
from pipeline.analytics.forecasts.scores import COIN, SCORED, interval_score
from pipeline.analytics.forecasts.series import ForecastSeries
from pipeline.analytics.indicators import session_of
from pipeline.model.messages import Bar, DueBands, Forecast, Interval, encode
from pipeline.model.times import microseconds
from pipeline.sources.replay.csv_files import BarFile
from testkit.data import BARS, NEW_YORK

INTERVALS: Final[tuple[Interval, ...]] = ("1min", "daily")


class Scored(NamedTuple):
    """A forecast whose bar came: within which bands it lay, and the interval scores of the 80 % bands in percent."""

    inside: tuple[bool, bool, bool]
    ours: float
    ewma: float
    rolling: float


_EWMA: Final = attrgetter("ewma")
_ROLLING: Final = attrgetter("rolling")


class Cost(NamedTuple):
    """Of a bar: microseconds of CPU of the models alone and until its row is made, live; messages and their bytes."""

    models: float
    row: float
    messages: float
    size: float


class Judged(NamedTuple):
    """`last` is the last row, which has the records."""

    ticker: str
    scored: dict[int, list[Scored]]
    last: Forecast
    cost: Cost

    def held(self, horizon: int, level: int) -> float:
        return mean(one.inside[level] for one in self.scored[horizon])

    def ratio(self, horizon: int, other: Callable[[Scored], float]) -> float:
        """Our mean score over that of a baseline."""
        scored = self.scored[horizon]
        return mean(one.ours for one in scored) / mean(other(one) for one in scored)


def bars_of(path: Path, ticker: str, interval: Interval) -> list[Bar]:
    file = BarFile(path, ticker, interval, NEW_YORK)
    return [row for row in file.read(0, len(file)) if isinstance(row, Bar)]


def judge(ticker: str, interval: Interval, bars: Sequence[Bar]) -> Judged:
    rows = ForecastSeries(ticker, interval, NEW_YORK, bars[0].source).merge(bars)
    scored = {horizon: _scored(place, interval, bars, rows) for place, horizon in enumerate(HORIZONS)}
    return Judged(ticker, scored, rows[-1], _cost(interval, bars))


def _scored(place: int, interval: Interval, bars: Sequence[Bar], rows: Sequence[Forecast]) -> list[Scored]:
    """What was due at each bar, beside what the baselines had said of it."""
    horizon = HORIZONS[place]
    ewma, rolling = EwmaVariance(), RollingQuantiles()
    before: list[tuple[float, tuple[float, float] | None]] = []
    scored = []
    for position, (bar, row) in enumerate(zip(bars, rows, strict=True)):
        if position and not _over_night(interval, bars[position - 1], bar):
            ewma.learn(math.log(bar.close / bars[position - 1].close))
        if position >= horizon:
            made, due = bars[position - horizon], row.horizons[place].due
            half, band = before[position - horizon]
            if not _over_night(interval, made, bar):
                rolling.learn(math.log(bar.close / made.close))
                if due is not None and band is not None:
                    scored.append(_score(due, bar.close, half, band))
        before.append((math.sqrt(horizon) * ewma.half_width(), rolling.band()))
    return scored


def _score(due: DueBands, close: float, half: float, band: tuple[float, float]) -> Scored:
    bands = ((due.low_50, due.high_50), (due.low_80, due.high_80), (due.low_95, due.high_95))
    logs = [(math.log(low / due.close), math.log(high / due.close)) for low, high in bands]
    change = math.log(close / due.close)
    within, inside, nearly = (low <= change <= high for low, high in logs)
    return Scored(
        (within, inside, nearly),
        100 * interval_score(*logs[1], change, SCORED),
        100 * interval_score(-half, half, change, SCORED),
        100 * interval_score(*band, change, SCORED),
    )


def _over_night(interval: Interval, one: Bar, other: Bar) -> bool:
    return interval != "daily" and session_of(one.ts, NEW_YORK) != session_of(other.ts, NEW_YORK)


def _cost(interval: Interval, bars: Sequence[Bar]) -> Cost:
    columns = [
        ClosedBar(microseconds(b.ts), b.high, b.low, b.close, b.volume or 0.0, session_of(b.ts, NEW_YORK)) for b in bars
    ]
    models, rows = [], []
    for _ in range(5):
        model = ForecastModel(MICROSECONDS[interval])
        began = process_time()
        for column in columns:
            model.update(column)
        models.append(1e6 * (process_time() - began) / len(bars))
        series = ForecastSeries(bars[0].ticker, interval, NEW_YORK, bars[0].source)
        began = process_time()
        published = [row for bar in bars for row in series.merge([bar])]
        rows.append(1e6 * (process_time() - began) / len(bars))
    size = sum(len(encode(row)) for row in published)
    return Cost(min(models), min(rows), len(published) / len(bars), size / len(bars))


def show(interval: Interval, judged: Sequence[Judged]) -> None:
    print(f"\n{interval:<8}{'bars':>5}{'':>7}{'held':>5}{'':>12}{'score':>7}{'/ EWMA':>9}{'/ rolling':>10}", end="")
    print(f"{'up: loss':>12}{'base':>8}{'coin':>8}  skill (bands, up)")
    print(f"{'':<8}{'':>5}{'50 %':>8}{'80 %':>8}{'95 %':>8}{'%':>7}")
    for one in judged:
        last, scored = one.last, one.scored[1]
        held = "".join(f"{one.held(1, level):>8.3f}" for level in range(3))
        score, ewma, rolling = mean(s.ours for s in scored), one.ratio(1, _EWMA), one.ratio(1, _ROLLING)
        print(f"{one.ticker:<8}{len(scored):>5}{held}{score:>7.3f}{ewma:>9.3f}{rolling:>10.3f}", end="")
        print(f"{last.up_loss or 0:>12.4f}{last.up_loss_base or 0:>8.4f}{COIN:>8.4f}", end="")
        print(f"  {last.horizons[0].skill}, {last.up_skill}")
    for horizon in HORIZONS:
        held = "".join(f"{mean(one.held(horizon, level) for one in judged):>8.3f}" for level in range(3))
        ewma = mean(one.ratio(horizon, _EWMA) for one in judged)
        rolling = mean(one.ratio(horizon, _ROLLING) for one in judged)
        print(f"mean, {horizon:>2} ahead{held}{'':>7}{ewma:>9.3f}{rolling:>10.3f}")
    models, row, messages, size = (mean(figures) for figures in zip(*(one.cost for one in judged), strict=True))
    print(f"a bar: {models:.0f} µs of CPU for the models, {row:.0f} until its row is made, ", end="")
    print(f"{messages:.2f} messages, {size:,.0f} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.forecasts")
    parser.add_argument("directory", type=Path, nargs="?", default=BARS)
    parser.add_argument("--picture", type=Path)
    wanted = parser.parse_args()
    courses: list[Course] = []
    for interval in INTERVALS:
        files = sorted(wanted.directory.glob(f"*_{interval}.csv"))
        series = {file.name.removesuffix(f"_{interval}.csv"): file for file in files}
        judged = [judge(ticker, interval, bars_of(file, ticker, interval)) for ticker, file in series.items()]
        judged = [one for one in judged if one.scored[HORIZONS[-1]]]
        if judged:
            show(interval, judged)
        if interval == INTERVALS[0]:
            courses = [Course(one.ticker, [s.inside[1] for s in one.scored[1]]) for one in judged]
    if wanted.picture:
        wanted.picture.write_text(drawn(courses, SCORED))


if __name__ == "__main__":
    main()
