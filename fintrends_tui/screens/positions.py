"""What the user holds, and the lots it comes from."""

from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from fintrends_tui.commands import POSITIONS, bindings
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.state.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.lot_table import LotTable
from fintrends_tui.widgets.position_sums import PositionSums
from fintrends_tui.widgets.position_table import PositionTable
from pipeline.model.positions import Lot
from pipeline.storage.positions_file import PositionsError


class PositionsScreen(BaseScreen[None]):
    """The sums, the positions below, and the lots of the selected one, of which one can be added or removed."""

    KEYS = POSITIONS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(POSITIONS)]
    AUTO_FOCUS = "#position-table"

    def compose(self) -> ComposeResult:
        yield Header()
        yield PositionSums()
        file = self.fintrends.positions.file
        yield PositionTable(file.path if file is not None else None)
        yield LotTable()
        yield KeyBar()

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        self.query_one(PositionSums).update_view(view)
        self.query_one(PositionTable).update_view(view)
        self._show_lots()

    @on(PositionTable.Moved)
    def _show_lots(self) -> None:
        table = self.query_one(PositionTable)
        lots = self.query_one(LotTable)
        lots.display = bool(table.rows)
        lots.update_lots(self.fintrends.current_view, table.selected)

    def action_back(self) -> None:
        self.app.pop_screen()

    def action_add_lot(self) -> None:
        from fintrends_tui.screens.dialogs.add_lot import AddLotScreen

        if self.fintrends.positions.file is None:
            self.notify(
                "There is no place for positions.toml, as this user has no home directory; name one in [positions] of "
                "the configuration.",
                severity="error",
                markup=False,
            )
            return
        today = datetime.fromtimestamp(self.fintrends.current_view.now).astimezone().date()
        self.app.push_screen(AddLotScreen(today), self._add)

    def _add(self, lot: Lot | None) -> None:
        file = self.fintrends.positions.file
        if lot is None or file is None:
            return
        try:
            file.add(lot)
        except PositionsError as error:
            self.notify(str(error), severity="error", markup=False)
        self.fintrends.repaint()

    def action_remove_lot(self) -> None:
        from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen

        written, file = self.query_one(LotTable).lot, self.fintrends.positions.file
        if written is None or file is None:
            return

        def chosen(value: str | None) -> None:
            if value == "remove":
                try:
                    file.remove(written)
                except PositionsError as error:
                    self.notify(str(error), severity="error", markup=False)
                self.fintrends.repaint()

        lot = written.lot
        what = f"{lot.ticker} {lot.quantity:f} at {lot.price:f}" + (f" of {lot.day}" if lot.day else "")
        if self.fintrends.current_view.holdings.hidden:
            what = f"the lot of {lot.ticker} on line {written.line}"
        self.app.push_screen(
            ChooseScreen(
                f"Remove {what}?",
                [Choice("remove", f"Remove it from {file.path}; all else there stays"), Choice("keep", "Keep it")],
            ),
            chosen,
        )
