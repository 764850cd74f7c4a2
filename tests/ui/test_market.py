"""The line of indices and hours, and the line of health."""

import pytest
from msgspec.structs import replace

from fintrends_tui.state import market
from fintrends_tui.state.health import health
from pipeline.contract.protocol import Add
from pipeline.contract.snapshot import Snapshot, TradingView
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import SMALL
from tests.ui.running import running

NOW = samples.NOW
OPEN = TradingView(phase="regular", until=NOW + 8_050)


@pytest.mark.parametrize(
    ("trading", "told"),
    [
        (OPEN, "NYSE open, closes in 2 h 14 min"),
        (TradingView(phase="pre", until=NOW + 1_830), "NYSE pre-market, opens in 30 min"),
        (TradingView(phase="post", until=NOW + 63_000), "NYSE after hours, opens in 17 h 30 min"),
        (TradingView(phase="closed", until=NOW + 220_000), "NYSE closed, opens in 2 days"),
        (TradingView(phase="closed"), "NYSE closed"),
    ],
)
def test_the_hours_of_a_market_in_words(trading: TradingView, told: str) -> None:
    assert market.hours([samples.ticker("AAPL", trading=trading)], NOW) == [told]


def test_each_market_once_and_none_that_never_closes() -> None:
    tickers = [
        samples.ticker("^GSPC", trading=TradingView(phase="closed", until=NOW + 60)),
        samples.ticker("AAPL", trading=TradingView(phase="pre", until=NOW + 60)),
        samples.ticker("VOD.L", trading=OPEN),
        samples.ticker("BTC-USD", trading=TradingView(phase="regular")),
        samples.ticker("MSFT"),
    ]
    assert market.hours(tickers, NOW) == ["NYSE pre-market, opens in 1 min", "London open, closes in 2 h 14 min"]


def signs(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(sign.text, sign.tone) for sign in health(snapshot)]


def test_health_says_all_in_a_breath() -> None:
    well = [replace(s, state="running", error=None, failing_since=None) for s in samples.snapshot().services]
    tickers = [
        samples.ticker("AAPL", source="yahoo", state="live"),
        samples.ticker("MSFT", source="yahoo", state="live"),
    ]
    snapshot = samples.snapshot(services=well, tickers=tickers, topics=[], budgets=[samples.budget()])
    assert signs(snapshot) == [
        ("● 8/8", "up"),
        ("lag 0", ""),
        ("18.1 writes/s", ""),
        ("AV 7/25", ""),
        ("Yahoo live", ""),
    ]


def test_health_names_what_is_worst() -> None:
    tickers = [samples.ticker("AAPL", state="live"), samples.ticker("MSFT", state="stale"), samples.ticker("NEW")]
    stalled = samples.snapshot(tickers=tickers, topics=samples.stalled_topics())
    told = dict(signs(stalled))
    assert told["▲ 7/8"] == "warn"
    assert told["lag 1,240"] == "error"
    assert told["Alpha Vantage stale 1 of 3"] == "warn"
    failed = [replace(s, state="failed") for s in stalled.services]
    assert signs(replace(stalled, services=failed))[0] == ("✗ 0/8", "error")


async def test_the_line_shows_the_indices_that_are_watched_and_a_key_watches_the_rest() -> None:
    tickers = [samples.ticker("AAPL", trading=OPEN), *samples.snapshot().tickers[6:]]
    link = FakeLink(samples.snapshot(tickers=tickers))
    async with running(link) as dash:
        line = dash.line("S&P 500")
        assert "S&P 500 2,775.60 ▼ -0.23%   BTC 3,637.15 ▼ -0.07%" in line
        assert "NYSE open, closes in 2 h 14 min" in line
        assert dash.line("writes/s").startswith(" ▲ 7/8 · lag 1,246 · 18.1 writes/s")
        await dash.press("I")
        assert link.asked_for(Add) == [Add(["^IXIC", "^VIX", "^TNX"])]
    async with running(FakeLink(samples.snapshot(tickers=tickers)), SMALL) as dash:
        assert "S&P 500" not in dash.text
