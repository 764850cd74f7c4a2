"""The rows of the watchlist, as the state of their feeds makes them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.analytics.market_view import LiveView
from pipeline.contract.snapshot import ServiceView, TickerView, TradingView
from pipeline.model.messages import Quote, ScoredItem
from pipeline.sources.base import Feed, HistoryChunk, SourceError, TickerTrouble
from pipeline.sources.market_hours import TradingHours
from pipeline.stages.ticker_views import TickerViews
from testkit.data import NEW_YORK
from testkit.fakes import FakeClock

NOON = datetime(2026, 11, 27, 17, tzinfo=UTC)
"""Of a half day in New York, after the close in London."""


class Provider:
    """Cannot serve some tickers."""

    name, simulated = "yahoo", False

    def __init__(self, troubles: Mapping[str, TickerTrouble]) -> None:
        self._troubles = troubles

    def feeds(self) -> Sequence[Feed]:
        return ()

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        raise SourceError("none")
        yield

    async def close(self) -> None: ...

    def troubles(self) -> Mapping[str, TickerTrouble]:
        return self._troubles


async def rows(
    tickers: Mapping[str, float],
    troubles: Mapping[str, TickerTrouble] | None = None,
    services: Sequence[ServiceView] = (),
    *,
    live: bool = True,
) -> dict[str, TickerView]:
    """Of tickers with a quote of so many seconds ago, which was heard then."""
    view, hours = LiveView(NEW_YORK), TradingHours(FakeClock(NOON))
    await hours.prepare(tickers)
    for ticker, ago in tickers.items():
        ts = NOON - timedelta(seconds=ago)
        view.of(ticker)
        view.put(Quote(ticker=ticker, ts=ts, price=10, source="yahoo"), ts.timestamp())
    views = TickerViews(
        view,
        Provider(troubles or {}),
        hours if live else None,
        began=NOON.timestamp() - 9000,
        stale_after=300,
        secrets=["hunter22"],
    )
    return {row.ticker: row for row in views.of([*tickers, *(troubles or {})], NOON, services)}


async def test_each_row_has_the_state_of_its_exchange() -> None:
    found = await rows({"AAPL": 2, "MSFT": 400, "VOD.L": 4000, "BTC-USD": 3})
    assert {name: row.state for name, row in found.items()} == {
        "AAPL": "live",
        "MSFT": "stale",
        "VOD.L": "closed",
        "BTC-USD": "live",
    }
    closes = datetime(2026, 11, 27, 18, tzinfo=UTC).timestamp()
    assert found["AAPL"].trading == TradingView(phase="regular", until=closes)
    assert found["BTC-USD"].trading == TradingView(phase="regular")


async def test_recordings_keep_no_hours() -> None:
    found = await rows({"VOD.L": 2}, live=False)
    assert (found["VOD.L"].state, found["VOD.L"].trading) == ("live", None)


async def test_what_cannot_be_served_says_why_and_when_it_is_tried_again_and_others_go_on() -> None:
    trouble = TickerTrouble(
        "no such symbol\x1b[31m at https://x?token=abcd with hunter22", NOON - timedelta(minutes=2), NOON
    )
    found = await rows({"AAPL": 2}, {"NOPE": trouble})
    assert found["AAPL"].state == "live"
    nope = found["NOPE"]
    assert nope.state == "away" and nope.trouble is not None
    assert (nope.trouble.since, nope.trouble.next_try) == (NOON.timestamp() - 120, NOON.timestamp())
    assert "no such symbol" in nope.trouble.why
    for hidden in ("\x1b", "abcd", "hunter22"):
        assert hidden not in nope.trouble.why


async def test_a_provider_that_is_away_is_why_its_tickers_are() -> None:
    service = ServiceView(
        name="market yahoo",
        role="producer",
        state="backing off",
        failing_since=NOON.timestamp() - 60,
        error="yahoo does not answer",
        retry_in=8,
    )
    found = await rows({"AAPL": 70}, services=[service])
    row = found["AAPL"]
    assert row.state == "away" and row.trouble is not None
    assert (row.trouble.why, row.trouble.next_try) == ("yahoo does not answer", NOON.timestamp() + 8)


class Asked(Provider):
    """Counts how often its troubles are asked for, and has one of AAPL from a moment on."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked = 0

    def troubles(self) -> Mapping[str, TickerTrouble]:
        self.asked += 1
        return self._troubles

    def fail(self) -> None:
        self._troubles = {"AAPL": TickerTrouble("no such symbol", NOON)}


async def test_prices_are_shown_at_once_and_feeds_are_looked_at_once_a_second() -> None:
    view, source, tickers = LiveView(NEW_YORK), Asked(), ["AAPL", "MSFT"]
    views = TickerViews(view, source, None, began=NOON.timestamp(), stale_after=300)

    def at(seconds: float) -> list[TickerView]:
        return views.of(tickers, NOON + timedelta(seconds=seconds), [])

    def quote(price: float, seconds: float) -> None:
        ts = NOON + timedelta(seconds=seconds)
        view.put(Quote(ticker="AAPL", ts=ts, price=price, source="yahoo"), ts.timestamp())

    assert [row.price for row in at(0)] == [None, None]
    quote(10, 0.1)
    aapl, msft = at(0.25)
    assert (aapl.price, aapl.state) == (10, "live")
    source.fail()
    assert at(0.5) == [aapl, msft] and at(0.75)[0] is aapl
    assert source.asked == 1
    failing, same = at(1.1)
    assert failing.trouble is not None and same is msft, "what is as it was is the same object"
    quote(11, 1.2)
    assert at(1.3)[0].price == 11 and at(1.3)[0].trouble == failing.trouble
    assert source.asked == 2
    assert [row.state for row in at(400)] == ["away", "stale"]
    assert at(-3)[0].price == 11, "a clock that is set back is no reason to wait for it"
    view.forget(["AAPL"])
    assert [row.price for row in at(-3)] == [None, None]


async def test_in_a_replay_sentiment_is_as_old_as_it_was_then() -> None:
    then = NOON - timedelta(days=900)
    view = LiveView(NEW_YORK)
    view.of("AAPL")
    view.put(
        ScoredItem(ticker="AAPL", ts=then, id="1", kind="post", text="up", compound=0.5, label="positive"),
        NOON.timestamp(),
    )
    views = TickerViews(view, Provider({}), None, began=NOON.timestamp(), stale_after=300)
    [now] = views.of(["AAPL"], NOON, [])
    [replayed] = views.of(["AAPL"], NOON, [], at=then + timedelta(minutes=5))
    assert now.sentiment is None
    assert replayed.sentiment == pytest.approx(0.5)
