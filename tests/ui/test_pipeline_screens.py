"""The screens that show the pipeline itself: topics, messages, services, log."""

import re

import pytest
from msgspec.structs import replace

from fintrends_tui.link.port import LinkStatus
from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.screens.dialogs.choose import ChooseScreen
from fintrends_tui.screens.log import LogScreen
from fintrends_tui.screens.messages import MessagesScreen
from fintrends_tui.screens.services import ServicesScreen
from fintrends_tui.screens.topics import TopicsScreen
from fintrends_tui.widgets.log_pane import LogPane
from fintrends_tui.widgets.message_table import MessageTable
from fintrends_tui.widgets.service_table import ServiceTable
from fintrends_tui.widgets.table.live_table import Table
from fintrends_tui.widgets.topic_table import TopicTable
from pipeline.contract.protocol import GetMessages, GetTopics, Pause, Restart, Resume, TopicMessage
from tests.ui import samples
from tests.ui.fake_link import FakeLink, FakeTopic
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import Dash, running

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])


@pytest.fixture
def link() -> FakeLink:
    return FakeLink(samples.snapshot())


async def tick(dash: Dash) -> None:
    """Let a second pass, after which screens ask anew."""
    now = dash.app.current_view.now + 1
    dash.app._now = lambda: now
    await dash.repaint()


def topics_shown(dash: Dash) -> list[str]:
    rows = dash.app.screen.query_one(TopicTable).rows
    return list(dict.fromkeys(row.key.partition(" ")[0] for row in rows))


