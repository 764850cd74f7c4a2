"""The watchlist: one line a ticker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from textual import events
from textual.binding import BindingType
from textual.message import Message

from fintrends_tui.commands import WATCHLIST, bindings
from fintrends_tui.state import format as fmt
from fintrends_tui.state.alerts import fired_tickers
from fintrends_tui.state.arrangement import ALL, ORDERS, Arrangement, Groups, pick
from fintrends_tui.state.expression import is_expression
from fintrends_tui.state.positions import with_positions
from fintrends_tui.state.replay import aged
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Cell, Column, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from fintrends_tui.widgets.table.watch_cells import WatchLine
from fintrends_tui.widgets.table.watch_columns import chosen_columns
from fintrends_tui.widgets.table.watch_rows import Flashes, WatchRows
from pipeline.contract.snapshot import TickerView

_RESORT: Final = 2
"""Seconds that an order by moving values is kept: a list that never rests cannot be read."""


class WatchlistTable(CursorTable):
    """What every ticker of the group does now, in the order that was asked for.

    `arrangement` is how it is shown; `groups` and `notes`, by ticker, are set from outside; `shown` are the tickers
    there are.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(WATCHLIST)]

    class Arranged(Message):
        """The arrangement has changed."""

    def __init__(
        self, arrangement: Arrangement, *, flash: bool, stale_after: float, columns: Sequence[str] = ()
    ) -> None:
        """`columns` are the titles of those to show, in their order; none are the usual ones."""
        super().__init__(chosen_columns(columns), id="watchlist", classes="panel")
        self.arrangement = arrangement
        self.groups: Groups = {}
        self.notes: Mapping[str, str] = {}
        self.shown: list[TickerView] = []
        self._flashes = Flashes() if flash else None
        self._stale_after = stale_after
        self._order: tuple[object, list[str]] = (None, [])
        self._awaited = ""
        self._view: View | None = None
        self._shown_of: object = None
        self._rows_of = WatchRows()

    @property
    def group(self) -> str:
        """The group that is shown; one that is no more gives way to all."""
        return self.arrangement.group if self.arrangement.group in self.groups else ALL

    def update_view(self, view: View) -> None:
        self._view = view
        basis = self._basis(view)
        if basis == self._shown_of:
            return
        self._shown_of = basis
        known = view.snapshot.tickers if view.snapshot else [TickerView(ticker=t) for t in view.requested]
        if view.replay is not None:
            known = [aged(ticker) for ticker in known]
        tickers = with_positions(known, view.holdings.portfolio)
        self.shown = self._in_order(tickers, view.now)
        alerted = fired_tickers(view.snapshot) if view.snapshot else ()
        if self._flashes is not None:
            self._flashes.see(tickers, view.now)
        self._show_titles(tickers)
        clock, trend, stale = view.clock, self.width_of("Trend"), view.stale
        lines = (
            WatchLine(
                ticker,
                clock,
                trend,
                stale=stale or self._is_stale(ticker, clock),
                flash=self._flashes.of(ticker.ticker) if self._flashes else 0,
                alerted=ticker.ticker in alerted,
                noted=ticker.ticker in self.notes,
                hidden=view.holdings.hidden,
            )
            for ticker in self.shown
        )
        self.show(
            self._rows_of.of(lines, [column.title for column in self._columns]),
            view.waiting(self._why_empty(tickers)),
        )
        if any(ticker.ticker == self._awaited for ticker in tickers):
            self._select_awaited()

    def _basis(self, view: View) -> object:
        """All that is shown follows from it; a list of tickers that has not changed is the same object."""
        snapshot = view.snapshot
        told = None if snapshot is None else (snapshot.tickers, snapshot.rules, snapshot.pipeline.paused)
        around = view.requested, view.status, view.now, view.clock, view.replay is None, view.holdings, self._awaited
        shape = self._columns, self.size, self.width_of("Trend")
        return told, around, self.arrangement, self.groups, self.notes, shape

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        if self._view is not None:
            self.update_view(self._view)  # sparklines are as wide as their column

    def await_ticker(self, ticker: str) -> None:
        """Select the ticker once it is watched."""
        self._awaited = ticker

    def step(self, by: int) -> None:
        """Select the ticker so many lines on; after the last comes the first."""
        names = [row.key for row in self.rows]
        if self.selected in names:
            self.move_to((names.index(self.selected) + by) % len(names))

    def _select_awaited(self) -> None:
        names = [row.key for row in self.rows]
        if self._awaited in names:
            self.move_to(names.index(self._awaited))
            self._awaited = ""
        else:
            self.rearrange(replace(self.arrangement, group=ALL, filter=""))  # which hide it

    def choose(self, columns: Sequence[str]) -> None:
        """Show the columns of these titles."""
        self.set_columns(chosen_columns(columns))

    def rearrange(self, arrangement: Arrangement) -> None:
        """Show it in another way."""
        if arrangement != self.arrangement:
            self.arrangement = arrangement
            self.refresh_line(0)
            self.post_message(self.Arranged())

    def sort_by(self, title: str) -> None:
        """Sort by this column, and what is alike as before; by the same again, turn round."""
        self.rearrange(self.arrangement.by(title))

    def sort_by_next(self) -> None:
        """Sort by the next column that can be seen; after the last, the watchlist's own order."""
        titles = ["", *(c.title for c in self._columns if c.title in ORDERS and self.width_of(c.title))]
        here = titles.index(self.arrangement.sort) if self.arrangement.sort in titles else 0
        self.rearrange(self.arrangement.by(titles[(here + 1) % len(titles)]))

    def title_cell(self, column: Column) -> Cell:
        """The title, cut where the mark would not fit: ``% ▼``; dim is that of the second order."""
        arrangement = self.arrangement
        if column.title not in (arrangement.sort, arrangement.then):
            return text(column.title)
        first = column.title == arrangement.sort
        mark = fmt.DOWN if (arrangement.descending if first else arrangement.then_descending) else fmt.UP
        return text(f"{column.title[: self.width_of(column.title) - 1]}{mark}", "accent" if first else "dim")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without groups Tab moves between panels, and without a filter there is none to clear."""
        if action == "group":
            return bool(self.groups)
        if action == "clear_filter":
            return bool(self.arrangement.filter)
        return super().check_action(action, parameters)

    def action_group(self, step: int) -> None:
        names = [ALL, *self.groups]
        self.rearrange(replace(self.arrangement, group=names[(names.index(self.group) + step) % len(names)]))

    def action_clear_filter(self) -> None:
        self.rearrange(replace(self.arrangement, filter=""))

    def _in_order(self, tickers: Sequence[TickerView], now: int) -> list[TickerView]:
        arrangement = self.arrangement
        if not arrangement.sort:
            return pick(tickers, arrangement, self.groups)
        members = self.groups.get(arrangement.group)
        basis = (arrangement, members, tuple(ticker.ticker for ticker in tickers), now // _RESORT)
        if self._order[0] != basis:
            self._order = (basis, [ticker.ticker for ticker in pick(tickers, arrangement, self.groups)])
        by_name = {ticker.ticker: ticker for ticker in tickers}
        return [by_name[name] for name in self._order[1]]

    def _is_stale(self, ticker: TickerView, clock: int) -> bool:
        if ticker.state in ("stale", "away"):
            return True
        if ticker.state == "closed":
            return False
        return bool(self._stale_after and ticker.updated_at and clock - ticker.updated_at >= self._stale_after)

    def _show_titles(self, tickers: Sequence[TickerView]) -> None:
        count = f"{len(self.shown)} of {len(tickers)}" if len(self.shown) < len(tickers) else f"{len(tickers) or ''}"
        matching = f" /{self.arrangement.filter}" if self.arrangement.filter else ""
        if self.arrangement.mistake:
            matching = f": {self.arrangement.mistake}"
        simulated = any(ticker.simulated for ticker in tickers)
        self.set_titles(f"Watchlist {count}".rstrip() + matching, "~ simulated" if simulated else "")

    def _why_empty(self, tickers: Sequence[TickerView]) -> str:
        if not tickers:
            return "The watchlist is empty. Press a to add tickers, such as AAPL or BTC-USD."
        if self.arrangement.filter:
            meets = "meets" if is_expression(self.arrangement.filter) else "contains"
            return f"No ticker here {meets} {self.arrangement.filter}. Esc shows all."
        members = ", ".join(self.groups.get(self.arrangement.group, ()))
        what = f"No ticker of the group {self.arrangement.group} is watched ({members})."
        return f"{what} Press a to add one, Tab for another group."
