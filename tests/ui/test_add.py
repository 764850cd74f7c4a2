"""Adding tickers by name."""

import pytest

from fintrends_tui.screens.dialogs.add import AddScreen
from pipeline.contract.protocol import Add, Search
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import SMALL
from tests.ui.running import Dash, running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AddScreen, "PAUSE", 0.001)


async def searched(dash: Dash, text: str) -> None:
    """Until the dialog has asked for the text."""
    assert isinstance(dash.link, FakeLink)
    while Search(text) not in dash.link.asked:
        await dash.pilot.pause(0.01)
    await dash.repaint()


async def test_a_name_finds_tickers_and_enter_takes_the_marked_one() -> None:
    link = FakeLink(samples.snapshot())
    async with running(link, SMALL) as dash:
        await dash.press("a", *"apple")
        await searched(dash, "apple")
        assert "AAPL Apple Inc. · NASDAQ · Equity" in dash.text
        assert "APC.DE Apple Inc. · XETRA · Equity" in dash.text
        await dash.press("down", "up", "enter")
        assert link.asked_for(Add) == [Add(["AAPL"])]
        await dash.press("a", *"nvda")
        await searched(dash, "nvda")
        assert "NVIDIA Corporation [NVDA]" in dash.text  # no markup
        await dash.press("enter")
        assert link.asked_for(Add)[-1] == Add(["NVDA"])


async def test_where_nothing_can_be_searched_tickers_are_added_as_they_are() -> None:
    link = FakeLink(samples.snapshot())
    async with running(link, SMALL) as dash:
        link.refuses = "the source cannot be searched by name"
        await dash.press("a", *"apple")
        await searched(dash, "apple")
        link.refuses = None
        await dash.press("enter")
        assert link.asked_for(Add) == [Add(["APPLE"])]
