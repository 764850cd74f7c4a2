"""The rows of the watchlist: what is known of each ticker, and what its feed is worth now."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pipeline.analytics.feed_state import FeedReport, outage_of, with_state
from pipeline.analytics.market_view import LiveView
from pipeline.contract.snapshot import ServiceView, TickerView, TroubleView
from pipeline.model.redaction import redact
from pipeline.model.text import clean
from pipeline.sources.base import Reporting, Serving, Source, TickerTrouble
from pipeline.sources.market_hours import TradingHours


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

    def of(
        self, tickers: Iterable[str], now: datetime, services: Sequence[ServiceView], *, at: datetime | None = None
    ) -> list[TickerView]:
        """`at` is the market's time, where it is another than `now`: in a replay."""
        at = at or now
        notes = self._source.ticker_notes() if isinstance(self._source, Reporting) else {}
        troubles = self._source.troubles() if isinstance(self._source, Serving) else {}
        return [self._row(ticker, now, at, services, notes.get(ticker, ""), troubles) for ticker in tickers]

    def _row(
        self,
        ticker: str,
        now: datetime,
        at: datetime,
        services: Sequence[ServiceView],
        note: str,
        troubles: Mapping[str, TickerTrouble],
    ) -> TickerView:
        state = self._view.of(ticker)
        view = state.view(at, note)
        trouble = self._told(troubles[ticker]) if ticker in troubles else None
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
