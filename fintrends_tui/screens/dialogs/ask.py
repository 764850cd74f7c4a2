"""A question that is answered by typing."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from fintrends_tui.widgets.field import Field


class AskScreen[Answer](ModalScreen[Answer | None]):
    """A field with a hint below it, which is replaced by an error if the answer is not valid; returns None when
    cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("ctrl+c", "app.quit", "Quit", show=False),
    ]

    def __init__(
        self, title: str, hint: str, *, verb: str, value: str = "", placeholder: str = "", between: str = " "
    ) -> None:
        """`verb` is what Enter does, `between` what stands between two lines of a paste."""
        super().__init__()
        self._title = title
        self._hint = hint
        self._verb = verb
        self._input = Field(value, placeholder=placeholder, select_on_focus=False, between=between)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(self._title)
            dialog.border_subtitle = f"⏎ {self._verb}   Esc cancel"
            yield self._input
            yield Static(Content(self._hint), id="hint")
            yield from self.below()

    def below(self) -> ComposeResult:
        """What stands below the hint."""
        yield from ()

    def answered(self, text: str) -> None:
        """Dismiss the screen with what the text means, or `refuse` it."""
        raise NotImplementedError

    def refuse(self, sentence: str) -> None:
        """Say what is wrong, until the text is changed."""
        self._say(f"✗ {sentence}", error=True)

    @on(Input.Changed)
    def _changed(self) -> None:
        self._say(self._hint, error=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.answered(event.value)

    def _say(self, sentence: str, *, error: bool) -> None:
        hint = self.query_one("#hint", Static)
        hint.update(Content(sentence))
        hint.set_class(error, "-error")
