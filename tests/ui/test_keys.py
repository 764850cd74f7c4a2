import re

import pytest
from msgspec.structs import replace
from textual.events import Paste

from fintrends_tui.commands import (
    CONSUMERS,
    DASHBOARD,
    DEAD_LETTERS,
    DETAIL,
    EVERYWHERE,
    LISTS,
    LOG,
    MESSAGES,
    SECTIONS,
    SERVICES,
    TOPICS,
    WATCHLIST,
    KeyCommand,
)
from fintrends_tui.screens.charts import ChartsScreen
from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.screens.detail import DetailScreen
from fintrends_tui.screens.dialogs.add import AddScreen
from fintrends_tui.screens.dialogs.choose import ChooseScreen
from fintrends_tui.screens.dialogs.help import HelpScreen
from fintrends_tui.screens.dialogs.stopping import StoppingScreen
from fintrends_tui.screens.log import LogScreen
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.log_pane import LogPane
from fintrends_tui.widgets.search_bar import SearchBar
from pipeline.contract.protocol import (
    Add,
    AddAlert,
    GetHistory,
    GetLog,
    GetSeries,
    Load,
    Pause,
    Remove,
    Restart,
    Resume,
)
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import Dash, running


@pytest.fixture
def link() -> FakeLink:
    return FakeLink(samples.snapshot())


async def paste(dash: Dash, text: str) -> None:
    """As a terminal hands it over in brackets."""
    dash.app.post_message(Paste(text))
    await dash.repaint()


