"""The watchlist's keys, mouse and marks, in a running dashboard."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.screens.dialogs.add import AddScreen
from fintrends_tui.screens.dialogs.write import WriteScreen
from fintrends_tui.state.memory import ScreenMemory
from fintrends_tui.widgets.watchlist import WatchlistTable
from pipeline.config.settings import ScreenSettings, SettingsError
from pipeline.contract.protocol import Add
from pipeline.contract.snapshot import TickerView
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import Dash, running

GROUPS = ScreenSettings(groups={"tech": ["AAPL", "MSFT"], "cars": ["TSLA", "F"]})

KEYS = {"<": "less_than_sign", ">": "greater_than_sign", " ": "space"}


@pytest.fixture
def link() -> FakeLink:
    return FakeLink(samples.snapshot())


def shown(dash: Dash) -> list[str]:
    return [row.key for row in dash.table("#watchlist").rows]


class TestSorting:
    async def test_o_goes_through_the_columns_and_marks_the_one(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            own = shown(dash)
            await dash.press("o")
            assert shown(dash) == sorted(own)
            assert "Ticker▲" in dash.line("Price")
            await dash.press("o")
            assert shown(dash)[0] == "BTC-USD"
            assert "Price▼" in dash.line("Ticker")
            for _ in range(8):
                await dash.press("o")
            assert "Age▼" in dash.line("Ticker")
            await dash.press("o")
            assert shown(dash) == own
            assert not {"▲", "▼"} & set(dash.line("Ticker"))

    async def test_columns_without_room_are_passed_over(self, link: FakeLink) -> None:
        async with running(link, (60, 24)) as dash:
            for _ in range(4):
                await dash.press("o")
            assert "%▼" in dash.line("Ticker")
            await dash.press("o")
            assert "▼" in dash.line("Ticker")

    async def test_capital_o_reverses(self, link: FakeLink) -> None:
        async with running(link) as dash:
            own = shown(dash)
            await dash.press("O")
            assert shown(dash) == own[::-1]
            await dash.press("o", "O")
            assert "Ticker▼" in dash.text

    async def test_a_click_on_a_title_sorts_and_a_second_reverses(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            x = dash.line("Ticker").index("RSI")
            await dash.pilot.click("#watchlist", offset=(x, 1))
            await dash.repaint()
            assert "RS▼" in dash.line("Ticker")
            await dash.pilot.click("#watchlist", offset=(x, 1))
            await dash.repaint()
            assert "RS▲" in dash.line("Ticker")

    async def test_the_cursor_stays_with_its_ticker(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("j", "o", "o")
            assert dash.app.selected == "MSFT"

    async def test_the_cursor_stays_in_sight(self) -> None:
        tickers = [samples.ticker(f"T{n:02}", price=100.0 + n) for n in range(60)]
        async with running(FakeLink(samples.snapshot(tickers=tickers, detail=None)), SMALL) as dash:
            await dash.press("o", "o", "home")
            assert dash.app.selected == "T59"
            await dash.press("O")
            assert dash.app.selected == "T59"
            assert "T59" in dash.text

    async def test_what_is_added_is_selected_whatever_hid_it(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("slash", *"msft", "enter", "a", *"nvda", "enter")
            assert shown(dash) == ["MSFT"]
            link.push(samples.snapshot(seq=2, tickers=[*samples.snapshot().tickers, samples.ticker("NVDA")]))
            await dash.repaint()
            assert dash.app.selected == "NVDA"
            assert len(shown(dash)) == 10

    async def test_an_order_by_moving_values_rests_for_a_moment(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("o", "o")
            before = shown(dash)
            rising = [replace(t, price=1.0 + before.index(t.ticker)) for t in samples.snapshot().tickers]
            link.push(samples.snapshot(seq=2, tickers=rising))
            await dash.repaint()
            assert shown(dash) == before
            dash.now += 2
            await dash.repaint()
            assert shown(dash) == before[::-1]


class TestFilter:
    async def test_it_narrows_while_one_types_and_escape_shows_all(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("slash", *"us")
            assert shown(dash) == ["BTC-USD", "DOGE-USD"]
            assert "Watchlist 2 of 9 /US" in dash.text
            await dash.press(*"dx")
            assert "No ticker here contains USDX. Esc shows all." in " ".join(dash.text.replace("│", " ").split())
            await dash.press("escape")
            assert len(shown(dash)) == 9
            assert dash.app.focused is not None
            assert dash.app.focused.id == "watchlist"

    async def test_enter_keeps_it_and_escape_on_the_list_clears_it(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("slash", *"aa", "enter")
            assert isinstance(dash.app.screen, Dashboard)
            await dash.press("j")
            assert shown(dash) == ["AAPL"]
            await dash.press("slash")
            assert " AA " in dash.text  # to be changed
            await dash.press("enter", "escape")
            assert len(shown(dash)) == 9

    async def test_a_condition_filters_says_its_mistakes_and_is_kept_as_a_view(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("slash", *(KEYS.get(c, c) for c in "rsi<30 and sentiment>"))
            assert "a value to compare sentiment with is missing" in dash.text
            assert len(shown(dash)) == 9
            await dash.press("0", "enter")
            cheap = shown(dash)
            assert cheap == ["AAPL", "JPM"]
            await dash.press("v", "down", "enter", *"cheap", "enter")
            assert dash.app.memory.now.views["cheap"].filter == "rsi<30 and sentiment>0"
            await dash.press("escape")
            assert len(shown(dash)) == 9
            await dash.press("v")
            assert "cheap: rsi<30 and sentiment>0" in dash.text
            await dash.press("enter")
            assert shown(dash) == cheap
            await dash.press("v", "end", "enter", "enter")
            assert dash.app.memory.now.views == {}


def marked(dash: Dash) -> list[str]:
    """The columns that are chosen, while one chooses."""
    return [row.key for row in dash.table("#columns").rows if row.cells[0][0].text]


class TestColumns:
    async def test_they_are_chosen_ordered_and_remembered(self, tmp_path: Path) -> None:
        memory = ScreenMemory(tmp_path / "screen.json")
        link = FakeLink(samples.of_all_worths())
        async with running(link, SMALL, memory=memory) as dash:
            await dash.press("C", "space", "J", "J", "u", "j", *["x", "j"] * 9, "x")
            assert marked(dash) == ["Price"]
            await dash.press("end", *["k"] * 6, "space", *["K"] * 20)
            assert marked(dash) == ["State", "Price"]
            await dash.press("enter")
            assert dash.line("State").split()[1:5] == ["Ticker", "State", "Price", "│"]
            assert dash.row("AAPL").split()[1:3] == ["live", "170.38"]
            await dash.press("o", "o")
            assert "State▲" in dash.line("Ticker")
        async with running(link, SMALL, memory=ScreenMemory(tmp_path / "screen.json")) as dash:
            assert dash.line("State").split()[1:5] == ["Ticker▲", "State▲", "Price", "│"]
            await dash.press("C", "u", "enter")
            assert dash.app.memory.now.columns == []
            assert "Volume" in dash.text


class TestNotes:
    async def test_a_note_is_kept_shown_and_marked(self, link: FakeLink, tmp_path: Path) -> None:
        path = tmp_path / "screen.json"
        async with running(link, SMALL, memory=ScreenMemory(path)) as dash:
            await dash.press("N", *"sell", "space", *"it", "enter")
            assert "AAPL*" in dash.row("AAPL")
            await dash.press("enter")
            assert "* sell it" in dash.text
            await dash.press("N", "ctrl+u", "enter", "escape")
            assert "AAPL*" not in dash.text
            await dash.press("N", *["x"] * 281, "enter")
            assert "281 characters long" in dash.text
        assert path.stat().st_mode & 0o777 == 0o600
        assert ScreenMemory(path).now.notes == {}


class TestGroups:
    async def test_tab_cycles_them_on_the_watchlist_and_the_strip_marks_the_one(self, link: FakeLink) -> None:
        async with running(link, SMALL, settings=GROUPS) as dash:
            assert "all  tech  cars" in dash.text
            await dash.press("tab")
            assert shown(dash) == ["AAPL", "MSFT"]
            await dash.press("tab")
            assert shown(dash) == ["TSLA"]
            await dash.press("tab")
            assert len(shown(dash)) == 9
            await dash.press("shift+tab")
            assert shown(dash) == ["TSLA"]

    async def test_arrows_still_move_between_panels_and_tab_does_outside_the_watchlist(self, link: FakeLink) -> None:
        async with running(link, SMALL, settings=GROUPS) as dash:
            seen = []
            for key in ("right", "tab", "left", "shift+tab"):
                await dash.press(key)
                assert dash.app.focused is not None
                seen.append(dash.app.focused.id)
            assert seen == ["chart", "indicators", "chart", "watchlist"]
            assert len(shown(dash)) == 9

    async def test_a_click_chooses_one(self, link: FakeLink) -> None:
        async with running(link, SMALL, settings=GROUPS) as dash:
            await dash.pilot.click("#groups", offset=(dash.line("cars").index("cars"), 0))
            await dash.repaint()
            assert shown(dash) == ["TSLA"]

    async def test_a_group_of_which_nothing_is_watched_says_so(self, link: FakeLink) -> None:
        async with running(link, settings=ScreenSettings(groups={"rail": ["UNP", "CSX"]})) as dash:
            await dash.press("tab")
            assert "No ticker of the group rail is watched (UNP, CSX)" in " ".join(dash.text.split())

    async def test_they_can_be_made_and_unmade_on_the_screen(self, link: FakeLink) -> None:
        async with running(link, settings=GROUPS) as dash:
            await dash.press("m", *"mine tech")
            await dash.press("enter")
            assert "tech is defined in the settings" in dash.text
            await dash.press(*["backspace"] * 5, "enter")
            await dash.press("j", "m", *"mine", "enter")
            assert "all  tech  cars  mine" in dash.text
            assert dash.app.memory.now.groups == {"mine": ["AAPL", "MSFT"]}
            await dash.press("m", *["backspace"] * 4, "enter")
            assert dash.app.memory.now.groups == {"mine": ["AAPL"]}
            await dash.press("k", "m", *["backspace"] * 4, "enter")
            assert "mine" not in dash.text


class TestMemory:
    async def test_theme_order_and_group_come_back(self, link: FakeLink, tmp_path: Path) -> None:
        path = tmp_path / "screen.json"
        async with running(link, settings=GROUPS, memory=ScreenMemory(path)) as dash:
            await dash.press("o", "O", "tab")
            dash.app.theme = "fintrends-colour-blind"
            await dash.repaint()
        async with running(FakeLink(samples.snapshot()), settings=GROUPS, memory=ScreenMemory(path)) as dash:
            assert shown(dash) == ["MSFT", "AAPL"]
            assert dash.app.theme == "fintrends-colour-blind"

    async def test_a_damaged_file_is_told_and_the_settings_theme_goes_first(
        self, link: FakeLink, tmp_path: Path
    ) -> None:
        path = tmp_path / "screen.json"
        path.write_text("{")
        async with running(link, memory=ScreenMemory(path)) as dash:
            assert "cannot be read and is ignored" in " ".join(dash.text.split())
        ScreenMemory(path).keep(theme="nord")
        async with running(link, settings=ScreenSettings(theme="gruvbox"), memory=ScreenMemory(path)) as dash:
            assert dash.app.theme == "gruvbox"

    async def test_an_unknown_theme_is_an_error_that_names_those_there_are(self, link: FakeLink) -> None:
        with pytest.raises(SettingsError, match=r"screen\.theme.*fintrends-dark"):
            async with running(link, settings=ScreenSettings(theme="neon")):
                pass


class TestMarks:
    async def test_a_price_that_changes_is_marked_for_a_moment(self, link: FakeLink) -> None:
        async with running(link) as dash:
            link.push(samples.snapshot(seq=2, tickers=[samples.ticker("AAPL", price=171.0), samples.ticker("MSFT")]))
            await dash.repaint()
            assert "171.00↑" in dash.row("AAPL")
            assert "108.22 " in dash.row("MSFT")
            link.push(samples.snapshot(seq=3, tickers=[samples.ticker("AAPL", price=170.0), samples.ticker("MSFT")]))
            await dash.repaint()
            assert "170.00↓" in dash.row("AAPL")
            dash.now += 2
            await dash.repaint()
            assert "170.00 " in dash.row("AAPL")

    async def test_it_can_be_turned_off(self, link: FakeLink) -> None:
        async with running(link, settings=ScreenSettings(flash=False)) as dash:
            link.push(samples.snapshot(seq=2, tickers=[samples.ticker("AAPL", price=171.0)]))
            await dash.repaint()
            assert "171.00 " in dash.row("AAPL")

    @pytest.mark.parametrize(("stale_after", "marked"), [(300.0, True), (900.0, False), (0.0, False)])
    async def test_what_was_not_heard_of_for_long_is_stale(self, stale_after: float, marked: bool) -> None:
        old = samples.ticker("AAPL", updated_at=samples.NOW - 601)
        new = samples.ticker("MSFT", updated_at=samples.NOW - 2)
        link = FakeLink(samples.snapshot(tickers=[old, new]))
        async with running(link, settings=ScreenSettings(stale_after=stale_after)) as dash:
            assert ("!10m" in dash.row("AAPL")) is marked
            assert "!" not in dash.row("MSFT")
            tones = {span.tone for cell in dash.table("#watchlist").rows[0].cells[1:-1] for span in cell}
            assert (tones == {"dim"}) is marked


class TestRoom:
    async def test_the_watchlist_takes_what_it_needs_of_a_small_terminal(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            assert all(dash.row(name) for name in shown(dash))  # all nine
            link.push(samples.snapshot(seq=2, tickers=[samples.ticker("AAPL")]))
            await dash.repaint()
            assert dash.table("#watchlist").outer_size.height == 6

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    async def test_z_gives_the_focused_panel_all_of_it(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            for keys, only in (((), "watchlist"), (("right",), "chart"), (("right",), "indicators")):
                await dash.press(*keys, "z")
                assert [p.id for p in dash.app.screen.query(".panel") if p.region.height] == [only]
                assert (
                    dash.app.screen.query_one(f"#{only}").region.height >= size[1] - 7
                )  # header, health, trouble, indices, keys
                await dash.press("z")
                assert len([p for p in dash.app.screen.query(".panel") if p.region.height]) > 1

    async def test_moving_on_while_zoomed_shows_the_next_panel(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("z", "right")
            assert [p.id for p in dash.app.screen.query(".panel") if p.region.height] == ["chart"]
            await dash.press("left")
            assert [p.id for p in dash.app.screen.query(".panel") if p.region.height] == ["watchlist"]


class TestTakingAway:
    async def test_y_copies_the_line(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("j", "y")
            assert dash.app.clipboard.startswith("MSFT 108.22 ")
            assert "Copied" in dash.text

    async def test_w_writes_what_is_shown_and_asks_before_it_overwrites(
        self, link: FakeLink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        taken = tmp_path / "list.json"
        taken.write_text("mine")
        async with running(link, settings=GROUPS) as dash:
            await dash.press("tab", "w")
            assert "Write the 2 tickers shown" in dash.text
            await dash.press("ctrl+u", *"list.json", "enter")
            assert "list.json exists. Press Enter again to overwrite it." in dash.text
            assert taken.read_text() == "mine"
            await dash.press("backspace", "enter")
            assert "must end with .csv or .json" in dash.text
            await dash.press("n", "enter")
            assert taken.read_text() == "mine"
            assert isinstance(dash.app.screen, WriteScreen)
            await dash.press("enter")
            assert [item["ticker"] for item in json.loads(taken.read_text())] == ["AAPL", "MSFT"]
            assert "Written:" in dash.text

    async def test_nothing_is_copied_from_an_empty_list(self) -> None:
        async with running(FakeLink(samples.snapshot(tickers=[], detail=None))) as dash:
            await dash.press("escape", "y", "m")
            assert dash.app.clipboard == ""
            assert isinstance(dash.app.screen, Dashboard)


class TestFirstMinutes:
    async def test_an_empty_watchlist_greets_and_asks_once(self) -> None:
        link = FakeLink(samples.snapshot(tickers=[], detail=None))
        async with running(link, SMALL) as dash:
            assert "Welcome to fintrends" in dash.text
            await dash.press(*"aapl", "enter")
            assert link.asked_for(Add) == [Add(["AAPL"])]
            link.push(samples.snapshot(seq=2, tickers=[], detail=None))
            await dash.repaint()
            assert isinstance(dash.app.screen, Dashboard)

    async def test_a_watchlist_that_is_remembered_is_simply_shown(self, link: FakeLink) -> None:
        async with running(link) as dash:
            link.push(samples.snapshot(seq=2, tickers=[], detail=None))
            await dash.repaint()
            assert isinstance(dash.app.screen, Dashboard)

    async def test_empty_panels_say_when_the_producers_are_paused(self) -> None:
        paused = samples.snapshot(topics=[], topics_total=0, pipeline=samples.pipeline(paused=True))
        async with running(FakeLink(paused)) as dash:
            await dash.press("P")
            assert "The producers are paused (p)." in " ".join(dash.text.split())


class TestKeys:
    async def test_a_burst_reaches_the_dialog_it_opens_and_goes_on_after_it(self, link: FakeLink) -> None:
        async with running(link, SMALL) as dash:
            for key in (*"anvda", "enter", "j", "j", "a", *"xd", "enter"):
                dash.app.simulate_key(key)
            async with asyncio.timeout(30):
                while len(link.asked_for(Add)) < 2:
                    await dash.repaint()
            assert link.asked_for(Add) == [Add(["NVDA"]), Add(["XD"])]
            assert dash.app.selected == "TSLA"

    async def test_keys_can_be_changed(self, link: FakeLink) -> None:
        async with running(link, keymap={"add": "n", "remove": "a"}) as dash:
            await dash.press("n")
            assert isinstance(dash.app.screen, AddScreen)
            await dash.press("escape", "a")
            assert "Remove AAPL from the watchlist?" in dash.text
            await dash.press("escape")
            assert "n Add " in dash.text and "a Remove " in dash.text
            await dash.press("question_mark")
            rows = [["".join(span.text for span in cell) for cell in row.cells] for row in dash.table("#help").rows]
            assert ["n", "Add tickers to the watchlist, by ticker or by name", "add"] in rows


class TestManyTickers:
    @pytest.mark.parametrize("size", [SMALL, LARGE])
    async def test_what_changes_nothing_lays_nothing_out(
        self, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
    ) -> None:
        link = FakeLink(samples.snapshot(), log_lines=0)
        async with running(link, size) as dash:
            await dash.repaint()
            laid_out: list[bool] = []
            refresh_layout = Dashboard._refresh_layout

            def counted(screen: Dashboard, *arguments: Any, **options: Any) -> None:
                laid_out.append(True)
                refresh_layout(screen, *arguments, **options)

            monkeypatch.setattr(Dashboard, "_refresh_layout", counted)
            tickers = samples.snapshot().tickers
            link.push(samples.snapshot(seq=2, tickers=[replace(tickers[0], price=171.0), *tickers[1:]]))
            await dash.repaint()
            assert laid_out == []

    async def test_a_change_out_of_sight_draws_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tickers = [TickerView(ticker=f"T{n}", price=1.0, updated_at=samples.NOW) for n in range(200)]
        link = FakeLink(samples.snapshot(tickers=tickers, detail=None))
        async with running(link, SMALL) as dash:
            drawn: list[int] = []
            monkeypatch.setattr(WatchlistTable, "render_line", lambda table, y: drawn.append(y))
            link.push(samples.snapshot(seq=2, tickers=[*tickers[:-1], replace(tickers[-1], price=2.0)], detail=None))
            await dash.repaint()
            assert drawn == []
