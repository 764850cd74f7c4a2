"""The lots of one position, as they were bought and sold."""

from typing import Final

from fintrends_tui.state import positions
from fintrends_tui.state.positions import Holdings
from fintrends_tui.state.ticker_facts import amount
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Column, Row, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from pipeline.model.instruments import asset_class
from pipeline.model.positions import Position, portfolio
from pipeline.storage.positions_file import WrittenLot

_COLUMNS: Final = (
    Column("Date", 10),
    Column("Quantity", 12, right=True),
    Column("Today", 12, right=True, drop=1),
    Column("Price", 14, right=True),
    Column("Fees", 10, right=True),
    Column("In the file", 11, elastic=True, drop=2),
)
_SPLIT: Final = ("us_share", "share", "fund")


class LotTable(CursorTable):
    """In the order of the file. What they became by splits stands beside what was bought."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="lot-table", classes="panel")
        self._lots: list[WrittenLot] = []

    @property
    def lot(self) -> WrittenLot | None:
        """The selected one."""
        return self._lots[int(self.selected)] if self.selected is not None else None

    def update_lots(self, view: View, ticker: str | None) -> None:
        """Show those of the ticker."""
        now = view.holdings
        self._lots = [written for written in now.book.lots if written.lot.ticker == ticker]
        position = now.portfolio.of(ticker) if ticker is not None else None
        self.set_titles(_title(position), _splits(position))
        self.show([_row(str(number), written, now) for number, written in enumerate(self._lots)], "")


def _title(position: Position | None) -> str:
    if position is None:
        return "Lots"
    average = amount(position.average, position.unit, ticker=position.ticker)
    told = f", average cost {average}" if position.average is not None else ""
    return f"Lots of {position.ticker}{told}"


def _splits(position: Position | None) -> str:
    if position is None or asset_class(position.ticker) not in _SPLIT:
        return ""
    if not position.splits:
        return "no split after them is known"
    told = (f"{split.numerator:g} for {split.denominator:g} on {split.day}" for split in position.splits)
    return f"counted: split {', '.join(told)}"


def _row(key: str, written: WrittenLot, now: Holdings) -> Row:
    lot = written.lot
    (alone,) = portfolio([lot], now.markets, now.portfolio.currency).positions
    bought = float(lot.quantity)
    return Row(
        key,
        (
            text(f"{lot.day}" if lot.day is not None else "no date", "" if lot.day is not None else "dim"),
            text(positions.MASK if now.hidden else positions.quantity(bought, 12)),
            text(
                positions.MASK if now.hidden else positions.quantity(alone.quantity, 12),
                "dim" if alone.quantity == bought else "",
            ),
            text(amount(float(lot.price), lot.currency or alone.unit, 14, lot.ticker)),
            text(positions.amount(float(lot.fees) or None, 10, hidden=now.hidden)),
            text(f"line {written.line}", "dim"),
        ),
    )
