"""What is seen while the pipeline drains and stops."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from fintrends_tui.link.port import Link, LinkError
from fintrends_tui.state.view import View
from pipeline.contract.snapshot import total_lag
from pipeline.model.text import drawn

_OVER = ("finished", "stopped", "failed")


class StoppingScreen(ModalScreen[None]):
    """Stops the pipeline, says what it still waits for, and ends the application."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+c,escape", "app.quit", "Leave at once")]

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._failed = False

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
        waiting = [
            f"{service.name} ({service.state})" for service in view.snapshot.services if service.state not in _OVER
        ]
        lag = total_lag(view.snapshot.topics)
        sentence = f"Waiting for {', '.join(waiting)}." if waiting else "Waiting for the process to end."
        self._say(f"{sentence} {lag:,} records to go." if lag else sentence)

    async def _stop(self) -> None:
        try:
            await self._link.stop_pipeline()
        except LinkError as error:
            self._failed = True
            self._say(f"The pipeline could not be stopped: {error}")
        else:
            self.app.exit("quit")

    def _say(self, sentence: str) -> None:
        self.query_one("#stopping", Static).update(Content(drawn(sentence)))
