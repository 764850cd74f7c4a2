"""The rows of the watchlist: what is known of each ticker, and what its feed is worth now.

Each screen asks for them four times a second. What comes of a ticker is in its row at once. What follows from the time
and from what sources say of themselves is looked at once a second, for that takes a look at every ticker.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pipeline.analytics.feed_state import FeedReport, outage_of, with_state
from pipeline.analytics.market_view import LiveView, TickerState
from pipeline.contract.snapshot import ServiceView, TickerView, TroubleView
from pipeline.model.redaction import redact
from pipeline.model.text import clean
from pipeline.sources.base import Reporting, Serving, Source, TickerTrouble
from pipeline.sources.market_hours import TradingHours

LOOK: Final = 1.0
"""Seconds between two looks at every ticker."""


class TickerViews:
    """Makes them from the view, the hours of exchanges, and what the source and its services say of themselves."""

    def __init__(
        self,
        view: LiveView,
        source: Source,
        hours: TradingHours | None,
        *,
        began: float,
        stale_after: float,
        secrets: Sequence[str] = (),
    ) -> None:
        """`hours` are None where those of exchanges mean nothing, as for recorded and simulated data; `began` is when
        this run did, `stale_after` as in the settings."""
        self._view = view
        self._source = source
        self._hours = hours
        self._began = began
        self._stale_after = stale_after
        self._secrets = secrets
        self._looked_at = -math.inf
        self._market_at = datetime.max.replace(tzinfo=UTC)
        self._looks = 0
        self._notes: Mapping[str, str] = {}
        self._troubles: Mapping[str, TickerTrouble] = {}
        self._rows: dict[str, tuple[tuple[int, TickerState, int], TickerView]] = {}
        """What each row was made from, and the row."""

    def of(
        self, tickers: Iterable[str], now: datetime, services: Sequence[ServiceView], *, at: datetime | None = None
    ) -> list[TickerView]:
        """`at` is the market's time, where it is another than `now`: in a replay."""
        at, tickers = at or now, list(tickers)
        if not (0 <= now.timestamp() - self._looked_at < LOOK and self._market_at <= at):
            self._look(now, at, tickers)
        return [self._row(ticker, now, at, services) for ticker in tickers]

    def _look(self, now: datetime, at: datetime, tickers: Sequence[str]) -> None:
        """Let every row be made anew; one that is as it was stays the same object."""
        self._looked_at, self._market_at = now.timestamp(), at
        self._rows = {ticker: self._rows[ticker] for ticker in tickers if ticker in self._rows}
        self._notes = self._source.ticker_notes() if isinstance(self._source, Reporting) else {}
        self._troubles = self._source.troubles() if isinstance(self._source, Serving) else {}
        self._looks += 1

    def _row(self, ticker: str, now: datetime, at: datetime, services: Sequence[ServiceView]) -> TickerView:
        state = self._view.of(ticker)
        made = self._rows.get(ticker)
        basis = self._looks, state, state.changes
        if made is not None and made[0] == basis:
            return made[1]
        row = self._made(ticker, now, at, services)
        if made is not None and made[1] == row:
            row = made[1]
        self._rows[ticker] = basis, row
        return row

    def _made(self, ticker: str, now: datetime, at: datetime, services: Sequence[ServiceView]) -> TickerView:
        state = self._view.of(ticker)
        view = state.view(at, self._notes.get(ticker, ""))
        trouble = self._told(self._troubles[ticker]) if ticker in self._troubles else None
        if trouble is None:
            trouble = outage_of(view.source, services, now.timestamp())
        trading = self._hours.now(ticker) if self._hours is not None else None
        feed = FeedReport(state.market_heard_at(at), self._began, trading, trouble)
        return with_state(view, feed, now, self._stale_after)

    def _told(self, trouble: TickerTrouble) -> TroubleView:
        return TroubleView(
            why=clean(redact(trouble.why, self._secrets)),
            since=trouble.since.timestamp(),
            next_try=None if trouble.next_try is None else trouble.next_try.timestamp(),
        )
