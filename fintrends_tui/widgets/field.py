"""A field of one line that takes what is pasted whole."""

from typing import Any

from textual import events
from textual.widgets import Input

from pipeline.model.text import clean

_LIMIT = 65_536


class Field(Input):
    """Textual's own keeps the first line of a paste, and silently drops the rest.

    Lines, and the cells of a row (tabs), become words; a list, such as a column of tickers, is all there.
    """

    def __init__(self, *arguments: Any, between: str = " ", **options: Any) -> None:
        """`between` is what stands between two lines of a paste; the rest is `Input`'s."""
        super().__init__(*arguments, **options)
        self._between = between

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        lines = (clean(line, _LIMIT) for line in event.text.splitlines())
        text = self._between.join(line for line in lines if line)
        if self.selection.is_empty:
            self.insert_text_at_cursor(text)
        else:
            self.replace(text, *self.selection)
