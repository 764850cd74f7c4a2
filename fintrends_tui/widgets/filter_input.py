"""The field that the watchlist's filter is typed into."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from fintrends_tui.widgets.field import Field


class FilterInput(Field):
    """One line above the watchlist, there while it is typed into."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "leave(False)", "Keep"),
        Binding("down", "leave(False)", show=False),
        Binding("escape", "leave(True)", "Show all"),
    ]

    class Left(Message):
        """The field is done with."""

        def __init__(self, clear: bool) -> None:
            super().__init__()
            self.clear = clear

    def __init__(self) -> None:
        hint = "part of a ticker, or rsi<30 and change>2%; ⏎ keeps it, Esc shows all"
        super().__init__(placeholder=hint, id="filter", compact=True)
        self.display = False

    def action_leave(self, clear: bool) -> None:
        self.post_message(self.Left(clear))
