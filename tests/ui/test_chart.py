"""The widget of the chart: what it asks for, and how little it sends."""

from msgspec.structs import replace
from textual.geometry import Region

from fintrends_tui.widgets.chart import Chart
from pipeline.contract.protocol import GetHistory
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.running import running


async def test_of_a_bar_that_moves_only_its_cells_are_sent() -> None:
    async with running(FakeLink(samples.snapshot())) as dash:
        await dash.press("enter")
        chart = dash.app.screen.query_one(Chart)
        sent: list[Region] = []
        refresh = chart.refresh

        def counted(*regions: Region, **options: bool) -> Chart:
            sent.extend(regions)
            return refresh(*regions, **options)

        chart.refresh = counted
        data = chart._data
        bars = data.history.bars
        moved = replace(bars[-1], close=bars[-1].close + 0.4, high=bars[-1].high + 0.4)
        chart._data = data.__class__(replace(data.history, bars=[*bars[:-1], moved]))
        chart._redraw()
        await dash.repaint()
        assert f"C {moved.close:.2f}" in dash.text
        assert sent and sum(region.area for region in sent) < chart.size.area / 5
        sent.clear()
        chart._redraw()
        assert not sent, "what is the same is not sent again"


async def test_what_is_sent_is_what_is_shown() -> None:
    """The regions are where the cells are."""
    async with running(FakeLink(samples.snapshot())) as dash:
        await dash.press("enter", "comma", "comma", "comma")
        moved = dash.text
        dash.app.screen.query_one(Chart).refresh()
        dash.app.screen.refresh()
        await dash.repaint()
        assert dash.text == moved


async def test_the_colour_of_the_day_is_that_of_the_watchlist() -> None:
    """MSFT is down for the day, whatever its bars do."""
    link = FakeLink(samples.snapshot(detail=samples.detail("MSFT")))
    async with running(link) as dash:
        await dash.press("j")
        chart = dash.app.screen.query_one(Chart)
        assert chart.plot is not None and not chart.plot.rising
        assert "108.22 ▼ -0.04% from the previous close" in dash.text
        assert link.asked_for(GetHistory)[-1].ticker == "MSFT"


async def test_in_ascii_bodies_differ_in_shape() -> None:
    async with running(FakeLink(samples.snapshot()), ascii_only=True) as dash:
        await dash.press("enter")
        chart = dash.text.split("Indicators")[0]
        assert "o" in chart and "#" in chart


async def test_an_empty_range_says_what_to_do() -> None:
    link = FakeLink(samples.snapshot(tickers=[samples.ticker("AAPL", as_of=samples.NOW + 400 * 86_400)]))
    async with running(link) as dash:
        assert "No bars of AAPL in this range." in " ".join(dash.text.split())
        assert "MAX" in dash.text


async def test_the_tag_follows_the_price_once_a_second() -> None:
    link = FakeLink(samples.snapshot())
    tickers = samples.snapshot().tickers
    async with running(link) as dash:

        async def trade(seq: int, price: float) -> str:
            link.push(samples.snapshot(seq=seq, tickers=[replace(tickers[0], price=price), *tickers[1:]]))
            await dash.repaint()
            return dash.line("▸")

        dash.now += 1
        assert "▸170.51" in await trade(2, 170.51)
        assert "▸170.51" in await trade(3, 170.52)
        assert "170.51 ▲" in dash.text, "what is below the chart agrees with it"
        dash.now += 1
        assert "▸170.53" in await trade(4, 170.53)
