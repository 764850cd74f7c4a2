"""The groups of the watchlist, side by side."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static


class GroupStrip(Static):
    """One line of names with the current one marked; hidden while there is but one."""

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, group: str) -> None:
            super().__init__()
            self.group = group

    def __init__(self) -> None:
        super().__init__(id="groups")
        self._names: tuple[str, ...] = ()
        self._current = ""

    def show(self, names: Sequence[str], current: str) -> None:
        """Show these names, and that one of them is current."""
        if (tuple(names), current) == (self._names, self._current):
            return
        self._names, self._current = tuple(names), current
        self.display = len(names) > 1
        # Reversed and not only coloured, so that it can be seen without colours.
        self.update(
            Content.assemble(*((f" {name} ", "bold reverse $accent" if name == current else "") for name in names))
        )

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        end = 0
        for name in self._names:
            end += len(name) + 2
            if offset is not None and offset.x < end:
                self.post_message(self.Chosen(name))
                return
