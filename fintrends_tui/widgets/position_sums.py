"""All positions together, and what is wrong, in as many lines as that takes."""

from typing import Final

from textual.content import Content
from textual.widgets import Static

from fintrends_tui.state.positions import sums
from fintrends_tui.state.view import View
from pipeline.model.text import drawn

_STYLES: Final = {
    "dim": "$faint", "strong": "bold", "up": "$up", "down": "$down", "warn": "$warning", "error": "$error",
}  # fmt: skip


class PositionSums(Static):
    """The total first; below it the mistakes of the file, each with its line."""

    def __init__(self) -> None:
        super().__init__(id="position-sums")
        self._shown: list[tuple[str, str]] | None = None

    def update_view(self, view: View) -> None:
        now = view.holdings
        parts = list(sums(now)) if now.portfolio.positions else []
        wrong = [("error", problem) for problem in now.book.problems]
        wrong += [("warn", now.book.advice)] if now.book.advice else []
        self.display = bool(parts or wrong)
        if parts + wrong != self._shown:
            self._shown = parts + wrong
            line = Content.styled(" · ", "$faint").join(_styled(parts))
            self.update(Content("\n").join([*([line] if parts else []), *_styled(wrong)]))


def _styled(parts: list[tuple[str, str]]) -> list[Content]:
    return [Content.styled(drawn(text), _STYLES.get(tone, "")) for tone, text in parts]
