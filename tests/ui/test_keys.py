import pytest
from msgspec.structs import replace

from fintrends_tui.commands import (
    DASHBOARD,
    DETAIL,
    EVERYWHERE,
    LISTS,
    LOG,
    MESSAGES,
    SERVICES,
    TOPICS,
    WATCHLIST,
    KeyCommand,
)
from fintrends_tui.screens.add import AddScreen
from fintrends_tui.screens.choose import ChooseScreen
from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.screens.detail import DetailScreen
from fintrends_tui.screens.help import HelpScreen
from fintrends_tui.screens.log import LogScreen
from fintrends_tui.screens.stopping import StoppingScreen
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.log_pane import LogPane
from pipeline.protocol import Add, GetHistory, GetLog, Load, Pause, Remove, Restart, Resume
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import running


@pytest.fixture
def link() -> FakeLink:
    return FakeLink(samples.snapshot())


class TestAdd:
    async def test_several_tickers_at_once(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("a", *"nvda,", *"brk.b", "enter")
            assert link.asked_for(Add) == [Add(["NVDA", "BRK.B"])]
            assert isinstance(dash.app.screen, Dashboard)
            assert "done: NVDA, BRK.B" in dash.text

    async def test_an_invalid_ticker_is_explained_where_it_was_typed(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("a", *"[b", "enter")
            assert "'[b' is not a ticker symbol" in dash.text
            assert link.asked_for(Add) == []
            await dash.press("backspace")
            assert "is not a ticker symbol" not in dash.text

    async def test_nothing_is_no_ticker(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("a", "enter")
            assert "Type at least one ticker" in dash.text
            await dash.press("escape")
            assert not isinstance(dash.app.screen, AddScreen)
            assert link.asked_for(Add) == []


class TestRemove:
    async def test_the_selected_ticker_goes_after_a_confirmation(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("j", "x")
            assert "Remove MSFT from the watchlist?" in dash.text
            await dash.press("enter")
            assert link.asked_for(Remove) == [Remove(["MSFT"])]

    @pytest.mark.parametrize("keys", [["escape"], ["down", "enter"]])
    async def test_without_one_it_stays(self, link: FakeLink, keys: list[str]) -> None:
        async with running(link) as dash:
            await dash.press("x", *keys)
            assert isinstance(dash.app.screen, Dashboard)
            assert link.asked_for(Remove) == []

    async def test_there_is_nothing_to_remove_from_an_empty_watchlist(self) -> None:
        async with running(FakeLink(samples.snapshot(tickers=[], detail=None))) as dash:
            await dash.press("escape", "x")
            assert isinstance(dash.app.screen, Dashboard)


class TestLoad:
    @pytest.mark.parametrize(("keys", "command"), [([], Load(["AAPL"])), (["j"], Load([]))])
    async def test_the_selected_one_or_all(self, link: FakeLink, keys: list[str], command: Load) -> None:
        async with running(link) as dash:
            await dash.press("i", *keys, "enter")
            assert link.asked_for(Load) == [command]

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    async def test_progress_is_seen_while_there_are_loads(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            assert "Initial load" not in dash.text
            link.push(samples.snapshot(seq=2, loads=samples.loads()))
            await dash.repaint()
            await dash.repaint()
            assert "Initial load 2 of 4" in dash.text
            assert "1,840 / 4,120" in dash.text
            assert "45%" in dash.text
            link.push(samples.snapshot(seq=3))
            await dash.repaint()
            assert "Initial load" not in dash.text


class TestServices:
    async def test_p_pauses_and_resumes_the_producers(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("p")
            link.push(samples.snapshot(seq=2, pipeline=samples.pipeline(paused=True)))
            await dash.press("p")
            assert [c for c in link.asked if isinstance(c, Pause | Resume)] == [Pause(), Resume()]

    @pytest.mark.parametrize(
        ("keys", "command"), [([], Restart(None)), (["down"], Restart("market")), (["j", "j", "j"], Restart("social"))]
    )
    async def test_r_restarts_one_or_all(self, link: FakeLink, keys: list[str], command: Restart) -> None:
        async with running(link) as dash:
            await dash.press("r")
            assert isinstance(dash.app.screen, ChooseScreen)
            await dash.press(*keys, "enter")
            assert link.asked_for(Restart) == [command]

    async def test_a_refusal_is_shown(self, link: FakeLink) -> None:
        async with running(link) as dash:
            link.refuses = "the pipeline is stopping"
            await dash.press("r", "enter")
            assert "the pipeline is stopping" in dash.text


class TestDetail:
    @pytest.mark.parametrize("size", [SMALL, LARGE])
    async def test_it_shows_chart_indicators_and_headlines(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            await dash.press("enter")
            assert isinstance(dash.app.screen, DetailScreen)
            assert "Chart AAPL 1min" in dash.text
            assert "5min" in dash.text
            assert "Apple beats revenue" in dash.text
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    async def test_it_says_what_made_each_score(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            assert "beats +2.7" not in dash.text
            await dash.press("enter")
            assert "beats +2.7, growth +1.1" in dash.text
            assert "the poster's own tag: bullish" in dash.text

    async def test_the_words_of_others_are_no_markup(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            assert "[/not touching -0.5" in dash.text

    async def test_left_and_right_switch_the_interval(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            await dash.press("right")
            assert link.asked_for(GetHistory)[-1].interval == "5min"
            assert "Chart AAPL 5min" in dash.text
            await dash.press("right", "right")
            await dash.press("right")
            await dash.press("right")
            assert "Chart AAPL daily" in dash.text
            await dash.press("h")
            assert "Chart AAPL 60min" in dash.text

    async def test_candles_and_volume_are_switched(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            assert "┃" not in dash.text
            await dash.press("c", "v")
            assert "┃" in dash.text
            look = dash.app.screen.query_one(Chart).look
            assert (look.style, look.volume) == ("candles", False)
            await dash.press("c", "v")
            assert dash.app.screen.query_one(Chart).look._replace(last=500) == dash.app.chart_look

    @pytest.mark.parametrize(
        ("key", "label", "fields"),
        [
            ("m", "SMA 20/50", ["sma_20", "sma_50"]),
            ("e", "EMA 12/26", ["ema_12", "ema_26"]),
            ("b", "Bollinger", ["bb_upper", "bb_middle", "bb_lower"]),
            ("w", "VWAP", ["vwap"]),
        ],
    )
    async def test_studies_are_laid_over_the_prices_and_taken_off(
        self, link: FakeLink, key: str, label: str, fields: list[str]
    ) -> None:
        async with running(link) as dash:
            await dash.press("enter", key)
            assert link.asked_for(GetHistory)[-1].indicators == fields
            assert f"Chart AAPL 1min · {label}" in dash.text
            await dash.press(key)
            assert f"Chart AAPL 1min · {label}" not in dash.text

    async def test_plus_and_minus_change_how_many_bars_are_shown(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "plus")
            assert "over 240 bars" in dash.text
            await dash.press(*["plus"] * 4)
            assert "over 30 bars" in dash.text
            await dash.press(*["minus"] * 8)
            assert link.asked_for(GetHistory)[-1].last == 5000

    async def test_brackets_go_through_what_is_stored(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "right_square_bracket")
            assert link.asked_for(GetHistory)[-1].until is None
            newest = dash.app.screen.query_one(Chart).history.bars
            await dash.press("left_square_bracket")
            older = dash.app.screen.query_one(Chart).history.bars
            assert older[-1] == newest[len(newest) // 2 - 1]
            assert "until 11-20" in dash.text
            await dash.press(*["left_square_bracket"] * 4)
            oldest = dash.app.screen.query_one(Chart).history.bars
            assert oldest[0] == samples.history(last=samples.STORED).bars[0]
            await dash.press(*["right_square_bracket"] * 6)
            assert dash.app.screen.query_one(Chart).history.bars == newest
            assert "until 11-20" not in dash.text

    async def test_what_is_past_is_not_fetched_again_with_every_bar(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            await dash.press("left_square_bracket")  # once there is a chart to move
            asked = len(link.asked_for(GetHistory))
            link.push(samples.snapshot(seq=2, detail=replace(samples.detail(), chart_version=2)))
            await dash.repaint()
            assert len(link.asked_for(GetHistory)) == asked

    async def test_the_look_is_kept_for_the_next_ticker(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "c", "m")
            await dash.press("escape", "j")
            link.push(samples.snapshot(seq=2, detail=samples.detail("MSFT")))
            await dash.press("enter")
            assert "Chart MSFT 1min · SMA 20/50" in dash.text
            assert "┃" in dash.text

    async def test_values_are_said_in_words(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            assert "overbought" in dash.line("Stoch %K")

    async def test_a_chart_that_cannot_be_loaded_says_why(self, link: FakeLink) -> None:
        async with running(link) as dash:
            link.refuses = "the store is locked"
            await dash.press("enter")
            assert "The chart cannot be loaded: the store is locked" in dash.text

    async def test_the_chart_is_as_wide_as_the_terminal(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            chart = dash.app.screen.query_one(Chart)
            rightmost = max(
                index
                for line in dash.text.splitlines()[chart.content_region.y : chart.content_region.bottom]
                for index, character in enumerate(line)
                if "\u2801" <= character <= "\u28ff"
            )
            assert rightmost >= chart.content_region.right - 4


class TestLog:
    async def test_it_follows_until_one_scrolls_back(self) -> None:
        link = FakeLink(samples.snapshot(), log_lines=100)
        async with running(link, SMALL) as dash:
            await dash.press("l")
            assert isinstance(dash.app.screen, LogScreen)
            pane = dash.app.screen.query_one(LogPane)
            assert pane.scroll_offset.y == pane.max_scroll_y > 0
            assert len(link.asked_for(GetLog)) == 1
            await dash.press("pageup")
            assert pane.scroll_offset.y < pane.max_scroll_y
            assert "scrolled back" in dash.text
            await dash.press("end")
            assert pane.scroll_offset.y == pane.max_scroll_y
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)


class TestEverywhere:
    async def test_help_lists_every_key(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("question_mark")
            assert isinstance(dash.app.screen, HelpScreen)
            rows = [["".join(span.text for span in cell) for cell in row.cells] for row in dash.table("#help").rows]
            for command in (*DASHBOARD, *WATCHLIST, *LISTS, *DETAIL, *TOPICS, *MESSAGES, *SERVICES, *LOG, *EVERYWHERE):
                assert [command.shown, command.help, command.name] in rows
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    @pytest.mark.parametrize(("key", "section"), [("s", "Services"), ("enter", "Detail of a ticker"), ("A", "Alerts")])
    async def test_help_begins_with_the_screen_it_was_asked_for_on(
        self, link: FakeLink, key: str, section: str
    ) -> None:
        async with running(link, SMALL) as dash:
            await dash.press(key, "question_mark")
            assert dash.table("#help").rows[0].key == section

    async def test_the_footer_shows_every_key_on_a_large_terminal(self, link: FakeLink) -> None:
        async with running(link) as dash:
            for command in (*DASHBOARD, *EVERYWHERE):
                assert not command.label or f"{command.shown} {command.label} " in " ".join(dash.text.split("\n")[-2:])

    async def test_on_a_small_one_it_shows_the_first_and_how_to_see_the_rest(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            footer = dash.text.splitlines()[-1]
            assert footer.startswith("a Add x Remove ⏎ Detail / Filter o Sort")
            assert footer.rstrip().endswith("? Help q Quit")

    async def test_a_click_on_a_hint_is_its_key(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.pilot.click("#keys", offset=(dash.text.splitlines()[-1].index("? Help"), 0))
            await dash.repaint()
            assert isinstance(dash.app.screen, HelpScreen)

    @pytest.mark.parametrize(
        ("keys", "commands"), [(["t"], TOPICS), (["e"], MESSAGES), (["s"], SERVICES), (["l"], LOG)]
    )
    async def test_the_footer_of_the_other_screens_fits_a_small_terminal(
        self, link: FakeLink, keys: list[str], commands: tuple[KeyCommand, ...]
    ) -> None:
        async with running(link, SMALL) as dash:
            await dash.press(*keys)
            footer = dash.text.splitlines()[-1]
            for command in commands:
                assert f"{command.shown} {command.label}" in footer

    async def test_the_palette_runs_commands_by_name(self, link: FakeLink) -> None:
        async with running(link) as dash:
            titles = {command.title for command in dash.app.get_system_commands(dash.app.screen)}
            assert {command.label or command.name.capitalize() for command in (*DASHBOARD, *EVERYWHERE)} <= titles
            pause = next(c for c in dash.app.get_system_commands(dash.app.screen) if c.title == "Pause")
            await pause.callback()
            await dash.repaint()
            assert link.asked_for(Pause) == [Pause()]

    async def test_detach_leaves_the_pipeline_running(self) -> None:
        link = FakeLink(samples.snapshot(), started_here=True)
        async with running(link) as dash:
            await dash.pilot.press("d")
        assert dash.app.return_value == "detach"
        assert not link.stop_requested
        assert link.closed.is_set()


class TestQuit:
    async def test_it_leaves_a_pipeline_that_it_found_running(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.pilot.press("q")
        assert dash.app.return_value == "quit"
        assert not link.stop_requested

    async def test_it_waits_for_a_pipeline_that_it_started(self) -> None:
        link = FakeLink(samples.snapshot(), started_here=True)
        async with running(link) as dash:
            await dash.press("q")
            assert isinstance(dash.app.screen, StoppingScreen)
            assert link.stop_requested
            assert "Waiting for market (running), news (running)" in dash.text
            link.may_stop.set()
            await dash.pilot.pause()
        assert dash.app.return_value == "quit"

    @pytest.mark.parametrize("key", ["q", "ctrl+c"])
    async def test_the_second_time_leaves_at_once(self, key: str) -> None:
        link = FakeLink(samples.snapshot(), started_here=True)
        async with running(link) as dash:
            await dash.press("ctrl+c")
            assert isinstance(dash.app.screen, StoppingScreen)
            await dash.pilot.press(key)
        assert dash.app.return_value == "quit"
        assert not link.may_stop.is_set()

    async def test_a_pipeline_that_does_not_stop_is_said(self) -> None:
        link = FakeLink(samples.snapshot(), started_here=True)
        async with running(link) as dash:
            await dash.press("q")
            link.refuses = "it does not answer"
            link.may_stop.set()
            await dash.pilot.pause()
            await dash.repaint()
            assert "The pipeline could not be stopped: it does not answer" in dash.text

    async def test_it_is_safe_when_never_connected(self) -> None:
        async with running(FakeLink(None), SMALL) as dash:
            await dash.press("x", "p", "r", "escape", "i", "escape", "enter", "l", "escape", "question_mark", "escape")
            await dash.pilot.press("q")
        assert dash.app.return_value == "quit"
