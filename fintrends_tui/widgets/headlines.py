"""Sentiment of the selected ticker: the rolling score and the headlines and posts behind it."""

from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
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
    """The latest scored headlines and posts, newest first; with `reasons`, below each what made its score."""

    LABEL = "Sentiment"

    def __init__(self, *, reasons: bool = False) -> None:
        super().__init__(_COLUMNS, id="headlines", classes="panel")
        self._reasons = reasons

    def update_view(self, view: View) -> None:
        headlines = view.detail.headlines if view.detail else []
        score = (
            next((t.sentiment for t in view.snapshot.tickers if t.ticker == view.selected), None)
            if (view.snapshot)
            else None
        )
        rolling = "" if score is None else f"rolling {fmt.arrow(score)} {fmt.signed(score)}"
        self.set_titles(f"Sentiment {view.selected or ''}".rstrip(), rolling)
        rows = []
        for headline in headlines:
            rows.append(_row(headline, view.clock))
            if self._reasons and (reason := _reason(headline)):
                rows.append(Row(f"{rows[-1].key}|reason", (text(" " * _INDENT) + outside(reason, "dim"),)))
        self.show(rows, _empty(view))


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
