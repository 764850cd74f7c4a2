"""Sentiment of the selected ticker: the rolling score and the headlines and posts behind it."""

from collections.abc import Sequence
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from pipeline.contract.snapshot import HeadlineView

_TONES: Final = {"positive": "up", "negative": "down", "neutral": "dim"}
_GLYPHS: Final = {"positive": fmt.UP, "negative": fmt.DOWN, "neutral": fmt.LEVEL}
_COLUMNS: Final = (
    Column("Age", 4, right=True),
    Column("Score", 7, right=True),
    Column("Headline or post", 20, elastic=True),
    Column("Source", 12, drop=1),
)
_INDENT: Final = 5
"""Cells before a reason, to stand below the score."""


class Headlines(Panel):
    """The latest scored headlines and posts, newest first."""

    LABEL = "Sentiment"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="headlines", classes="panel")

    def update_view(self, view: View) -> None:
        self.set_titles(*_titles(view))
        self.show([_row(headline, view.clock) for headline in _headlines(view)], _empty(view))


class HeadlineList(CursorTable):
    """The same, to choose one from, and below each what made its score. `chosen` is the one at the cursor."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="headlines", classes="panel")
        self._by_key: dict[str, HeadlineView] = {}

    @property
    def chosen(self) -> HeadlineView | None:
        return self._by_key.get(self.selected or "")

    def update_view(self, view: View) -> None:
        self.set_titles(*_titles(view))
        rows = []
        self._by_key = {}
        for headline in _headlines(view):
            row = _row(headline, view.clock)
            of_it = [row]
            if reason := _reason(headline):
                of_it.append(Row(f"{row.key}|reason", (text(" " * _INDENT) + outside(reason, "dim"),)))
            self._by_key |= dict.fromkeys((row.key for row in of_it), headline)
            rows += of_it
        self.show(rows, _empty(view))


def _headlines(view: View) -> Sequence[HeadlineView]:
    return view.detail.headlines if view.detail else []


def _titles(view: View) -> tuple[str, str]:
    tickers = view.snapshot.tickers if view.snapshot else []
    score = next((ticker.sentiment for ticker in tickers if ticker.ticker == view.selected), None)
    rolling = "" if score is None else f"rolling {fmt.arrow(score)} {fmt.signed(score)}"
    return f"Sentiment {view.selected or ''}".rstrip(), rolling


def _empty(view: View) -> str:
    if view.snapshot is not None and view.selected is None:
        return "Select a ticker on the watchlist to see its headlines."
    return view.waiting(
        f"No headlines of {view.selected} yet: they come from the news and social producers, once the sentiment "
        "processor has scored them."
    )


def _row(headline: HeadlineView, now: int) -> Row:
    tone = _TONES[headline.label]
    return Row(
        f"{headline.ts}|{headline.text}",
        (
            text(fmt.age(headline.ts, now), "dim"),
            text(f"{_GLYPHS[headline.label]} {fmt.signed(headline.compound)}", tone),
            outside(headline.text),
            outside(headline.source, "dim"),
        ),
    )


def _reason(headline: HeadlineView) -> str:
    if headline.tag is not None:
        return f"the poster's own tag: {headline.tag}"
    return ", ".join(f"{word} {fmt.signed(valence, 1)}" for word, valence in headline.words)
