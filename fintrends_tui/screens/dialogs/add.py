"""The question which tickers to add, by ticker or by name."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from fintrends_tui.link.port import LinkError
from fintrends_tui.screens.dialogs.ask import AskScreen
from pipeline.contract.protocol import Command, MatchView, Search
from pipeline.model.text import drawn
from pipeline.model.tickers import InvalidTickerError, parse_tickers

_SHORTEST: Final = 2
"""Characters that are worth a search."""


class AddScreen(AskScreen[list[str]]):
    """Returns the tickers, in upper case, or None.

    What is typed is looked up by name where the source can be searched. A match is taken where one is marked; the first
    is by itself for what looks like a name: it has small letters, and is no ticker that was found.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "mark(1)", show=False),
        Binding("up", "mark(-1)", show=False),
    ]
    PAUSE: ClassVar[float] = 0.3
    """Seconds without a key after which a search begins."""

    def __init__(self, title: str, ask: Callable[[Command], Awaitable[Any]]) -> None:
        super().__init__(
            title,
            "Several at once, separated by spaces or commas; or a name, such as apple, and ↓ to choose.",
            verb="add",
            placeholder="AAPL, BRK.B ^GSPC BTC-USD",
        )
        self._ask = ask
        self._pause: Timer | None = None
        self._matches: Sequence[MatchView] = ()

    def below(self) -> ComposeResult:
        matches = OptionList(id="matches", compact=True)
        matches.can_focus = False
        matches.display = False
        yield matches

    def answered(self, text: str) -> None:
        marked = self.query_one(OptionList).highlighted
        if marked is not None and marked < len(self._matches):
            self.dismiss([self._matches[marked].ticker])
            return
        try:
            tickers = parse_tickers([text])
        except InvalidTickerError as error:
            self.refuse(str(error))
            return
        if tickers:
            self.dismiss(tickers)
        else:
            self.refuse("Type at least one ticker.")

    def action_mark(self, step: int) -> None:
        """Mark the next match (1), or the one before; before the first none is."""
        matches = self.query_one(OptionList)
        here = -1 if matches.highlighted is None else matches.highlighted
        there = min(here + step, len(self._matches) - 1)
        matches.highlighted = there if there >= 0 else None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show(())
        if self._pause is not None:
            self._pause.stop()
        if len(event.value.strip()) >= _SHORTEST:
            self._pause = self.set_timer(self.PAUSE, self._search)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss([self._matches[event.option_index].ticker])

    def _search(self) -> None:
        self.run_worker(self._find(self.query_one(Input).value), group="search", exclusive=True)

    async def _find(self, text: str) -> None:
        try:
            found: list[MatchView] = await self._ask(Search(text.strip()))
        except LinkError:  # tickers can be added all the same
            return
        if self.is_mounted and self.query_one(Input).value == text:
            self._show(found)
            named = text != text.upper() and text.strip().upper() not in {match.ticker for match in found}
            if found and named:
                self.query_one(OptionList).highlighted = 0

    def _show(self, found: Sequence[MatchView]) -> None:
        self._matches = found
        matches = self.query_one(OptionList)
        matches.clear_options()
        matches.add_options([Option(Content(drawn(_told(match)))) for match in found])
        matches.highlighted = None
        matches.display = bool(found)


def _told(match: MatchView) -> str:
    """``AAPL Apple Inc. · NASDAQ · Equity``."""
    return f"{match.ticker} " + " · ".join(filter(None, (match.name, match.exchange, match.kind, match.currency)))
