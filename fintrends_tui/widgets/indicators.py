"""Technical indicators of the selected ticker: its finest interval at a glance, or every interval in a table."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from fintrends_tui import format as fmt
from fintrends_tui.readings import reading
from fintrends_tui.view import View
from fintrends_tui.widgets.cells import Cell, Column, Row, text
from fintrends_tui.widgets.panel import Panel
from pipeline.snapshot import IndicatorsView


class Indicator(NamedTuple):
    """A field of `pipeline.messages.IndicatorRow` and how it is written. `signed` values carry a direction."""

    field: str
    label: str
    decimals: int = 2
    signed: bool = False


INDICATORS: Final = (
    Indicator("rsi_14", "RSI 14", 1),
    Indicator("macd", "MACD", 4, signed=True),
    Indicator("macd_signal", "MACD sig.", 4, signed=True),
    Indicator("macd_hist", "MACD hist", 4, signed=True),
    Indicator("stoch_k", "Stoch %K", 1),
    Indicator("stoch_d", "Stoch %D", 1),
    Indicator("adx_14", "ADX 14", 1),
    Indicator("sma_20", "SMA 20"),
    Indicator("sma_50", "SMA 50"),
    Indicator("ema_12", "EMA 12"),
    Indicator("ema_26", "EMA 26"),
    Indicator("vwap", "VWAP"),
    Indicator("bb_upper", "BB upper"),
    Indicator("bb_middle", "BB middle"),
    Indicator("bb_lower", "BB lower"),
    Indicator("atr_14", "ATR 14", 4),
    Indicator("obv", "OBV", 0),
    Indicator("return_1", "Return", 5, signed=True),
    Indicator("volatility_10", "Volat. 10", 5),
)

_LABEL: Final = 9
_VALUE: Final = 9
_TIME: Final = 11
_SAYS: Final = 20
_EMPTY: Final = "No indicators of {ticker} yet: the indicator processor computes a row for each bar that arrives."


class Indicators(Panel):
    """The latest row of the finest interval, as many pairs of name and value beside each other as there is room for."""

    LABEL = "Indicators"

    def __init__(self) -> None:
        super().__init__(header=False, id="indicators", classes="panel")

    def update_view(self, view: View) -> None:
        latest = view.detail.indicators[0] if view.detail and view.detail.indicators else None
        self.set_titles(f"Indicators {view.selected or ''}".rstrip(), _when(latest) if latest else "")
        pairs = max(1, (self.line_width + 1) // (_LABEL + _VALUE + 2))
        self.set_columns((Column("", _LABEL), Column("", _VALUE, right=True)) * pairs)
        self.show(_pairs(latest, pairs) if latest else [], _empty(view))


class IndicatorTable(Panel):
    """Every indicator in every interval, and what the finest says in words where there is room."""

    LABEL = "Indicators"

    def __init__(self) -> None:
        super().__init__(id="indicator-table", classes="panel")

    def update_view(self, view: View) -> None:
        intervals = view.detail.indicators if view.detail else []
        self.set_titles("Indicators", "○ forming" if any(not interval.closed for interval in intervals) else "")
        titles = [f"{'' if interval.closed else '○ '}{interval.interval}" for interval in intervals]
        values = (Column(title, _TIME, right=True, drop=i) for i, title in enumerate(titles))
        says = f"{intervals[0].interval} says" if intervals else ""
        self.set_columns((Column("", _LABEL), *values, Column(says, _SAYS, drop=1, elastic=True)))
        rows = [
            _row("bar", "Bar (UTC)", [*(text(_when_short(i), "dim") for i in intervals), text("")]),
            _row("close", "Close", [*(text(fmt.price(i.close), "strong") for i in intervals), text("")]),
            *(_row(i.field, i.label, [*(_value(i, iv) for iv in intervals), _says(i, intervals)]) for i in INDICATORS),
        ]
        self.show(rows if intervals else [], _empty(view))


def _empty(view: View) -> str:
    if view.snapshot is not None and view.selected is None:
        return "The indicators of the ticker selected on the watchlist stand here."
    return view.waiting(_EMPTY.format(ticker=view.selected))


def _pairs(latest: IndicatorsView, pairs: int) -> list[Row]:
    cells = [(text(i.label, "dim"), _value(i, latest)) for i in INDICATORS]
    height = -(-len(cells) // pairs)
    cells += [(text(""), text(""))] * (height * pairs - len(cells))
    lines = (cells[line::height] for line in range(height))
    return [Row(str(number), tuple(cell for pair in line for cell in pair)) for number, line in enumerate(lines)]


def _row(key: str, label: str, cells: Sequence[Cell]) -> Row:
    return Row(key, (text(label, "dim"), *cells))


def _value(indicator: Indicator, interval: IndicatorsView) -> Cell:
    value = interval.values.get(indicator.field)
    if value is None:
        return text(fmt.UNKNOWN, "dim")
    if indicator.signed:
        return text(fmt.signed(value, indicator.decimals), fmt.direction(value, indicator.decimals))
    return text(fmt.number(value, indicator.decimals) if abs(value) < 1e6 else fmt.human(value))


def _says(indicator: Indicator, intervals: Sequence[IndicatorsView]) -> Cell:
    said = reading(indicator.field, intervals[0].values, intervals[0].close) if intervals else None
    return text("") if said is None else text(said.words, said.tone or "dim")


def _when(view: IndicatorsView) -> str:
    state = "" if view.closed else ", forming"
    return f"{view.interval} {_when_short(view)} UTC{state}"


def _when_short(view: IndicatorsView) -> str:
    return fmt.moment(view.ts, daily=view.interval == "daily")
