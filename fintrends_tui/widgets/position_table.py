"""The user's positions."""

from pathlib import Path
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state import positions
from fintrends_tui.state.positions import Holdings
from fintrends_tui.state.ticker_facts import amount
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Cell, Column, Row, Span, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from fintrends_tui.widgets.table.position_columns import POSITION_COLUMNS, position_cells
from pipeline.model.positions import Position

_PRICE: Final = 11
_PERCENT: Final = 7
_HELD: Final = tuple(column for column, *_ in POSITION_COLUMNS)
_COLUMNS: Final = (
    Column("Ticker", 9),
    *(column for column in _HELD if column.title == "Position"),
    Column("Average", _PRICE, right=True, drop=2),
    Column("Price", _PRICE, right=True, drop=1),
    *(column for column in _HELD if column.title != "Position"),
    Column("Realised", 10, right=True, drop=3),
    Column("Share", 9, elastic=True),
)


class PositionTable(CursorTable):
    """One line a ticker, in the order of their first lots, with its part of all as a bar."""

    def __init__(self, path: Path | None) -> None:
        """`path` is where the lots are."""
        super().__init__(_COLUMNS, id="position-table", classes="panel")
        self._path = path or "the file that [positions] names"

    def update_view(self, view: View) -> None:
        now = view.holdings
        held = now.portfolio.positions
        name = "Sample positions, nobody's" if now.sample else "Positions"
        self.set_titles(f"{name} {len(held) or ''}".rstrip(), f"in {now.portfolio.currency}" if held else "")
        self.show(
            [_row(position, now, self.width_of("Share")) for position in held],
            "No positions yet. Press a to add a lot, such as AAPL 10 150.25 2024-03-01: ten shares at 150.25 each. "
            f"What was sold has a negative quantity. They are kept in {self._path}, which you can write by hand too.",
        )


def _row(position: Position, now: Holdings, width: int) -> Row:
    market = now.markets.get(position.ticker)
    cells = position_cells(position, hidden=now.hidden) | {
        "Ticker": (*text(position.ticker, "strong"), *text("~" if position.simulated else "", "warn")),
        "Average": text(amount(position.average, position.unit, _PRICE, position.ticker)),
        "Price": text(amount(market.price if market else None, position.unit, _PRICE, position.ticker)),
        "Realised": text(
            positions.gain(position.realised or None, 10, hidden=now.hidden), fmt.direction(position.realised)
        ),
        "Share": _share(position.share, width),
    }
    return Row(position.ticker, tuple(cells[column.title] for column in _COLUMNS))


def _share(part: float | None, width: int) -> Cell:
    """In per cent, and as a bar where there is room."""
    if part is None:
        return text(fmt.UNKNOWN, "dim")
    bar = fmt.bar(abs(part), max(0, width - _PERCENT - 1))
    return Span(f"{fmt.number(100 * part, 1):>{_PERCENT - 1}}% "), Span(bar, "down" if part < 0 else "accent")
