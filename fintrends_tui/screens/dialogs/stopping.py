"""What is seen while the pipeline drains and stops."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from fintrends_tui.link.port import Link, LinkError
from fintrends_tui.state.stopping import StopProgress
from fintrends_tui.state.view import View
from pipeline.model.text import drawn

_REST: Final = "What is not done within the time for it is done at the next start: nothing is lost."


class StoppingScreen(ModalScreen[None]):
    """Stops the pipeline, says what it still waits for, and ends the application."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+c,escape", "app.quit", "Leave at once")]

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._failed = False
        self._progress = StopProgress()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Stopping the pipeline…"
            dialog.border_subtitle = "q leaves at once"
            yield Static("Sources stop, stages drain, sinks write what is left.", id="stopping")

    def on_mount(self) -> None:
        self.run_worker(self._stop(), group="stop")

    def update_view(self, view: View) -> None:
        if self._failed or view.snapshot is None:
            return
        self._say(f"{self._progress.told(view.snapshot)}\n{_REST}")

    async def _stop(self) -> None:
        try:
            await self._link.stop_pipeline()
        except LinkError as error:
            self._failed = True
            self._say(f"The pipeline could not be stopped: {error}")
        else:
            self.app.exit("quit")

    def _say(self, sentence: str) -> None:
        lines = (Content(drawn(line)) for line in sentence.splitlines())
        self.query_one("#stopping", Static).update(Content("\n").join(lines))
