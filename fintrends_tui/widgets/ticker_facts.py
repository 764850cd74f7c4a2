"""What there is to know of the selected ticker beside its chart, in a few lines."""

from typing import Final

from textual.content import Content
from textual.widgets import Static

from fintrends_tui.state import positions
from fintrends_tui.state.ticker_facts import facts
from fintrends_tui.state.view import View
from pipeline.model.text import drawn

_STYLES: Final = {"dim": "$faint", "strong": "bold", "up": "$up", "down": "$down", "warn": "$warning"}


class TickerFacts(Static):
    """Price and currency, what the feed is worth, the price of before the open or after the close, the latest dividend
    and split, and what is held."""

    def __init__(self) -> None:
        super().__init__(id="facts")
        self._shown: list[tuple[str, str]] | None = None

    def update_view(self, view: View) -> None:
        tickers = view.snapshot.tickers if view.snapshot else []
        ticker = next((ticker for ticker in tickers if ticker.ticker == view.selected), None)
        found = facts(ticker, view.detail, view.now) if ticker is not None else []
        found += positions.of_ticker(view.holdings, view.selected or "")
        if found != self._shown:
            self._shown = found
            parts = [Content.styled(drawn(text), _STYLES.get(tone, "")) for tone, text in found]
            self.update(Content.styled(" · ", "$faint").join(parts))
