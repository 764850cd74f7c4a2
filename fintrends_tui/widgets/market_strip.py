"""One line above the watchlist: indices, and when markets open and close."""

from collections.abc import Sequence

from fintrends_tui.state import market
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Column, Row, Span
from fintrends_tui.widgets.table.live_table import Table

_TONES = {"▲": "up", "▼": "down"}


class MarketStrip(Table, can_focus=False):
    """Not there while none of the indices is watched and no hours are known, nor on a terminal of few lines."""

    def __init__(self, wanted: Sequence[str]) -> None:
        super().__init__((Column("", 20, elastic=True),), header=False, id="market")
        self._wanted = tuple(wanted)
        self.display = False

    def update_view(self, view: View) -> None:
        tickers = view.snapshot.tickers if view.snapshot is not None else []
        spans: list[Span] = []
        for name, price, moved in market.indices(tickers, self._wanted):
            tone = "dim" if view.stale else _TONES.get(moved.strip()[:1], "dim")
            spans += [Span(f"{name} ", "dim"), Span(price), Span(moved, tone), Span("   ")]
        spans += [Span(f"{sentence}   ", "dim") for sentence in market.hours(tickers, view.now)]
        self.display = bool(spans) and self.screen.has_class("-tall")
        self.show([Row("market", (tuple(spans),))])
