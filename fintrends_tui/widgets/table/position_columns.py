"""The columns of the watchlist that tell what is held. Pure; knows no widget."""

from collections.abc import Callable
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state import positions
from fintrends_tui.widgets.table.cells import Cell, Column, text
from fintrends_tui.widgets.table.watch_cells import WatchLine
from pipeline.model.positions import Position

_QUANTITY: Final = 9
_VALUE: Final = 11
_GAIN: Final = 10
_PERCENT: Final = 8


def position_cells(position: Position, *, hidden: bool) -> dict[str, Cell]:
    """By title; amounts are in the currency of the account. `hidden` leaves percentages alone."""
    quantity = positions.MASK if hidden else positions.quantity(position.quantity, _QUANTITY)
    value = positions.amount(position.value, _VALUE, hidden=hidden)
    if position.lack.startswith("no rate"):
        value = "no rate"
    percent = positions.percent(position.gain_percent, _PERCENT)
    return {
        "Position": text(quantity),
        "Value": text(value, "warn" if position.lack else ""),
        "Gain": text(positions.gain(position.gain, _GAIN, hidden=hidden), fmt.direction(position.gain)),
        "Gain%": text(percent, fmt.direction(position.gain_percent)),
        "Day": text(positions.gain(position.day_gain, _GAIN, hidden=hidden), fmt.direction(position.day_gain)),
    }


def _cell(title: str) -> Callable[[WatchLine], Cell]:
    """That of the column; empty where nothing is held."""

    def cell(line: WatchLine) -> Cell:
        position = positions.position_of(line.ticker)
        return text("") if position is None else position_cells(position, hidden=line.hidden)[title]

    return cell


POSITION_COLUMNS: Final = (
    (Column("Position", _QUANTITY, right=True), _cell("Position"), "how much you hold of it"),
    (Column("Value", _VALUE, right=True), _cell("Value"), "what that is worth"),
    (Column("Gain", _GAIN, right=True), _cell("Gain"), "what it gained since you bought it"),
    (Column("Gain%", _PERCENT, right=True), _cell("Gain%"), "the same in per cent of its cost"),
    (Column("Day", _GAIN, right=True), _cell("Day"), "what it gained since the previous close"),
)
"""Each with what paints its cells, and what it shows, in words."""
