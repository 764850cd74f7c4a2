"""What a ticker's price is worth."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analytics.feed_state import DELAYED, FeedReport, outage_of, with_state
from pipeline.contract.snapshot import ExtendedView, ServiceView, TickerView, TradingView, TroubleView
from pipeline.model.sessions import MarketStatus

NOW = datetime(2026, 11, 23, 16, tzinfo=UTC)
T = NOW.timestamp()
LATER = NOW + timedelta(hours=5)
REGULAR, PRE, POST, CLOSED = (MarketStatus(phase, LATER) for phase in ("regular", "pre", "post", "closed"))
TROUBLE = TroubleView(why="no such symbol", since=T - 60)


def state(as_of: float | None, heard: float | None, trading: MarketStatus | None, **more: object) -> str:
    """`as_of` and `heard` in seconds ago."""
    view = TickerView(ticker="AAPL", source="s", price=1.0, as_of=None if as_of is None else T - as_of)
    feed = FeedReport(None if heard is None else T - heard, T - 3600, trading, **more)  # type: ignore[arg-type]
    return with_state(view, feed, NOW, 300).state


@pytest.mark.parametrize(
    ("as_of", "heard", "trading", "expected"),
    [
        (2, 1, REGULAR, "live"),
        (900, 1, REGULAR, "delayed"),
        (DELAYED - 1, 1, REGULAR, "live"),
        (400, 301, REGULAR, "stale"),
        (2, 1, CLOSED, "closed"),
        (60_000, 50_000, CLOSED, "closed"),
        (60_000, None, CLOSED, "closed"),
        (2, 1, PRE, "live"),
        (60_000, 1, PRE, "closed"),  # nothing is traded, which is no fault of the feed's
        (60_000, 40_000, POST, "closed"),
        (2, 1, None, "live"),
        (9e8, 1, None, "live"),  # a recording
        (400, 301, None, "stale"),
        (None, 1, REGULAR, "live"),
        (60_000, None, REGULAR, "stale"),  # the run began an hour ago
        (None, None, None, "stale"),
    ],
)
def test_what_a_price_is_worth(
    as_of: float | None, heard: float | None, trading: MarketStatus | None, expected: str
) -> None:
    assert state(as_of, heard, trading) == expected


def test_at_the_start_nothing_is_claimed() -> None:
    view = TickerView(ticker="AAPL", price=1.0, as_of=T - 9000)
    assert with_state(view, FeedReport(None, T - 5, REGULAR), NOW, 300).state == ""
    assert with_state(view, FeedReport(None, T - 5000, REGULAR), NOW, 0).state == "", "nothing is ever stale"


def test_a_later_price_of_before_the_open_is_live_too() -> None:
    extended = ExtendedView(session="pre", price=2.0, as_of=T - 3)
    view = TickerView(ticker="AAPL", price=1.0, as_of=T - 60_000, extended=extended)
    assert with_state(view, FeedReport(T - 3, T - 3600, PRE), NOW, 300).state == "live"


def test_what_cannot_be_served_is_away_unless_another_source_serves_it() -> None:
    assert state(500, 400, REGULAR, trouble=TROUBLE) == "away"
    assert state(None, None, CLOSED, trouble=TROUBLE) == "away"
    assert state(2, 1, REGULAR, trouble=TROUBLE) == "live"
    assert state(400, 350, REGULAR, trouble=TroubleView(why="", since=T - 400)) == "away", "nor does the other"


def test_the_row_says_why_and_until_when() -> None:
    row = with_state(TickerView(ticker="AAPL"), FeedReport(None, T, REGULAR, TROUBLE), NOW, 300)
    assert row.trouble == TROUBLE
    assert row.trading == TradingView(phase="regular", until=LATER.timestamp())
    forever = with_state(TickerView(ticker="BTC-USD"), FeedReport(T, T, MarketStatus("regular")), NOW, 300)
    assert forever.trading == TradingView(phase="regular", until=None)


@given(
    st.none() | st.floats(0, 1e6),
    st.none() | st.floats(0, 1e6),
    st.sampled_from([None, REGULAR, PRE, POST, CLOSED]),
    st.booleans(),
)
def test_nothing_is_live_that_was_not_heard_lately(
    as_of: float | None, heard: float | None, trading: MarketStatus | None, troubled: bool
) -> None:
    found = state(as_of, heard, trading, trouble=TROUBLE if troubled else None)
    if found in ("live", "delayed"):
        assert heard is not None and heard < 300
        assert trading is not CLOSED
    if trading is CLOSED:
        assert found in ("closed", "away")


def service(name: str, since: float | None = None, **more: object) -> ServiceView:
    return ServiceView(name=name, role="producer", state="running", failing_since=since, **more)  # type: ignore[arg-type]


def test_a_provider_that_is_away_is_the_trouble_of_its_tickers() -> None:
    fails = service("market yahoo", T - 90, error="yahoo does not answer", retry_in=12)
    works = service("market coinbase")
    told = TroubleView(why="yahoo does not answer", since=T - 90, next_try=T + 12)
    assert outage_of("yahoo", [fails, works], T) == told
    assert outage_of("coinbase", [fails, works], T) is None
    assert outage_of("", [fails, works], T) is None, "the other may still bring it"
    assert outage_of("", [fails], T) == told
    assert outage_of("simulator", [service("market", T - 90)], T) is not None
    assert outage_of("yahoo", [service("news yahoo", T - 90), service("market yahoo")], T) is None
