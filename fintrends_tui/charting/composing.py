"""From what the pipeline knows of a ticker and how it is to be shown to a plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from fintrends_tui.charting.buckets import Candle, Step, fitted, gathered, offset, step_named
from fintrends_tui.charting.candles import BLOCKS, Glyphs
from fintrends_tui.charting.comparing import Comparison, with_series, with_ticker
from fintrends_tui.charting.fan import fan
from fintrends_tui.charting.frame import NARROWEST
from fintrends_tui.charting.look import SENTIMENT, STUDIES, Look, Study
from fintrends_tui.charting.plot import Line, Pane, Plot, volume_pane
from fintrends_tui.charting.present import present, price_now, with_today
from fintrends_tui.state import format as fmt
from pipeline.contract.protocol import BarPoint, History, ValueSeries
from pipeline.contract.snapshot import ForecastView, TickerView

_GUTTER: Final = 2
"""Columns beside the price on the axis."""
_PER_COLUMN: Final = 2
"""Points of a line."""
_DAYS: Final = 5
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class ChartData:
    """What was fetched for a chart: the ticker's bars, and what it is compared with, or shown below it."""

    history: History
    other: History | None = None
    series: ValueSeries | None = None


def compose(
    data: ChartData,
    look: Look,
    row: TickerView | None,
    width: int,
    glyphs: Glyphs = BLOCKS,
    forecasts: Sequence[ForecastView] = (),
) -> Plot | None:
    """The plot, in candles as short as have room in `width` columns; None where there are no bars.

    The watchlist's `row` knows the previous close, against which a day's colour is counted there too. `forecasts` are
    those of the ticker.
    """
    history = data.history
    if not history.bars or history.interval is None:
        return None
    zone = ZoneInfo(history.zone)
    stored = step_named(history.interval)
    bars = _of_span(history.bars, look, zone)
    skipped = len(history.bars) - len(bars)
    now = present(row, history, extended=look.extended and stored.is_intraday) if look.until is None else None
    if now is not None and row is not None and not stored.is_intraday:
        bars = with_today(bars, row, zone)
    room = max(1, width - _GUTTER - len(fmt.price(bars[-1].close, ticker=history.ticker)))
    is_line = look.style == "line" or bool(look.beside)
    most = room * _PER_COLUMN if is_line else room // NARROWEST
    step, candles = fitted(bars, stored, max(1, most), zone, step_named(look.step) if look.step else None)
    if look.beside:
        return _compared(data, look, candles, step, zone, glyphs)
    panes = [volume_pane(candles)] if look.volume else []
    panes += [pane for name in STUDIES if name in look.studies and (pane := _pane(name, data, candles, skipped))]
    return Plot(
        candles=candles,
        step=step,
        zone=zone,
        ticker=history.ticker,
        style=look.style,
        lines=[line for name in STUDIES if name in look.studies for line in _lines(name, data, candles, skipped)],
        panes=panes,
        bands=fan(forecasts, step, candles[-1].ts) if look.fan and look.until is None else (),
        price=price_now(now, candles, step),
        previous_close=_previous_close(row) if look.span == "1D" and look.window is None and step.is_intraday else None,
        log=look.log,
        glyphs=glyphs,
        basis="" if step is stored or not look.fields else f"of {stored.name} bars",
    )


def _of_span(bars: Sequence[BarPoint], look: Look, zone: ZoneInfo) -> Sequence[BarPoint]:
    """Of a range of five days those of the last five with bars, whatever the calendar says."""
    if look.span != "5D" or look.window is not None or look.step is not None:
        return bars
    days = [(bar.ts + offset(zone, bar.ts)) // _DAY for bar in bars]
    first = sorted(set(days))[-_DAYS:][0]
    return [bar for bar, day in zip(bars, days, strict=True) if day >= first]


def _values(field: str, data: ChartData, candles: Sequence[Candle], skipped: int) -> list[float | None]:
    """Those of the last bar of each candle."""
    values = data.history.indicators.get(field)
    if not values:
        return [None] * len(candles)
    # There is no row yet of the day that is not over.
    return [values[index] if (index := skipped + candle.last) < len(values) else None for candle in candles]


def _lines(name: str, data: ChartData, candles: Sequence[Candle], skipped: int) -> list[Line]:
    study = STUDIES[name]
    return [] if study.pane else _coloured(study, data, candles, skipped)


def _coloured(study: Study, data: ChartData, candles: Sequence[Candle], skipped: int) -> list[Line]:
    return [
        Line(legend, _values(field, data, candles, skipped), tone)
        for field, legend, tone in zip(study.fields, study.names, study.tones, strict=True)
        if tone
    ]


def _pane(name: str, data: ChartData, candles: Sequence[Candle], skipped: int) -> Pane | None:
    study = STUDIES[name]
    if not study.pane:
        return None
    if name == SENTIMENT:
        bars = _scores(data.series, candles)
    else:
        uncoloured = [field for field, tone in zip(study.fields, study.tones, strict=True) if not tone]
        bars = _values(uncoloured[0], data, candles, skipped) if uncoloured else []
    pane = Pane(study.label, bars=bars, lines=_coloured(study, data, candles, skipped))
    if study.scale is None:
        return pane._replace(decimals=fmt.study_decimals(candles[-1].close, data.history.ticker))
    return pane._replace(**study.scale._asdict())


def _scores(series: ValueSeries | None, candles: Sequence[Candle]) -> list[float | None]:
    """The mean score of what was published from each candle's beginning until the next one's."""
    scores: list[list[float]] = [[] for _ in candles]
    index = 0
    for ts, score in series.values if series is not None else ():
        while index + 1 < len(candles) and candles[index + 1].ts <= ts:
            index += 1
        if ts >= candles[0].ts:
            scores[index].append(score)
    return [sum(of) / len(of) if of else None for of in scores]


def _previous_close(row: TickerView | None) -> float | None:
    return None if row is None or row.price is None or row.change is None else row.price - row.change


def _compared(
    data: ChartData, look: Look, candles: Sequence[Candle], step: Step, zone: ZoneInfo, glyphs: Glyphs
) -> Plot | None:
    """Two lines in per cent."""
    if data.other is not None and data.other.interval is not None:
        other = step_named(data.other.interval)
        others = gathered(data.other.bars, other, step if step.seconds >= other.seconds else other, zone)
        both = with_ticker(candles, others, step, zone)
    else:
        values = data.series.values if data.series is not None else []
        both = with_series(candles, values, relative=look.beside != SENTIMENT)
    known = [
        (candle, value, beside)
        for candle, value, beside in zip(candles, both.first, both.second, strict=True)
        if value is not None
    ]
    if not known:
        return None
    return Plot(
        candles=[candle._replace(open=v, high=v, low=v, close=v, volume=None) for candle, v, _ in known],
        step=step,
        zone=zone,
        ticker=data.history.ticker,
        style="line",
        lines=[Line(name_beside(look.beside, both), [beside for _, _, beside in known], "hue-2")],
        unit="%",
        glyphs=glyphs,
    )


def name_beside(beside: str, both: Comparison) -> str:
    """What it is compared with, and how the two go together: ``MSFT (r +0.82)``."""
    name = SENTIMENT if beside == SENTIMENT else beside.removeprefix("economic:")
    return name if both.correlation is None else f"{name} (r {fmt.signed(both.correlation)})"
