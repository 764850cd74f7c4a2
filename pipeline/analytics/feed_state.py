"""What a ticker's price is worth: whether it is live, delayed, stale, of a closed exchange, or does not come. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from pipeline.contract.snapshot import FeedState, ServiceView, TickerView, TradingView, TroubleView
from pipeline.model.sessions import MarketStatus

DELAYED: Final = 600.0
"""Seconds by which a price is older than what its source does now, from which on it is called delayed. Bars of some
minutes make less, the delays that exchanges ask for more."""


class FeedReport(NamedTuple):
    """What is known of a ticker's feed. Times are seconds since the epoch.

    `heard_at` is when its source last said something of it, None where that was not in this run, which began at
    `since`. `trading` is None where its hours are not known, or mean nothing, as for recordings.
    """

    heard_at: float | None
    since: float
    trading: MarketStatus | None
    trouble: TroubleView | None = None


def with_state(view: TickerView, feed: FeedReport, now: datetime, stale_after: float) -> TickerView:
    """The view with the state of its feed; `stale_after` is in seconds, 0 for never."""
    return replace(
        view,
        state=_state(view, feed, now.timestamp(), stale_after),
        trading=None if feed.trading is None else _trading(feed.trading),
        trouble=feed.trouble,
    )


def _state(view: TickerView, feed: FeedReport, now: float, stale_after: float) -> FeedState:
    if feed.trouble is not None and (feed.heard_at is None or feed.heard_at <= feed.trouble.since):
        return "away"  # or another source serves it meanwhile
    phase = None if feed.trading is None else feed.trading.phase
    if phase == "closed":
        return "closed"
    silent = now - (feed.since if feed.heard_at is None else feed.heard_at)
    if stale_after and silent >= stale_after:
        if feed.trouble is not None:
            return "away"
        # Before the open and after the close nothing need be traded.
        return "stale" if phase in (None, "regular") else "closed"
    if feed.heard_at is None:
        return ""
    times = (view.as_of, None if view.extended is None else view.extended.as_of)
    newest = max((at for at in times if at is not None), default=None)
    if phase == "regular" and newest is not None and now - newest >= DELAYED:
        return "delayed"
    return "live" if phase in (None, "regular") or (newest is not None and now - newest < DELAYED) else "closed"


def _trading(trading: MarketStatus) -> TradingView:
    return TradingView(phase=trading.phase, until=None if trading.until is None else trading.until.timestamp())


def outage_of(source: str, services: Iterable[ServiceView], now: float) -> TroubleView | None:
    """Why nothing comes from a source: that its market feed fails, or all there are. None while one works."""
    markets = [service for service in services if service.role == "producer" and service.kind == "market"]
    named = [service for service in markets if service.name.partition(" ")[2] == source]
    failing = [service for service in named or markets if service.failing_since is not None]
    if not failing or len(failing) < len(named or markets):
        return None
    first = min(failing, key=lambda service: service.failing_since or now)
    return TroubleView(
        why=first.error or "its feed fails",
        since=first.failing_since or now,
        next_try=None if first.retry_in is None else now + first.retry_in,
    )
