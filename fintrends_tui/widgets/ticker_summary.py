"""What there is to know of the selected ticker beside its chart, in a few lines."""

from collections.abc import Sequence
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Digits, Static

from fintrends_tui.state import format as fmt
from fintrends_tui.state import positions
from fintrends_tui.state.flowing import Tinted, flowing
from fintrends_tui.state.ticker_facts import facts
from fintrends_tui.state.view import View
from pipeline.contract.snapshot import TickerView

_STYLES: Final = {
    "dim": "$faint",
    "strong": "bold",
    "up": "$up",
    "down": "$down",
    "warn": "$warning",
    "note": "$accent",
}

_LINES: Final = 4
_FEW: Final = 2
"""As many where there is no room for large digits."""


class TickerSummary(Horizontal):
    """The price in large digits, where there is room for them, and beside it all else in sentences, the most important
    first: what finds no room is left out from the end."""

    def __init__(self, *, large: bool) -> None:
        """`large` digits can be drawn by this terminal."""
        super().__init__(id="summary", classes="-large" if large else "")
        self._shown: Sequence[Sequence[Tinted]] | None = None
        self._view: tuple[View, str] | None = None

    def compose(self) -> ComposeResult:
        yield Digits(id="price")
        yield Static(id="facts")

    def update_view(self, view: View, note: str) -> None:
        self._view = view, note
        tickers = view.snapshot.tickers if view.snapshot else []
        ticker = next((ticker for ticker in tickers if ticker.ticker == view.selected), None)
        digits = self.query_one(Digits)
        if ticker is not None:
            self._show_price(digits, ticker, stale=view.stale or ticker.state in ("stale", "away"))
        told = self.query_one("#facts", Static)
        found = facts(ticker, view.detail, view.now, note, priced=digits.display) if ticker is not None else []
        found[1:1] = positions.of_ticker(view.holdings, view.selected or "")
        lines = flowing(found, told.content_size.width, _LINES if digits.display else _FEW)
        if lines != self._shown:
            self._shown = lines
            told.update(Content("\n").join(map(_line, lines)))

    def on_resize(self) -> None:
        if self._view is not None:
            self.call_after_refresh(self.update_view, *self._view)  # the digits may have come, or gone

    def _show_price(self, digits: Digits, ticker: TickerView, *, stale: bool) -> None:
        told = fmt.price(ticker.price, ticker=ticker.ticker)
        if told != digits.value:
            digits.update(told)
        tone = fmt.direction(ticker.change, fmt.change_decimals(ticker.price, ticker.change, ticker.ticker))
        for name in ("up", "down"):
            digits.set_class(tone == name and not stale, f"-{name}")


def _line(parts: Sequence[Tinted]) -> Content:
    return Content.assemble(*(Content.styled(text, _STYLES.get(tone, "")) for tone, text in parts))
