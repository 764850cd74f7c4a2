"""The dashboard is painted in two steps: the watchlist, what stands above it and the keys; then the panels."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.events import Key
from textual.geometry import Region
from textual.widget import AwaitMount, Widget

from fintrends_tui.app import FintrendsApp
from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.state.memory import ScreenMemory
from fintrends_tui.widgets.filter_input import FilterInput
from pipeline.contract.snapshot import Snapshot
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, SMALL, settled
from tests.ui.running import Dash, running

FIRST = ("#header", "#health", "#market", "#watch", "#watchlist", "#keys")

MANY = samples.snapshot(tickers=[samples.ticker(f"T{number:02}", number % 8) for number in range(60)])


@asynccontextmanager
async def half_painted(
    monkeypatch: pytest.MonkeyPatch, snapshot: Snapshot | None, size: tuple[int, int] = LARGE, layout: str = "market"
) -> AsyncIterator[tuple[Dash, asyncio.Event]]:
    """A dashboard that waits for the event before its second step."""
    go_on = asyncio.Event()
    complete = Dashboard._complete

    async def later(self: Dashboard) -> None:
        asyncio.get_running_loop().create_task(go_on.wait()).add_done_callback(
            lambda _: self.call_later(complete, self)
        )

    monkeypatch.setattr(Dashboard, "_complete", later)
    memory = ScreenMemory()
    memory.keep(layout=layout)
    async with running(FakeLink(snapshot, log_lines=0), size, memory=memory, tickers=("AAPL", "MSFT")) as dash:
        yield dash, go_on


def regions(dash: Dash) -> dict[str, Region]:
    return {selector: dash.app.screen.query_one(selector).region for selector in FIRST}


@pytest.mark.parametrize("layout", ["market", "pipeline"])
@pytest.mark.parametrize("size", [SMALL, (100, 50), (140, 30), (140, 38), LARGE, (200, 70)])
@pytest.mark.parametrize("snapshot", [None, samples.snapshot(), MANY], ids=["none", "few", "many"])
async def test_what_is_painted_first_stays_where_it_is(
    monkeypatch: pytest.MonkeyPatch, snapshot: Snapshot | None, size: tuple[int, int], layout: str
) -> None:
    async with half_painted(monkeypatch, snapshot, size, layout) as (dash, go_on):
        assert dash.table("#watchlist").rows
        assert not dash.app.screen.query("#chart")
        before = regions(dash)
        go_on.set()
        await settled(dash.pilot)
        assert dash.app.screen.query_one("#chart").region
        assert regions(dash) == before


async def test_keys_wait_for_the_second_step(monkeypatch: pytest.MonkeyPatch) -> None:
    async with half_painted(monkeypatch, samples.snapshot()) as (dash, go_on):
        for key in ("slash", "m", "s"):
            dash.app.post_message(Key(key, "/" if key == "slash" else key))
        await dash.pilot.pause()  # and not until the keys are handled
        assert not dash.app.screen.query(FilterInput)
        go_on.set()
        await settled(dash.pilot)
        assert dash.app.screen.query_one(FilterInput).value == "ms"
        assert dash.app.focused is dash.app.screen.query_one(FilterInput)


async def test_a_resize_between_the_steps_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    async with half_painted(monkeypatch, samples.snapshot()) as (dash, go_on):
        await dash.pilot.resize_terminal(*SMALL)
        await dash.repaint()
        assert "AAPL" in dash.text
        go_on.set()
        await dash.repaint()
        assert dash.app.screen.query_one("#chart").region
        assert "Chart" in dash.text


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
async def test_a_screen_that_is_left_before_it_is_whole_ends_as_any_other(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    whole = Dashboard._complete
    tried = []

    async def leaving(self: Dashboard) -> None:
        if moment == "before":
            self.app.exit()
        else:
            mount = self.query_one("#watch").mount

            def leave(*widgets: Widget, **options: Any) -> AwaitMount:
                self.app.exit()
                return mount(*widgets, **options)

            monkeypatch.setattr(self.query_one("#watch"), "mount", leave)
        await whole(self)
        tried.append(moment)

    monkeypatch.setattr(Dashboard, "_complete", leaving)
    app = FintrendsApp(FakeLink(samples.snapshot()), tickers=("AAPL",))
    async with app.run_test(), asyncio.timeout(30):
        while not tried:
            await asyncio.sleep(0)
    assert app.return_code == 0
