"""The question which tickers to add."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from pipeline.tickers import InvalidTickerError, parse_tickers


class AddScreen(ModalScreen[list[str] | None]):
    """Returns the tickers, in upper case, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("ctrl+c", "app.quit", "Quit", show=False),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Add tickers"
            dialog.border_subtitle = "⏎ add   Esc cancel"
            yield Input(placeholder="AAPL, BRK.B ^GSPC BTC-USD", id="tickers")
            yield Static("Several at once, separated by spaces or commas.", id="hint")

    @on(Input.Changed)
    def _clear_error(self) -> None:
        self._hint("Several at once, separated by spaces or commas.", error=False)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        try:
            tickers = parse_tickers([event.value])
        except InvalidTickerError as error:
            self._hint(f"✗ {error}", error=True)
            return
        if tickers:
            self.dismiss(tickers)
        else:
            self._hint("✗ Type at least one ticker.", error=True)

    def _hint(self, sentence: str, *, error: bool) -> None:
        hint = self.query_one("#hint", Static)
        hint.update(Content(sentence))
        hint.set_class(error, "-error")
