"""What tables have in common that show all topics and how their groups do."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from textual import work

from fintrends_tui.link.port import LinkError
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Column
from fintrends_tui.widgets.table.cursor_table import CursorTable
from pipeline.contract.protocol import Command, GetTopics
from pipeline.contract.snapshot import TopicView

STATUSES: Final = {
    "OK": ("● OK", "up"),
    "WARN": ("▲ WARN", "warn"),
    "ERR": ("✗ ERR", "error"),
    "STALL": ("■ STALL", "error"),
}


class TopicListing(CursorTable):
    """Asks for the topics once a second while it can be seen."""

    def __init__(self, ask: Callable[[Command], Awaitable[Any]], columns: Sequence[Column], name: str) -> None:
        super().__init__(columns, id=name, classes="panel")
        self._ask = ask
        self._asked_at: int | None = None
        self._busy = False
        self._topics: list[TopicView] = []
        self._sentence = "Loading the topics…"
        self._contains = ""

    def update_view(self, view: View) -> None:
        if view.status.state != "connected":
            self._sentence = view.status.note
        elif not self._busy and view.now != self._asked_at:
            self._asked_at = view.now
            self._busy = True
            self._fetch()
        self._show()

    def filter(self, contains: str) -> None:
        """Show the topics whose name contains the text, or one of its words, whatever its case."""
        self._contains = contains.strip().lower()
        self._show()

    @work(group="topics")
    async def _fetch(self) -> None:
        try:
            self._topics = await self._ask(GetTopics())
            self._sentence = "No topics yet: the producers create them with their first records."
        except LinkError as error:
            self._sentence = f"The topics cannot be listed: {error}"
        finally:
            self._busy = False
        self._show()

    def _matching(self) -> list[TopicView]:
        """Those that the filter lets through, by name."""
        words = re.split(r"[\s,;]+", self._contains.strip(" ,;"))
        shown = [topic for topic in self._topics if any(word in topic.topic for word in words)]
        return sorted(shown, key=lambda topic: topic.topic)

    def _show(self) -> None:
        """Show what is known now."""
        raise NotImplementedError
