"""The question where to write the watchlist to."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from textual import on
from textual.widgets import Input

from fintrends_tui.screens.dialogs.ask import AskScreen
from fintrends_tui.state import export
from pipeline.contract.snapshot import TickerView


class WriteScreen(AskScreen[Path]):
    """Writes the tickers and returns the file's absolute path, or None. A file that exists is overwritten only after
    a second Enter."""

    def __init__(self, tickers: Sequence[TickerView], now: float) -> None:
        super().__init__(
            f"Write the {len(tickers)} tickers shown to a file",
            f"In {_here()}, unless a path is given. The extension sets the format: .csv or .json",
            verb="write",
            value=f"watchlist-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}.csv",
        )
        self._tickers = tuple(tickers)
        self._refused = ""

    @on(Input.Changed)
    def _ask_again(self, event: Input.Changed) -> None:
        if event.value != self._refused:
            self._refused = ""

    def answered(self, text: str) -> None:
        try:
            self.dismiss(export.write(Path(text.strip()), self._tickers, overwrite=text == self._refused))
        except FileExistsError:
            self._refused = text
            self.refuse(f"{text.strip()} exists. Press Enter again to overwrite it.")
        except export.ExportError as error:
            self.refuse(str(error))


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "a deleted directory"
