"""The question what to note about a ticker."""

from collections.abc import Callable
from typing import Any

from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.screens.dialogs.ask import AskScreen
from fintrends_tui.state.memory import NOTE
from pipeline.model.text import clean


class NoteScreen(AskScreen[str]):
    """Returns the note, which may be empty, or None."""

    def __init__(self, ticker: str, note: str) -> None:
        super().__init__(
            f"Note on {ticker}",
            f"In your own words, up to {NOTE} characters; kept on this computer. Empty: no note.",
            verb="keep",
            value=note,
        )

    def answered(self, text: str) -> None:
        note = clean(text, len(text))
        if len(note) > NOTE:
            self.refuse(f"That is {len(note)} characters long; there is room for {NOTE}.")
        else:
            self.dismiss(note)


def ask_for_note(screen: BaseScreen[Any], ticker: str, then: Callable[[], None]) -> None:
    """Ask, and remember the answer; `then` shows it."""
    memory = screen.fintrends.memory

    def noted(note: str | None) -> None:
        if note is not None:
            others = {other: kept for other, kept in memory.now.notes.items() if other != ticker}
            screen.fintrends.remember(notes=others | ({ticker: note} if note else {}))
            then()

    screen.app.push_screen(NoteScreen(ticker, memory.now.notes.get(ticker, "")), noted)