class TestPaste:
    """What `TestAdd` does not show: the other fields."""

    async def test_the_filter_shows_each_of_a_column(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("slash")
            await paste(dash, "MSF\nTSLA\n")
            await dash.press("enter")
            assert [row.key for row in dash.table("#watchlist").rows] == ["MSFT", "TSLA"]

    async def test_groups(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("m", "ctrl+u")
            await paste(dash, "tech\r\ncars; old\tnew")
            await dash.press("enter")
            assert {name for name, tickers in dash.app.groups.items() if dash.app.selected in tickers} == {
                "tech",
                "cars",
                "old",
                "new",
            }

    async def test_rules_one_a_line(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("A", "a", "ctrl+u")
            await paste(dash, "AAPL price > 1000\n\nrsi_14 < 3\n")
            await dash.press("enter")
            assert link.asked_for(AddAlert) == [AddAlert("AAPL price > 1000"), AddAlert("rsi_14 < 3")]

    async def test_a_rule_that_is_none_lets_none_of_them_through(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("A", "a", "ctrl+u")
            await paste(dash, "AAPL price > 1000\nprize < 3\n")
            await dash.press("enter")
            assert "'prize' is not a metric" in dash.text
            assert link.asked_for(AddAlert) == []

    async def test_the_search(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("l", "slash")
            await paste(dash, "two\nlines\x1b[31m\n")
            assert dash.app.screen.query_one(SearchBar).value == "two lines"


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

    @pytest.mark.parametrize(
        "text",
        [
            "MSFT\nTSLA\nBRK.B",
            "MSFT\r\nTSLA\r\nBRK.B\r\n",
            "\n\n  MSFT\t\nTSLA,\n\nBRK.B;\n",
            "MSFT\tTSLA\tBRK.B",
            "MSFT; TSLA, BRK.B",
            "\ufeffMSFT\u2028TSLA\u00a0BRK.B",
        ],
    )
    async def test_a_column_that_is_pasted_is_all_there(self, link: FakeLink, text: str) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("a")
            await paste(dash, text)
            await dash.press("enter")
            assert link.asked_for(Add) == [Add(["MSFT", "TSLA", "BRK.B"])]

    async def test_a_paste_replaces_what_is_selected(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("a", *"junk", "shift+home")
            await paste(dash, "MSFT\nTSLA")
            await dash.press("enter")
            assert link.asked_for(Add) == [Add(["MSFT", "TSLA"])]

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
            assert "Chart AAPL" in dash.text and "min from alpha_vantage · 1D" in dash.text
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

    async def test_n_and_p_go_through_the_watchlist_as_it_is_sorted(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("o", "O", "home", "enter")
            seen = [dash.app.selected]
            for key in ("n", "n", "p", "p", "p"):
                await dash.press(key)
                seen.append(dash.app.selected)
            assert seen == ["^GSPC", "TSLA", "MSFT", "TSLA", "^GSPC", "AAPL"]
            assert "Chart AAPL" in dash.text
            await dash.press("escape")
            assert dash.row("AAPL")[1] == "▌"

    @pytest.mark.parametrize("there", [True, False])
    async def test_o_opens_the_headline_where_there_is_a_browser_else_shows_and_copies_its_address(
        self, link: FakeLink, there: bool
    ) -> None:
        opened: list[str] = []

        def browse(address: str) -> bool:
            opened.append(address)
            return there

        async with running(link, browse=browse) as dash:
            await dash.press("enter", "tab", "j", "j", "o")
            assert opened == ["https://news.example/1"]
            assert ("No browser here" in dash.text and "https://news.example/1" in dash.text) is not there
            assert dash.app.clipboard == ("" if there else "https://news.example/1")

    async def test_what_is_no_web_address_is_not_opened(self) -> None:
        headline = replace(samples.detail().headlines[0], url="file:///etc/passwd")
        link = FakeLink(samples.snapshot(detail=replace(samples.detail(), headlines=[headline])))
        async with running(link) as dash:
            await dash.press("enter", "o")
            assert "Copied" not in dash.text
            assert "Benzinga gave no web address with it." in dash.text

    @pytest.mark.parametrize(("size", "large"), [((80, 24), False), ((100, 30), True)])
    async def test_the_price_is_in_large_digits_where_there_is_room(
        self, link: FakeLink, size: tuple[int, int], large: bool
    ) -> None:
        async with running(link, size) as dash:
            await dash.press("enter")
            assert ("╺┻╸" in dash.text) is large
            assert ("AAPL ▲ 2.50 +1.46%" in dash.text) is large
            assert ("AAPL 170.38 ▲ +1.46%" in dash.text) is not large

    async def test_the_words_of_others_are_no_markup(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            assert "[/not touching -0.5" in dash.text

    async def test_left_and_right_switch_how_long_the_bars_are(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            assert "Chart AAPL 15min" in dash.text
            await dash.press("right")
            assert "Chart AAPL 30min" in dash.text
            await dash.press("h", "left")
            assert "Chart AAPL 5min" in dash.text
            assert link.asked_for(GetHistory)[-1].longest == 300

    async def test_where_no_bars_are_longer_or_shorter_the_keys_say_so(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "8", *["right"] * 3)
            assert "Chart AAPL monthly" in dash.text
            assert "monthly bars are the longest bars there are." in dash.text
            await dash.press(*["left"] * 11)
            assert "Chart AAPL 1min" in dash.text
            assert "1min bars are the shortest bars stored of AAPL." in dash.text

    async def test_digits_show_ranges(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            for key, span, step, longest in (
                ("2", "5D", "120min", 300),
                ("3", "1M", "120min", 1800),
                ("4", "6M", "weekly", 86_400),
                ("6", "1Y", "weekly", 86_400),
                ("8", "MAX", "monthly", 86_400),
                ("1", "1D", "15min", 60),
            ):
                await dash.press(key)
                assert f"Chart AAPL {step} from alpha_vantage · {span} " in dash.text
                assert link.asked_for(GetHistory)[-1].longest == longest

    async def test_bars_outside_regular_hours_are_left_out(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "X")
            assert "Chart AAPL 15min" in dash.text and "regular hours" in dash.text
            assert link.asked_for(GetHistory)[-1].extended is False
            await dash.press("X")
            assert "regular hours" not in dash.text

    async def test_hours_that_the_source_does_not_know_are_not_claimed(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "X", *["n"] * 7)
            link.push(samples.snapshot(seq=2, detail=samples.detail("BTC-USD")))
            await dash.repaint()
            assert "Chart BTC-USD 30min" in dash.text
            assert "regular hours" not in dash.text
            await dash.press("X")
            assert "No bars of BTC-USD are of before the open" in dash.text
            assert dash.app.screen.query_one(Chart).look.extended is False, "as it was on the ticker before"

    async def test_candles_and_volume_are_switched(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            chart = dash.app.screen.query_one(Chart)
            assert (chart.look.style, chart.look.volume) == ("candles", True)
            await dash.press("c", "v")
            assert any("\u2801" <= mark <= "\u28ff" for mark in dash.text)
            assert (chart.look.style, chart.look.volume) == ("line", False)
            await dash.press("c", "v")
            assert chart.look == dash.app.chart_look

    async def test_studies_are_shown_with_a_legend_and_taken_off(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            for key, label, fields in (
                ("m", "SMA 20 ", ["sma_20", "sma_50"]),
                ("e", "EMA 26 ", ["ema_12", "ema_26"]),
                ("b", "BB upper ", ["bb_upper", "bb_middle", "bb_lower"]),
                ("w", "VWAP ", ["vwap"]),
                ("r", "RSI 14 ", ["rsi_14"]),
                ("M", "MACD ", ["macd", "macd_signal", "macd_hist"]),
            ):
                await dash.press(key)
                chart = dash.text.split("Indicators")[0]
                assert link.asked_for(GetHistory)[-1].indicators == fields
                assert label in chart and "of 1min bars" in chart
                await dash.press(key)
                assert label not in dash.text.split("Indicators")[0]

    async def test_the_sentiment_stands_below(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "s", "l")
            assert "· log" in dash.line("Chart AAPL")
            assert link.asked_for(GetSeries)[-1].name == "AAPL"
            assert "Sentiment   " in dash.text.split("Indicators")[0]

    async def test_plus_and_minus_halve_and_double_the_time(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            chart = dash.app.screen.query_one(Chart)
            whole = chart.plot.candles[-1].ts - chart.plot.candles[0].ts
            await dash.press("plus")
            half = chart.plot.candles[-1].ts - chart.plot.candles[0].ts
            assert half == pytest.approx(whole / 2, rel=0.1)
            await dash.press("minus")
            assert chart.plot.candles[-1].ts - chart.plot.candles[0].ts == pytest.approx(whole, rel=0.1)
            await dash.press(*["plus"] * 10)
            assert "shortest there are" in dash.text

    async def test_brackets_go_through_what_is_stored(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "plus", "right_square_bracket")
            assert link.asked_for(GetHistory)[-1].until is None
            chart = dash.app.screen.query_one(Chart)
            newest = chart.plot.candles
            await dash.press("left_square_bracket")
            older = chart.plot.candles
            assert older[-1].ts < newest[-1].ts
            assert older[-1].ts == pytest.approx(newest[len(newest) // 2].ts, abs=2 * chart.plot.step.seconds)
            await dash.press("right_square_bracket", "right_square_bracket")
            assert link.asked_for(GetHistory)[-1].until is None
            assert chart.plot.candles[-1].ts == pytest.approx(newest[-1].ts, abs=chart.plot.step.seconds)

    async def test_what_is_past_is_not_fetched_again_with_every_bar(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            await dash.press("left_square_bracket")  # once there is a chart to move
            asked = len(link.asked_for(GetHistory))
            link.push(samples.snapshot(seq=2, detail=replace(samples.detail(), chart_version=2)))
            await dash.repaint()
            assert len(link.asked_for(GetHistory)) == asked

    async def test_comma_and_full_stop_look_at_single_bars(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            assert "20 Nov 2026 00:00–15:00" in dash.text
            await dash.press("comma", "comma")
            assert dash.text.count("20 Nov 2026 14:45") == 2, "in the heading and on the axis"
            await dash.press("full_stop", "full_stop")
            assert "20 Nov 2026 00:00–15:00" in dash.text

    async def test_the_mouse_looks_at_single_bars(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter")
            await dash.pilot.hover(Chart, offset=(30, 5))
            heading = dash.text.splitlines()[dash.app.screen.query_one(Chart).content_region.y]
            assert re.search(r"20 Nov 2026 \d\d:\d\d ", heading + " ")
            await dash.pilot.hover("#indicator-table")
            assert "20 Nov 2026 00:00–15:00" in dash.text

    async def test_a_ticker_is_compared(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "C", "enter")
            assert "beside MSFT (r " in dash.line("Chart AAPL")
            assert "%" in dash.text.split("Indicators")[0]
            await dash.press("C", *["j"] * 9, "enter")
            assert "beside sentiment (r " in dash.line("Chart AAPL")
            await dash.press("C", *["j"] * 10, "enter")
            assert link.asked_for(GetSeries)[-1].name == "CPI"
            await dash.press("C", "enter")
            assert "beside" not in dash.line("Chart AAPL")

    async def test_f_shows_the_forecast_after_the_newest_bar_or_says_that_there_is_none(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "f")
            plot = dash.app.screen.query_one(Chart).plot
            assert plot is not None and [band.tone for band in plot.bands] == ["fan-wide", "fan-narrow"]
            assert min(ts for band in plot.bands for ts, _, _ in band.points) > plot.candles[-1].ts
            await dash.press("left_square_bracket")
            assert not dash.app.screen.query_one(Chart).plot.bands, "what is past needs none"
            await dash.press("f")
            link.push(samples.snapshot(seq=2, detail=replace(samples.detail(), forecasts=[])))
            await dash.press("f")
            assert "Nothing is forecast of AAPL yet" in " ".join(dash.text.split())

    async def test_f_says_where_a_forecast_is_shorter_than_a_candle(self) -> None:
        minutes = replace(samples.detail(), forecasts=[samples.forecast("1min", 170.0)])
        async with running(FakeLink(samples.snapshot(detail=minutes))) as dash:
            await dash.press("enter", "right", "right", "right", "f")
            plot = dash.app.screen.query_one(Chart).plot
            assert plot is not None and not plot.bands
            assert f"ends within the next candle of {plot.step.name}" in " ".join(dash.text.split())

    async def test_small_charts_are_of_the_selected_ticker_and_those_after_it(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("j", "c")
            assert isinstance(dash.app.screen, ChartsScreen)
            assert all(f"─ {name} 15min · 1D ─" in dash.text for name in ("AAPL", "MSFT", "^GSPC", "DOGE-USD"))
            await dash.press("8", "c")
            assert "AAPL monthly · MAX" in dash.text and "█" in dash.text
            dash.app.screen.remove_class("-tall")
            await dash.press("right")
            assert "JPM monthly" in dash.text and "AAPL monthly" not in dash.text
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_the_heat_map_shows_every_ticker(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("H")
            assert "Heat map" in dash.text
            assert all(row.ticker in dash.text for row in samples.snapshot().tickers)
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_the_look_is_kept_for_the_next_ticker(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("enter", "c", "m")
            await dash.press("escape", "j")
            link.push(samples.snapshot(seq=2, detail=samples.detail("MSFT")))
            await dash.press("enter")
            assert "Chart MSFT 5min from alpha_vantage" in dash.text
            assert "SMA 20" in dash.text.split("Indicators")[0]
            assert dash.app.screen.query_one(Chart).look.style == "line"

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
            region = dash.app.screen.query_one(Chart).content_region
            tag = dash.line("▸170.38")
            assert tag.index("▸170.38") + len("▸170.38") == region.right


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


SCREENS = {
    "c": "Small charts",
    "H": "Heat map",
    "t": "Topics",
    "T": "Consumer groups",
    "s": "Services",
    "l": "Log",
    "e": "Dead letters",
    "b": "Positions",
    "A": "Alerts",
    "enter": "Detail of a ticker",
    "z": "Dashboard",
}


def helped(dash: Dash) -> list[list[str]]:
    """Keys, sentence and name of each line of the help; what is broken over several lines is joined."""
    lines: list[list[str]] = []
    for row in dash.table("#help").rows:
        cells = ["".join(span.text for span in cell) for cell in row.cells]
        if len(cells) == 3 and not cells[0]:
            lines[-1][1] += f" {cells[1]}"
        else:
            lines.append(cells)
    return lines


class TestEverywhere:
    async def test_help_lists_every_key(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("question_mark")
            assert isinstance(dash.app.screen, HelpScreen)
            rows = helped(dash)
            for command in (*DASHBOARD, *WATCHLIST, *LISTS, *DETAIL, *TOPICS, *MESSAGES, *SERVICES, *LOG, *EVERYWHERE):
                assert [command.shown, command.help, command.name] in rows
            await dash.press("escape")
            assert isinstance(dash.app.screen, Dashboard)

    @pytest.mark.parametrize(("key", "section"), [*SCREENS.items()])
    async def test_help_begins_with_the_screen_it_was_asked_for_on(
        self, link: FakeLink, key: str, section: str
    ) -> None:
        async with running(link, SMALL) as dash:
            await dash.press(key, "question_mark")
            assert dash.table("#help").rows[0].key == section

    async def test_help_on_dead_letters_goes_on_with_what_else_its_list_can_do(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("e", "question_mark")
            titles = [row.key for row in dash.table("#help").rows if row.key in dict(SECTIONS)]
            assert titles[:3] == ["Dead letters", "Messages of a topic", "Dashboard"]
            assert len(titles) == len(set(titles)) == len(SECTIONS)

    async def test_no_sentence_of_the_help_is_cut(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("question_mark")
            table, seen = dash.table("#help"), ""
            for _ in range(40):
                seen += dash.text
                await dash.press("pagedown")
            assert table.scroll_offset.y == table.max_scroll_y > 0
            assert "…" not in seen
            assert all([c.shown, c.help, c.name] in helped(dash) for _, commands in SECTIONS for c in commands)

    async def test_the_footer_shows_every_key_on_a_large_terminal(self, link: FakeLink) -> None:
        async with running(link) as dash:
            for command in (*DASHBOARD, *EVERYWHERE):
                if command.name.startswith("replay"):
                    continue  # there while a recording is shown
                assert not command.label or f"{command.shown} {command.label} " in " ".join(dash.text.split("\n")[-2:])

    async def test_on_a_small_one_it_shows_the_first_and_how_to_see_the_rest(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            footer = dash.text.splitlines()[-1]
            assert footer.startswith("a Add x Remove ⏎ Detail / Filter v Views o Sort")
            assert footer.rstrip().endswith("? Help q Quit")

    async def test_a_click_on_a_hint_is_its_key(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.pilot.click("#keys", offset=(dash.text.splitlines()[-1].index("? Help"), 0))
            await dash.repaint()
            assert isinstance(dash.app.screen, HelpScreen)

    @pytest.mark.parametrize(
        ("keys", "commands"),
        [
            (["t"], TOPICS),
            (["T"], CONSUMERS),
            (["e"], (*MESSAGES, *DEAD_LETTERS)),
            (["s"], SERVICES),
            (["l"], LOG),
        ],
    )
    async def test_the_footer_of_the_other_screens_fits_a_small_terminal(
        self, link: FakeLink, keys: list[str], commands: tuple[KeyCommand, ...]
    ) -> None:
        async with running(link, SMALL) as dash:
            await dash.press(*keys)
            footer = dash.text.splitlines()[-1]
            for command in commands:
                assert not command.label or f"{command.shown} {command.label}" in footer

    async def test_the_palette_runs_commands_by_name(self, link: FakeLink) -> None:
        async with running(link) as dash:
            titles = {command.title for command in dash.app.get_system_commands(dash.app.screen)}
            assert {
                command.label or command.name.replace("-", " ").capitalize() for command in (*DASHBOARD, *EVERYWHERE)
            } <= titles
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