class TestTopics:
    @SIZES
    async def test_each_group_has_lag_status_and_history(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            await dash.press("t")
            assert isinstance(dash.app.screen, TopicsScreen)
            line = dash.line("stock_data_tsla")
            for part in ("29.6k", "2.1", "7d", "indicator", "1,240", "▲ WARN", "█"):
                assert part in line
            assert "● OK" in dash.line("sentiment_aapl")
            assert "forever" in dash.line("sentiment_aapl")
            assert all(len(line) <= size[0] for line in dash.text.splitlines())

    async def test_it_asks_once_a_second_and_only_while_it_is_seen(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await tick(dash)
            assert link.asked_for(GetTopics) == []
            await dash.press("t")
            await dash.repaint()
            assert len(link.asked_for(GetTopics)) == 1
            await tick(dash)
            assert len(link.asked_for(GetTopics)) == 2
            await dash.press("escape")
            await tick(dash)
            assert len(link.asked_for(GetTopics)) == 2

    async def test_a_text_filters(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("t", "slash", *"TSLA")
            assert topics_shown(dash) == ["indicators_tsla", "sentiment_tsla", "stock_data_tsla"]
            assert "Topics 3 of 12" in dash.text
            await dash.press("enter", "down", "enter")
            assert isinstance(dash.app.screen, MessagesScreen)
            assert link.asked_for(GetMessages)[0].topic == "sentiment_tsla"
            await dash.press("escape", "escape")
            assert isinstance(dash.app.screen, TopicsScreen)
            assert len(topics_shown(dash)) == 12
            await dash.press("slash", *"zzz")
            assert "No topic's name contains “zzz”" in dash.text
            await dash.press("escape")
            assert len(topics_shown(dash)) == 12
            await dash.press("t")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_it_is_sorted_by_what_one_wants_to_see(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("t")
            assert topics_shown(dash) == sorted(topics_shown(dash))
            await dash.press("O")
            assert topics_shown(dash) == sorted(topics_shown(dash), reverse=True)
            await dash.press("o")
            assert (topics_shown(dash)[0], "by records ▼" in dash.text) == ("stock_data_aapl", True)
            await dash.press("o", "o")
            assert (topics_shown(dash)[0], "by lag ▼" in dash.text) == ("stock_data_tsla", True)
            assert dash.app.screen.query_one(TopicTable).topic == "stock_data_tsla"

    async def test_what_cannot_be_asked_is_said(self, link: FakeLink) -> None:
        link.refuses = "kafka localhost:9092 cannot be reached"
        async with running(link) as dash:
            await dash.press("t")
            assert "The topics cannot be listed: kafka localhost:9092 cannot be reached" in dash.text

    async def test_an_unchanged_topic_draws_nothing(self, link: FakeLink, monkeypatch: pytest.MonkeyPatch) -> None:
        async with running(link) as dash:
            await dash.press("t")
            drawn: list[int] = []
            monkeypatch.setattr(TopicTable, "render_line", lambda table, y: drawn.append(y))
            await tick(dash)
            assert len(link.asked_for(GetTopics)) == 2
            assert drawn == []


class TestMessages:
    @SIZES
    async def test_the_newest_come_first_with_the_selected_one_in_full(
        self, link: FakeLink, size: tuple[int, int]
    ) -> None:
        async with running(link, size) as dash:
            await dash.press("t", "enter")
            assert isinstance(dash.app.screen, MessagesScreen)
            for part in ("11-20 15:03:05", " 119 ", "AAPL", "1min C 171.19 O 170"):
                assert part in dash.line("▌")
            assert "Message 119 of partition 0" in dash.text
            await dash.press("tab", "end")
            assert "alpha_vantage" in dash.line("source   ")
            assert "bar.v1" in dash.line("schema")
            assert "(2026-11-20" in dash.line("ingested")

    async def test_new_ones_come_in_by_themselves_until_they_shall_not(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("t", "enter")
            table = dash.app.screen.query_one(MessageTable)
            link.topic = FakeTopic(samples.messages(123))
            await tick(dash)
            assert table.selected == "0 122"
            assert "● following" in dash.text
            await dash.press("j", "f")
            assert "‖ held" in dash.text
            link.topic = FakeTopic(samples.messages(125))
            await tick(dash)
            assert (table.selected, table.rows[0].key) == ("0 121", "0 122")
            await dash.press("f")
            await tick(dash)
            assert table.selected == "0 124"

    async def test_the_one_that_is_read_stays_where_it_is(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("t", "enter", *"jjjjjjjjjj")
            table = dash.app.screen.query_one(MessageTable)
            before = dash.text.splitlines().index(dash.line("▌"))
            link.topic = FakeTopic(samples.messages(126))
            await tick(dash)
            assert table.selected == "0 109"
            assert dash.text.splitlines().index(dash.line("▌")) == before
            assert len(table.rows) == 106

    async def test_the_end_brings_older_ones(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("t", "enter")
            table = dash.app.screen.query_one(MessageTable)
            assert len(table.rows) == 100
            await dash.press("G")
            assert len(table.rows) == 120
            assert table.selected == "0 20"
            await dash.press("m", "G")
            assert (len(table.rows), table.selected) == (120, "0 0")

    async def test_a_text_is_looked_for_by_the_pipeline(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("t", "enter", "slash", *"not json", "enter")
            assert link.asked_for(GetMessages)[-1].contains == "not json"
            assert [row.key for row in dash.app.screen.query_one(MessageTable).rows] == ["0 98", "0 48"]
            await dash.press("slash", *"xyz", "enter")
            assert "None of the newest 120 records contains “xyz”." in dash.text
            await dash.press("escape")
            assert len(dash.app.screen.query_one(MessageTable).rows) == 100
            await dash.press("escape")
            assert isinstance(dash.app.screen, TopicsScreen)

    async def test_hostile_text_stays_text(self, link: FakeLink) -> None:
        value = '{"text":"\\u001b[2J[/bold]\\u202e\\n[@click=app.quit]x","[red]":"\\u0007"}'
        link.topic = FakeTopic([TopicMessage(0, 0, 5.0, "[b]k", {"[u]": "[/i]"}, value, len(value))])
        async with running(link) as dash:
            await dash.press("e")
            assert "[/bold] [@click=app.quit]x" in dash.line("text ")
            for part in ("[red]", "[b]k", "[u]", "[/i]"):
                assert part in dash.text
            assert not {"\x1b", "\u202e", "\x07"} & set(dash.text)

    async def test_dead_letters_are_one_key_away_with_reason_origin_and_payload(self, link: FakeLink) -> None:
        link.topic = FakeTopic(samples.dead_letters())
        async with running(link) as dash:
            await dash.press("e")
            assert link.asked_for(GetMessages)[0].topic == "dead_letter"
            assert "news_tsla/0 @408: JSON is malfor" in dash.text
            assert "JSON is malformed: invalid" in dash.line("reason")
            assert "<html>502 Bad Gateway</html>" in dash.line("payload")
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_no_dead_letters_is_good_news(self, link: FakeLink) -> None:
        link.topic = FakeTopic([])
        async with running(link, SMALL) as dash:
            await dash.press("e")
            assert "No dead letters: every record" in dash.text

    async def test_what_cannot_be_read_is_said(self, link: FakeLink) -> None:
        async with running(link) as dash:
            link.refuses = "the bus is closed"
            await dash.press("e")
            assert "dead_letter cannot be read: the bus is closed" in dash.text


class TestServices:
    @SIZES
    async def test_errors_are_shown_in_full(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            await dash.press("s")
            assert isinstance(dash.app.screen, ServicesScreen)
            for part in ("● running", "1h", "8.4", "31.3k", "█"):
                assert part in dash.line("market")
            assert "retry in 12s" in dash.line("social ✗")
            assert "Last error of social" in dash.text  # what fails comes first
            assert "failing for 2m" in dash.text
            words = " ".join(line.strip("│ ") for line in dash.text.splitlines())
            assert "the limit is 60 a minute, and 4 are made for each ticker" in words
            assert "p99 ms" in dash.text
            await dash.press("j")
            assert "No errors since it was started." in dash.text
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_what_has_failed_is_in_sight_and_selected(self) -> None:
        services = [replace(s, failing_since=None) for s in samples.snapshot().services]
        services[-1] = replace(services[-1], state="failed", error="no such host", failing_since=samples.NOW)
        services[-2] = replace(services[-2], state="paused")
        async with running(FakeLink(samples.snapshot(services=services)), SMALL) as dash:
            await dash.press("s")
            assert f"Last error of {services[-1].name}" in dash.text
            assert "no such host" in dash.text
            names = [row.key for row in dash.app.screen.query_one(ServiceTable).rows]
            assert names[:2] == [services[-1].name, services[-2].name]
            assert names[2:] == [service.name for service in services[:-2]]
            await dash.press("j", "r")
            assert f"restarting {services[-2].name}; it stays paused" in dash.text

    async def test_one_is_restarted_or_all(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("s", "j", "j", "r")
            assert link.asked_for(Restart) == [Restart("news")]
            await dash.press("R")
            assert isinstance(dash.app.screen, ChooseScreen)
            await dash.press("down", "enter")
            assert link.asked_for(Restart) == [Restart("news")]
            await dash.press("R", "enter")
            assert link.asked_for(Restart) == [Restart("news"), Restart()]

    async def test_one_is_paused_and_resumed(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("s", "j", "p")
            assert link.asked_for(Pause) == [Pause("market")]
            services = samples.snapshot().services
            services[0] = replace(services[0], state="paused")
            link.push(samples.snapshot(seq=2, services=services))
            await dash.repaint()
            assert "‖ paused" in dash.line("market")
            await dash.press("p")
            assert link.asked_for(Resume) == [Resume("market")]

    async def test_the_log_is_one_key_away_and_the_panes_can_be_scrolled(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("s", "tab", "tab")
            assert dash.app.focused is not None
            assert dash.app.focused.id == "writes"
            await dash.press("l")
            assert isinstance(dash.app.screen, LogScreen)
            await dash.press("escape", "s")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_it_is_safe_when_never_connected(self) -> None:
        failed = LinkStatus("failed", "kafka cannot be reached")
        async with running(FakeLink(None, failed), SMALL) as dash:
            await dash.press("s", "r", "p", "l", "n", "N", "v", "w", "f", "escape", "escape")
            await dash.press("t", "o", "enter", "escape", "e", "m", "G", "f", "f")
            assert "kafka cannot be reached" in dash.text


class TestLog:
    @pytest.fixture
    def link(self) -> FakeLink:
        return FakeLink(samples.snapshot(), log_lines=100)

    async def test_levels_leave_out_what_is_below_them(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("l", "v", "v")
            assert "Log from warning on" in dash.text
            assert "INFO" not in dash.text
            await dash.press("v")
            assert "WARNING" not in dash.text
            assert "ERROR" in dash.text
            await dash.press("v")
            assert "INFO" in dash.text

    async def test_a_text_is_found_from_the_newest_back_and_round(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("l", "slash", *"MONGODB", "enter")
            pane = dash.app.screen.query_one(LogPane)
            found = []
            for key in ("N", "N", "n", "n", "n"):
                found += re.findall(r"(\d+) of 11 found", dash.text)
                await dash.press(key)
            assert found == ["11", "10", "9", "10", "11"]
            assert "1 of 11 found" in dash.text
            top = pane.rows[int(pane.scroll_y)]
            assert int(top.key.partition(".")[0]) <= 9
            await dash.press("escape")
            assert "found" not in dash.text
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_what_is_not_there_is_not_found(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("l", "slash", *"[/zzz", "enter", "n")
            assert "0 of 0 found" in dash.text

    async def test_f_holds_and_follows(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("l", "f")
            pane = dash.app.screen.query_one(LogPane)
            assert "scrolled back" in dash.text
            top = pane.rows[int(pane.scroll_y)].key
            link.add_log_lines(50)
            link.push(samples.snapshot(seq=2, pipeline=samples.pipeline(log_seq=150)))
            await dash.repaint()
            assert pane.rows[int(pane.scroll_y)].key == top
            await dash.press("f")
            assert pane.scroll_y == pane.max_scroll_y
            assert "scrolled back" not in dash.text

    async def test_the_reader_keeps_their_place_when_old_lines_go(self) -> None:
        link = FakeLink(samples.snapshot(), log_lines=2000)
        async with running(link, SMALL) as dash:
            await dash.press("l")
            await dash.press("pageup")  # once there is a page to go up
            pane = dash.app.screen.query_one(LogPane)
            top = pane.rows[int(pane.scroll_y)].key
            link.add_log_lines(30)
            link.push(samples.snapshot(seq=2, pipeline=samples.pipeline(log_seq=2030)))
            await dash.repaint()
            assert pane.rows[0].key == "31.0"
            assert pane.rows[int(pane.scroll_y)].key == top

    async def test_long_lines_are_whole_or_cut(self) -> None:
        link = FakeLink(samples.snapshot(), log_lines=9)
        async with running(link, SMALL) as dash:
            await dash.press("l")
            rows = len(dash.app.screen.query_one(LogPane).rows)
            await dash.press("w")
            assert len(dash.app.screen.query_one(LogPane).rows) == 9 < rows
            assert "…" in dash.line("ERROR")
            await dash.press("w")
            assert len(dash.app.screen.query_one(LogPane).rows) == rows

    async def test_new_lines_draw_only_what_is_in_sight(self, monkeypatch: pytest.MonkeyPatch) -> None:
        link = FakeLink(samples.snapshot(), log_lines=2000)
        async with running(link, SMALL) as dash:
            await dash.press("l")
            drawn: list[int] = []
            row_line = Table._row_line

            def counted(table: Table, index: int, width: int) -> object:
                drawn.append(index)
                return row_line(table, index, width)

            monkeypatch.setattr(Table, "_row_line", counted)
            link.add_log_lines(3)
            link.push(samples.snapshot(seq=2, pipeline=samples.pipeline(log_seq=2003)))
            await dash.repaint()
            assert 0 < len(drawn) <= 3 * SMALL[1]
