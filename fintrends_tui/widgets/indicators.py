"""Technical indicators of the selected ticker: those of the watchlist at a glance, or every interval in a table."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from fintrends_tui.state import format as fmt
from fintrends_tui.state.readings import reading
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Cell, Column, Row, text
from pipeline.contract.snapshot import IndicatorsView, TickerDetail


class Indicator(NamedTuple):
    """A field of `pipeline.model.messages.IndicatorRow` and how it is written. `signed` values carry a direction.

    A "price" has a price's decimals, a "study", which is a small part of it, a few more.
    """

    field: str
    label: str
    decimals: int | Literal["price", "study"] = "price"
    signed: bool = False


INDICATORS: Final = (
    Indicator("rsi_14", "RSI 14", 1),
    Indicator("macd", "MACD", "study", signed=True),
    Indicator("macd_signal", "MACD sig.", "study", signed=True),
    Indicator("macd_hist", "MACD hist", "study", signed=True),
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
    Indicator("atr_14", "ATR 14", "study"),
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
    """The row that the watchlist shows too, as many pairs of name and value beside each other as there is room for."""

    LABEL = "Indicators"

    def __init__(self) -> None:
        super().__init__(header=False, id="indicators", classes="panel")

    def update_view(self, view: View) -> None:
        latest = _shown(view.detail)
        when = _when(latest, _zone(view)) if latest else ""
        self.set_titles(f"Indicators {view.selected or ''}".rstrip(), when)
        pairs = max(1, (self.line_width + 1) // (_LABEL + _VALUE + 2))
        self.set_columns((Column("", _LABEL), Column("", _VALUE, right=True)) * pairs)
        self.show(_pairs(latest, pairs, _ticker(view)) if latest else [], _empty(view))


class IndicatorTable(Panel):
    """Every indicator in every interval, and what the one that the watchlist shows says, where there is room."""

    LABEL = "Indicators"

    def __init__(self) -> None:
        super().__init__(id="indicator-table", classes="panel")

    def update_view(self, view: View) -> None:
        intervals = view.detail.indicators if view.detail else []
        self.set_titles(_title(view), "○ forming" if any(not interval.closed for interval in intervals) else "")
        titles = [f"{'' if interval.closed else '○ '}{interval.interval}" for interval in intervals]
        values = (Column(title, _TIME, right=True, drop=i) for i, title in enumerate(titles))
        shown = _shown(view.detail)
        says = f"{shown.interval} says" if shown else ""
        self.set_columns((Column("", _LABEL), *values, Column(says, _SAYS, drop=1, elastic=True)))
        zone = _zone(view)
        rows = [
            _row("bar", "Bar (UTC)", [*(text(_when_short(i, zone), "dim") for i in intervals), text("")]),
            _row(
                "close",
                "Close",
                [*(text(fmt.price(i.close, _TIME, _ticker(view)), "strong") for i in intervals), text("")],
            ),
            *(
                _row(i.field, i.label, [*(_value(i, iv, _TIME, _ticker(view)) for iv in intervals), _says(i, shown)])
                for i in INDICATORS
            ),
        ]
        self.show(rows if intervals else [], _empty(view))


def _shown(detail: TickerDetail | None) -> IndicatorsView | None:
    """The interval that the watchlist shows; the finest where it shows none."""
    if detail is None or not detail.indicators:
        return None
    return next((i for i in detail.indicators if i.interval == detail.interval), detail.indicators[0])


def _title(view: View) -> str:
    return f"Indicators from {view.detail.source}" if view.detail and view.detail.source else "Indicators"


def _empty(view: View) -> str:
    if view.snapshot is not None and view.selected is None:
        return "Select a ticker on the watchlist to see its indicators."
    return view.waiting(_EMPTY.format(ticker=view.selected))


def _pairs(latest: IndicatorsView, pairs: int, ticker: str) -> list[Row]:
    cells = [(text(i.label, "dim"), _value(i, latest, _VALUE, ticker)) for i in INDICATORS]
    height = -(-len(cells) // pairs)
    cells += [(text(""), text(""))] * (height * pairs - len(cells))
    lines = (cells[line::height] for line in range(height))
    return [Row(str(number), tuple(cell for pair in line for cell in pair)) for number, line in enumerate(lines)]


def _row(key: str, label: str, cells: Sequence[Cell]) -> Row:
    return Row(key, (text(label, "dim"), *cells))


def _value(indicator: Indicator, interval: IndicatorsView, width: int, ticker: str) -> Cell:
    value = interval.values.get(indicator.field)
    if value is None:
        return text(fmt.UNKNOWN, "dim")
    if indicator.decimals == "price":
        return text(fmt.price(value, width, ticker))
    decimals = fmt.study_decimals(interval.close, ticker) if indicator.decimals == "study" else indicator.decimals
    if indicator.signed:
        return text(fmt.signed(value, decimals, width), fmt.direction(value, decimals))
    return text(fmt.number(value, decimals, width) if abs(value) < 1e6 else fmt.human(value))


def _says(indicator: Indicator, shown: IndicatorsView | None) -> Cell:
    said = reading(indicator.field, shown.values, shown.close) if shown else None
    return text("") if said is None else text(said.words, said.tone or "dim")


def _ticker(view: View) -> str:
    return view.detail.ticker if view.detail else ""


def _zone(view: View) -> ZoneInfo:
    """Of the selected ticker's exchange."""
    return ZoneInfo(view.detail.zone if view.detail else "UTC")


def _when(view: IndicatorsView, zone: ZoneInfo) -> str:
    state = "" if view.closed else ", forming"
    return f"{view.interval} {_when_short(view, zone)}{'' if view.interval == 'daily' else ' UTC'}{state}"


def _when_short(view: IndicatorsView, zone: ZoneInfo) -> str:
    return fmt.moment(view.ts, daily=view.interval == "daily", zone=zone)
