"""The line to type a text into that is looked for."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from fintrends_tui.widgets.field import Field


class SearchBar(Field):
    """Hidden until it is opened; stays in sight while there is a text in it. `value` is that text.

    The screen hears of it by `Input.Changed`, and by `Input.Submitted` when it is left, by Enter or by Esc, which
    clears it first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Clear", show=False)]

    def __init__(self, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, id="search", compact=True)
        self.display = False

    def open(self) -> None:
        self.display = True
        self.screen.set_focus(self)  # at once: what is typed next is meant for it

    def leave(self) -> None:
        """Give the focus back to what is looked through."""
        self.screen.query(".panel").first().focus()
        self.display = bool(self.value)

    async def action_leave(self) -> None:
        self.value = ""
        await self.action_submit()
