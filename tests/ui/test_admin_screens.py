"""What is done to topics, groups and dead letters from the screen: each time a plan is shown first."""

import pytest

from fintrends_tui.screens.consumers import ConsumersScreen
from fintrends_tui.screens.dead_letters import DeadLettersScreen
from fintrends_tui.screens.dialogs.ask_time import AskTimeScreen
from fintrends_tui.screens.dialogs.plan import PlanScreen
from fintrends_tui.screens.messages import MessagesScreen
from fintrends_tui.widgets.consumer_table import ConsumerTable
from pipeline.contract.plans import Purge, Replay, ResetOffsets, Retry
from pipeline.contract.protocol import CarryOut, GetMessages, MakePlan
from tests.ui import samples
from tests.ui.fake_link import FakeLink, FakeTopic
from tests.ui.gallery import SMALL
from tests.ui.running import Dash, running


@pytest.fixture
def link() -> FakeLink:
    return FakeLink(samples.snapshot())


def operations(dash: Dash) -> list[object]:
    return [command.operation for command in dash.link.asked_for(MakePlan)]


async def test_a_group_opens_and_is_reset_where_the_plan_is_confirmed(link: FakeLink) -> None:
    async with running(link, SMALL) as dash:
        await dash.press("T")
        assert isinstance(dash.app.screen, ConsumersScreen)
        table = dash.app.screen.query_one(ConsumerTable)
        assert [row.key for row in table.rows] == ["indicator-processor", "sink"], "what falls behind comes first"
        await dash.press("enter")
        assert [row.key for row in table.rows][:2] == ["indicator-processor", "indicator-processor stock_data_tsla"]
        await dash.press("r", *"yesterday", "enter")
        assert isinstance(dash.app.screen, AskTimeScreen) and "is not a time" in dash.text
        await dash.press("ctrl+u", *"Beginning", "enter")
        assert isinstance(dash.app.screen, PlanScreen)
        assert "1,240 records would be skipped" in dash.text
        assert operations(dash) == [ResetOffsets("indicator-processor", "beginning")]
        await dash.press("escape")
        assert isinstance(dash.app.screen, ConsumersScreen) and link.asked_for(CarryOut) == []
        await dash.press("j", "r", *"2h", "enter", "y")
        assert operations(dash)[1:] == [ResetOffsets("indicator-processor", "2h", ["stock_data_tsla"])]
        assert link.asked_for(CarryOut) == [CarryOut(7)]
        assert "done as planned" in dash.text
        await dash.press("enter")
        assert isinstance(dash.app.screen, MessagesScreen)


async def test_what_stands_in_the_way_can_only_be_read(link: FakeLink) -> None:
    async with running(link, SMALL) as dash:
        await dash.press("T", "r", *"end", "enter")
        assert "This cannot be done now: sink is worked on by" in dash.text
        await dash.press("y")
        assert isinstance(dash.app.screen, PlanScreen)
        await dash.press("escape")
        assert link.asked_for(CarryOut) == []


async def test_a_plan_that_cannot_be_made_is_said(link: FakeLink) -> None:
    async with running(link, SMALL) as dash:
        await dash.press("t")
        link.refuses = "kafka is out of reach"
        await dash.press("r", *"beginning", "enter")
        assert "kafka is out of reach" in dash.text
        assert not isinstance(dash.app.screen, PlanScreen)


async def test_a_topic_is_replayed_and_its_ticker_purged(link: FakeLink) -> None:
    async with running(link, SMALL) as dash:
        await dash.press("t", "r", *"7d", "enter", "y")
        await dash.press("x")
        assert "topic stock_data_aapl  31,000 records" in dash.text
        await dash.press("y")
        assert operations(dash) == [Replay(["indicators_aapl"], "7d"), Purge("AAPL")]
        assert len(link.asked_for(CarryOut)) == 2


async def test_dead_letters_are_retried_one_alike_or_all(link: FakeLink) -> None:
    link.topic = FakeTopic(samples.dead_letters())
    async with running(link, SMALL) as dash:
        await dash.press("e")
        assert isinstance(dash.app.screen, DeadLettersScreen)
        letter = dash.app.screen.letter
        assert letter is not None
        await dash.press("r", "escape", "a", "escape", "R")
        key = f"{letter.topic}|{letter.partition}|{letter.offset}"
        assert operations(dash) == [Retry(keys=[key]), Retry(reason=letter.reason), Retry()]
        assert "1 record would be published again" in dash.text
        assert "stays: it still cannot be decoded" in dash.text
        await dash.press("y")
        assert link.asked_for(CarryOut) == [CarryOut(7)]
        await dash.press("slash", *"topic~aapl", "enter")
        assert link.asked_for(GetMessages)[-1].contains == "topic~aapl"


async def test_the_log_is_filtered_by_fields(link: FakeLink) -> None:
    async with running(link, SMALL) as dash:
        await dash.press("l")
        everything = len(dash.table("#log").rows)
        await dash.press("slash", *"level=warning", "enter")
        shown = [row.cells[1][0].text for row in dash.table("#log").rows]
        assert shown and set(shown) == {"WARNING"} and "where level=warning" in dash.text
        await dash.press("slash", "ctrl+u", *"level=warning logger=nobody", "enter")
        assert "No line meets the conditions." in dash.text
        await dash.press("escape")
        assert len(dash.table("#log").rows) == everything
