"""The columns of the watchlist that tell what is held. Pure; knows no widget."""

from collections.abc import Mapping
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state import positions
from fintrends_tui.widgets.table.cells import Cell, Column, text
from pipeline.contract.snapshot import TickerView
from pipeline.model.positions import Position

_QUANTITY: Final = 9
_VALUE: Final = 11
_GAIN: Final = 10
_PERCENT: Final = 8
POSITION_COLUMNS: Final = (
    Column("Position", _QUANTITY, right=True, drop=6),
    Column("Value", _VALUE, right=True, drop=6),
    Column("Gain", _GAIN, right=True, drop=6),
    Column("Gain%", _PERCENT, right=True, drop=6),
    Column("Day", _GAIN, right=True, drop=6),
)
"""Amounts are in the currency of the account."""
_NOTHING: Final[Mapping[str, Cell]] = {column.title: text("") for column in POSITION_COLUMNS}


def cells_of_ticker(ticker: TickerView, *, hidden: bool) -> Mapping[str, Cell]:
    """By title, for a line of the watchlist; empty where nothing is held."""
    position = positions.position_of(ticker)
    return _NOTHING if position is None else position_cells(position, hidden=hidden)


def position_cells(position: Position, *, hidden: bool) -> dict[str, Cell]:
    """By title. `hidden` leaves percentages alone."""
    quantity = positions.MASK if hidden else positions.quantity(position.quantity, _QUANTITY)
    value = positions.amount(position.value, _VALUE, hidden=hidden)
    if position.lack.startswith("no rate"):
        value = "no rate"
    return {
        "Position": text(quantity),
        "Value": text(value, "warn" if position.lack else ""),
        "Gain": text(positions.gain(position.gain, _GAIN, hidden=hidden), fmt.direction(position.gain)),
        "Gain%": text(positions.percent(position.gain_percent, _PERCENT), fmt.direction(position.gain_percent)),
        "Day": text(positions.gain(position.day_gain, _GAIN, hidden=hidden), fmt.direction(position.day_gain)),
    }
