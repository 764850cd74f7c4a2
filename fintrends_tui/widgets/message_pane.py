"""One message: where it stands, its headers, and its fields."""

from collections.abc import Iterator
from typing import Final

from textual import events

from fintrends_tui.state import format as fmt
from fintrends_tui.state.digest import described
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
from fintrends_tui.widgets.table.live_table import Table
from fintrends_tui.widgets.wrapping import wrap
from pipeline.contract.protocol import TopicMessage
from pipeline.model.text import drawn

_COLUMNS: Final = (Column("Field", 14), Column("Value", 20, elastic=True))
_LIMIT: Final = 16 * 1024


class MessagePane(Table):
    """Shows long values whole, on as many lines as they need."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, header=False, id="message", classes="panel")
        self._message: TopicMessage | None = None

    def show_message(self, message: TopicMessage | None) -> None:
        if message != self._message:
            self._message = message
            self.scroll_home(animate=False)
            self._show_fields()

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._show_fields()

    def _show_fields(self) -> None:
        message = self._message
        if message is None:
            self.set_titles("Message")
            self.show([], "Select a message to see its fields.")
            return
        self.set_titles(f"Message {message.offset} of partition {message.partition}", f"{message.size:,} bytes")
        width = self.width_of("Value")
        self.show([row for number, field in enumerate(_fields(message)) for row in _rows(number, *field, width)])


def _fields(message: TopicMessage) -> Iterator[tuple[str, str, str]]:
    """Name, value and the name's tone."""
    yield from ((name, value, "accent") for name, value in described(message.value))
    if message.size > len(message.value.encode()):
        yield "", f"(cut: the whole value has {message.size:,} bytes)", "dim"
    yield "time", f"{fmt.timestamp(message.ts)} UTC", "dim"
    yield "key", message.key, "dim"
    for name, value in message.headers.items():
        readable = value.isdigit() and name == "ingested" and len(value) < 20
        yield name, f"{value}  ({fmt.timestamp(int(value) / 1e9)} UTC)" if readable else value, "dim"


def _rows(number: int, name: str, value: str, tone: str, width: int) -> Iterator[Row]:
    for part, line in enumerate(wrap(drawn(value, _LIMIT), width)):
        yield Row(f"{number}.{part}", (outside("" if part else name, tone), text(line, "dim" if line == "–" else "")))
