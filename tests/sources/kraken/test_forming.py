"""The bars of the minute that runs."""

from datetime import UTC, datetime, timedelta

from pipeline.model.messages import Bar
from pipeline.sources.kraken.forming import FormingBars

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def bar(seconds: float, close: float, *, minute: int = 0, ticker: str = "BTC-USD") -> Bar:
    """As it is seen at that time."""
    ts = at(60 * minute)
    values = {"open": 1.0, "high": 9.0, "low": 1.0, "close": close}
    closed = ts + timedelta(minutes=1) <= at(seconds)
    revision = int(at(seconds).timestamp() * 1000)
    return Bar(ticker=ticker, interval="1min", ts=ts, closed=closed, revision=revision, **values)


def seen(bars: FormingBars, state: Bar, seconds: float) -> list[tuple[float, bool]]:
    """What is handed out when that state comes at that time."""
    return [(b.close, b.closed) for b in [*bars.update(state, at(seconds)), *bars.due(at(seconds))]]


def test_each_state_within_a_second_is_followed_by_the_last_of_them() -> None:
    bars = FormingBars()
    assert seen(bars, bar(0, 1), 0) == [(1, False)]
    assert seen(bars, bar(0.2, 2), 0.2) == []
    assert seen(bars, bar(0.4, 3), 0.4) == []
    assert [b.close for b in bars.due(at(1))] == [3]
    assert bars.due(at(2)) == []


def test_one_is_closed_when_its_minute_is_over_though_nobody_says_so() -> None:
    bars = FormingBars()
    seen(bars, bar(59.5, 4), 59.5)
    assert bars.due(at(61.9)) == []
    (closed,) = bars.due(at(63))
    assert (closed.close, closed.closed, closed.ts) == (4, True, NOON)
    assert closed.revision == int(at(63).timestamp() * 1000)
    assert bars.due(at(65)) == []


def test_one_is_closed_when_the_next_begins() -> None:
    bars = FormingBars()
    seen(bars, bar(59.5, 4), 59.5)
    assert seen(bars, bar(60.5, 5, minute=1), 60.5) == [(4, True), (5, False)]
    assert bars.due(at(70)) == []


def test_a_late_trade_corrects_its_bar() -> None:
    bars = FormingBars()
    seen(bars, bar(59.5, 4), 59.5)
    assert seen(bars, bar(61, 6), 61) == [(6, True)]
    seen(bars, bar(61.5, 7, minute=1), 61.5)
    assert [b.close for b in bars.update(bar(62, 8), at(62))] == [8]
    assert [(b.close, b.closed) for b in bars.due(at(130))] == [(7, True)]


def test_tickers_are_apart_and_nothing_is_kept_over_a_new_connection() -> None:
    bars = FormingBars()
    assert seen(bars, bar(0, 1), 0) == [(1, False)]
    bars.update(bar(0.5, 2, ticker="ETH-USD"), at(0.5))
    assert [b.ticker for b in bars.due(at(1.5))] == ["ETH-USD"]
    bars.clear()
    assert bars.due(at(100)) == []
