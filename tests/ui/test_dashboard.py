import asyncio
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from textual.geometry import Size
from textual.widgets import Tabs

from fintrends_tui.charting.composing import ChartData
from fintrends_tui.charting.look import Look
from fintrends_tui.link.port import LinkStatus
from fintrends_tui.screens.charts import ChartsScreen
from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.state.memory import ScreenMemory
from fintrends_tui.status import describe
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.table.live_table import Table
from fintrends_tui.widgets.table.watch_cells import CHANGE, PRICE
from fintrends_tui.widgets.watchlist import WatchlistTable
from pipeline.analytics.sentiment import SentimentScorer
from pipeline.contract.protocol import Add, BarPoint, Focus, GetHistory, GetLog, History
from pipeline.contract.snapshot import GroupView, HeadlineView, MemberView, TickerView
from pipeline.model.messages import Post
from tests.ui import samples
from tests.ui.fake_link import CONNECTED, FakeLink
from tests.ui.gallery import LARGE, SMALL, panel
from tests.ui.running import Dash, running

PANELS = ("Watchlist", "Chart AAPL", "Indicators AAPL", "Sentiment AAPL", "Topics", "Store", "Services", "Log")


def pipeline_first() -> ScreenMemory:
    """What a screen remembers on which `P` was pressed."""
    memory = ScreenMemory()
    memory.keep(layout="pipeline")
    return memory


class TestLayout:
    @pytest.mark.parametrize("size", [LARGE, (200, 60)])
    async def test_the_market_comes_first_with_the_pipeline_in_a_row(self, size: tuple[int, int]) -> None:
        full = samples.snapshot().tickers
        many = [*full, *(samples.ticker(f"T{number}", number) for number in range(size[1] - 30 - len(full)))]
        link = FakeLink(samples.snapshot(tickers=many), log_lines=0)
        async with running(link, size) as dash:
            at = {panel.id: panel.region for panel in dash.app.screen.query(".panel") if panel.region.height}
            assert set(at) == {"watchlist", "chart", "indicators", "headlines", "topics", "services", "writes"}
            assert at["watchlist"].height == at["chart"].height >= 0.55 * size[1]
            assert at["indicators"].y == at["headlines"].y == at["chart"].bottom
            assert at["topics"].y == at["services"].y == at["writes"].y == at["headlines"].bottom
            lags = [row.key for row in dash.table("#topics").rows]
            assert lags == ["stock_data_tsla", "stock_data_brk_2eb", "stock_data_msft"]
            assert "lag 1,246" in dash.text
            assert "reddit answered 429" in dash.text and "7 of 8 well" in dash.text
            assert "stock_data" in dash.line("indicators ") and "p99 ms" not in dash.text
            well = [replace(s, state="running", error=None, failing_since=None) for s in samples.snapshot().services]
            link.push(samples.snapshot(seq=2, services=well, topics=samples.topics()[-3:]))
            await dash.repaint()
            assert "All 8 services are well." in dash.text

    @pytest.mark.parametrize("size", [LARGE, (200, 60)])
    @pytest.mark.parametrize("count", [1, 3, 9])
    async def test_a_short_watchlist_leaves_its_room_to_news_and_chart(self, size: tuple[int, int], count: int) -> None:
        link = FakeLink(samples.snapshot(tickers=samples.snapshot().tickers[:count]), log_lines=0)
        async with running(link, size) as dash:
            at = {panel.id: panel.region for panel in dash.app.screen.query(".panel") if panel.region.height}
            watch = at["watchlist"]
            assert watch.height == max(count + 3, 6)
            assert watch.bottom == at["indicators"].y and at["indicators"].bottom == at["headlines"].y
            assert watch.width == at["indicators"].width == at["headlines"].width == at["chart"].x
            assert at["chart"].y == watch.y and at["chart"].bottom == at["headlines"].bottom == at["topics"].y
            assert at["chart"].height > 0.6 * size[1] and at["headlines"].height >= 6
            assert dash.table("#indicators").max_scroll_y == 0
            await dash.press("slash", *"nothing")
            assert dash.app.screen.query_one("#watchlist").region.height == watch.height

    async def test_log_and_loads_share_the_row_below(self) -> None:
        link = FakeLink(samples.snapshot(loads=samples.loads()))
        async with running(link, (140, 45)) as dash:
            log, loads = (dash.app.screen.query_one(panel).region for panel in ("#log", "#loads"))
            assert (log.y, log.height, log.right) == (loads.y, loads.height, loads.x)
            assert dash.app.screen.query_one("#headlines").region.height >= 6

    async def test_log_and_loads_come_up_while_they_have_something_to_say(self) -> None:
        link = FakeLink(samples.snapshot(), log_lines=0)
        async with running(link) as dash:
            log = dash.app.screen.query_one("#log")
            assert not log.region.height
            link.add_log_lines(24)  # warnings among them
            link.push(samples.snapshot(seq=2, pipeline=samples.pipeline(log_seq=24), loads=samples.loads()))
            await dash.repaint()
            await dash.repaint()
            assert log.region.height and dash.app.screen.query_one("#loads").region.height
            assert "cannot reach mongodb" in dash.text
            dash.now += 120
            link.push(samples.snapshot(seq=3, pipeline=samples.pipeline(log_seq=24)))
            await dash.repaint()
            assert not log.region.height and not dash.app.screen.query_one("#loads").region.height

    @pytest.mark.parametrize("way", [(), ("c",)])
    async def test_a_paint_that_was_put_off_until_the_screen_has_gone_does_nothing(self, way: tuple[str, ...]) -> None:
        async with running(FakeLink(samples.snapshot())) as dash:
            await dash.press(*way)
            screen = dash.app.screen
            assert isinstance(screen, Dashboard | ChartsScreen)
            await screen.remove_children()
            screen._update_now()

    async def test_p_turns_to_the_pipeline_and_is_remembered(self) -> None:
        memory = ScreenMemory()
        async with running(FakeLink(samples.snapshot()), memory=memory) as dash:
            await dash.press("P")
            assert "p99 ms" in dash.text and "Lag by group" in dash.text
            assert memory.now.layout == "pipeline"
            await dash.press("P")
            assert "p99 ms" not in dash.text
        async with running(FakeLink(samples.snapshot()), SMALL, memory=memory) as dash:
            await dash.press("P")
            assert "Lag by group" in dash.text

    async def test_a_large_terminal_shows_every_panel(self) -> None:
        async with running(FakeLink(samples.snapshot()), LARGE, memory=pipeline_first()) as dash:
            for panel in PANELS:
                assert f"{panel} " in dash.text
            assert "170.38" in dash.row("AAPL")
            assert "Topics 12 of 47" in dash.text
            assert "indicator 0  sink 1" in dash.text
            assert "p99 ms" in dash.text
            assert "retry in 12s" in dash.text
            assert "reddit answered 429" in dash.text

    async def test_a_small_terminal_shows_the_watchlist_and_one_panel(self) -> None:
        async with running(FakeLink(samples.snapshot()), SMALL) as dash:
            shown = [panel.id for panel in dash.app.screen.query(".panel") if panel.region.height]
            assert shown == ["watchlist", "chart"]
            assert all(len(line) <= 80 for line in dash.text.splitlines())
            for tab in ("Indicators", "Sentiment", "Topics", "Store", "Services", "Log"):
                assert tab in dash.line("Chart")

    async def test_resizing_changes_the_layout_at_once(self) -> None:
        async with running(FakeLink(samples.snapshot()), SMALL, memory=pipeline_first()) as dash:
            assert "p99 ms" not in dash.text
            await dash.pilot.resize_terminal(*LARGE)
            await dash.repaint()
            assert "p99 ms" in dash.text
            await dash.pilot.resize_terminal(*SMALL)
            await dash.repaint()
            assert "p99 ms" not in dash.text

    async def test_a_panel_that_comes_to_the_front_while_it_starts_stays_there(self) -> None:
        async with running(FakeLink(samples.snapshot(loads=samples.loads())), SMALL) as dash:
            panels = [panel.id for panel in dash.app.screen.query(".panel.-active")]
            assert panels == ["loads"]
            assert dash.app.screen.query_one(Tabs).active == "tab-loads"

    async def test_tab_goes_round_all_panels(self) -> None:
        async with running(FakeLink(samples.snapshot()), SMALL) as dash:
            seen = []
            for _ in range(8):
                assert dash.app.focused is not None
                seen.append(dash.app.focused.id)
                await dash.press("tab")
            assert seen == ["watchlist", "chart", "indicators", "headlines", "topics", "services", "writes", "log"]
            assert dash.app.focused is not None
            assert dash.app.focused.id == "watchlist"
            await dash.press("shift+tab")
            assert dash.app.focused.id == "log"

    async def test_the_mouse_chooses_a_row_and_a_tab(self) -> None:
        async with running(FakeLink(samples.snapshot()), SMALL) as dash:
            await dash.pilot.click("#watchlist", offset=(5, 3))
            await dash.repaint()
            assert dash.app.selected == "MSFT"
            await dash.pilot.click("#tab-topics")
            await dash.repaint()
            assert "Lag by group" in dash.text


class TestHeader:
    async def test_it_says_what_it_is_connected_to(self) -> None:
        async with running(FakeLink(samples.snapshot())) as dash:
            assert "source alpha_vantage  bus kafka localhost:9092  store mongodb localhost:27017" in dash.text
            assert "15:04:05 UTC" in dash.text
            assert "● running" in dash.text
            assert "SIMULATED" not in dash.text

    @pytest.mark.parametrize(
        ("pipeline", "shown"),
        [
            (samples.pipeline(simulated=True), "SIMULATED"),
            (samples.pipeline(paused=True), "producers paused"),
            (samples.pipeline(idle=True), "idle: all caught up"),
            (samples.pipeline(state="stopping"), "stopping"),
            (samples.pipeline(dead_letters=3), "3 dead letters"),
        ],
    )
    async def test_it_says_how_the_pipeline_is(self, pipeline: object, shown: str) -> None:
        async with running(FakeLink(samples.snapshot(pipeline=pipeline)), SMALL) as dash:
            assert shown in dash.line("fintrends")

    async def test_a_preview_says_at_every_width_that_it_ends_by_itself(self) -> None:
        pipeline = samples.pipeline(simulated=True, preview="yahoo: the host name cannot be looked up")
        for size in (SMALL, LARGE):
            async with running(FakeLink(samples.snapshot(pipeline=pipeline)), size) as dash:
                line = dash.line("fintrends")
                assert "SIMULATED" in line
                assert "no provider answers; goes live by itself once one does" in line
        assert "yahoo: the host name cannot be looked up" in line


class TestBudget:
    @pytest.mark.parametrize("size", [SMALL, LARGE])
    async def test_the_header_shows_what_is_used_and_what_comes_next(self, size: tuple[int, int]) -> None:
        pipeline = samples.pipeline(bus="embedded", store="embedded")
        async with running(FakeLink(samples.snapshot(pipeline=pipeline, budgets=[samples.budget()])), size) as dash:
            assert "AV 7/25" in dash.text and ("next 15:14 MSFT news" in dash.text) == (size == LARGE)
            assert all(len(line) <= size[0] for line in dash.text.splitlines())

    async def test_a_spent_budget_says_until_when(self) -> None:
        spent = samples.budget(used=25, left=0, next_at=None, next_what="", note="goes on at 00:00 EST")
        async with running(FakeLink(samples.snapshot(budgets=[spent]))) as dash:
            assert "AV 25/25 goes on at 00:00 EST" in dash.line("source")

    async def test_a_ticker_without_data_says_why_on_its_line(self) -> None:
        unknown = TickerView(ticker="APPL", note="unknown to [b]Alpha\x1b[31m Vantage")
        async with running(FakeLink(samples.snapshot(tickers=[samples.ticker("AAPL"), unknown])), SMALL) as dash:
            assert "unknown to [b]Alpha Vantage" in dash.row("APPL")
            await dash.press("j")
            assert "170.38" in dash.row("AAPL")

    def test_status_tells_it_in_words(self) -> None:
        text = describe(samples.snapshot(budgets=[samples.budget()]))
        assert "Alpha Vantage: 7 of 25 requests used today; next " in text
        assert " MSFT news; not in the plan: bulk" in text


class TestConnection:
    async def test_before_the_first_snapshot_every_panel_says_what_it_waits_for(self) -> None:
        starting = LinkStatus("starting", "starting the pipeline (pid 4711)…")
        async with running(FakeLink(None, starting)) as dash:
            assert dash.text.count(starting.note) >= 8

    async def test_the_tickers_asked_for_are_there_from_the_first_paint(self) -> None:
        async with running(FakeLink(None, LinkStatus("starting", "…")), tickers=("NVDA",)) as dash:
            assert "–" in dash.row("NVDA")

    async def test_missing_tickers_are_added_once(self) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link, tickers=("AAPL", "NVDA")) as dash:
            assert link.asked_for(Add) == [Add(["NVDA"])]
            link.push(samples.snapshot(seq=2))
            await dash.repaint()
            assert len(link.asked_for(Add)) == 1

    async def test_a_failed_start_is_said_in_words(self) -> None:
        failed = LinkStatus("failed", "pipeline exited with status 2: kafka cannot be reached")
        async with running(FakeLink(None, failed), SMALL) as dash:
            assert "pipeline exited with status 2" in dash.line("fintrends")

    async def test_a_lost_connection_is_said_and_the_last_state_stays(self) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            link.status(LinkStatus("lost", "connection lost, trying again"))
            await dash.repaint()
            assert "connection lost, trying again (shown: 15:04:05 UTC)" in dash.line("fintrends")
            assert "170.38" in dash.row("AAPL")

    async def test_a_new_connection_learns_what_is_selected(self) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            assert link.asked_for(Focus) == [Focus("AAPL")]
            link.status(LinkStatus("lost", "connection lost"))
            link.status(CONNECTED)
            await dash.repaint()
            assert link.asked_for(Focus) == [Focus("AAPL"), Focus("AAPL")]

    async def test_empty_panels_say_what_will_fill_them(self) -> None:
        empty = samples.snapshot(
            tickers=[TickerView(ticker="AAPL")], services=[], topics=[], topics_total=0, collections=[],
            detail=replace(samples.detail(), indicators=[], headlines=[]),
        )  # fmt: skip
        async with running(FakeLink(empty)) as dash:
            for sentence in (
                "No headlines of AAPL yet",
                "No indicators of AAPL yet",
                "No topics yet",
                "Nothing written",
            ):
                assert sentence in dash.text

    async def test_an_empty_watchlist_says_how_to_fill_it(self) -> None:
        async with running(FakeLink(samples.snapshot(tickers=[], detail=None))) as dash:
            assert "The watchlist is empty. Press a to add tickers" in dash.text


class TestWatchlist:
    @pytest.mark.parametrize(
        ("keys", "ticker"), [(["j"], "MSFT"), (["down", "down", "k"], "MSFT"), (["G"], "DOGE-USD")]
    )
    async def test_keys_move_the_selection(self, keys: list[str], ticker: str) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            await dash.press(*keys)
            assert dash.app.selected == ticker
            assert link.asked_for(Focus)[-1] == Focus(ticker)
            assert "▌" in dash.row(ticker)

    async def test_the_selection_stays_with_its_ticker(self) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            await dash.press("j")
            link.push(samples.snapshot(seq=2, tickers=[samples.ticker(t) for t in ("V", "AAPL", "TSLA", "MSFT")]))
            await dash.repaint()
            assert dash.app.selected == "MSFT"
            link.push(samples.snapshot(seq=3, tickers=[samples.ticker("V")]))
            await dash.repaint()
            assert dash.app.selected == "V"

    async def test_what_is_unknown_is_a_dash(self) -> None:
        async with running(FakeLink(samples.snapshot(tickers=[TickerView(ticker="NVDA")], detail=None))) as dash:
            (row,) = dash.app.screen.query_one(WatchlistTable).rows
            assert ["".join(span.text for span in cell).strip() for cell in row.cells] == [
                "NVDA", "–", "–", "–", "–", "–", "", "–", "–", "–", "", "–"
            ]  # fmt: skip

    async def test_direction_needs_no_colour(self) -> None:
        falling = samples.ticker("MSFT", change=-1.5, change_percent=-1.37)
        async with running(FakeLink(samples.snapshot(tickers=[falling]))) as dash:
            assert "▼ 1.50" in dash.row("MSFT")
            assert "-1.37%" in dash.row("MSFT")

    async def test_a_simulated_ticker_is_marked(self) -> None:
        simulated = samples.ticker("MSFT", simulated=True)
        async with running(FakeLink(samples.snapshot(tickers=[simulated]))) as dash:
            assert "MSFT~" in dash.text
            assert "~ simulated" in dash.text

    @pytest.mark.parametrize(
        ("price", "change", "shown"),
        [
            (0.00001324, 0.00000008, ["0.00001324", "▲ 0.0₇8"]),
            (0.00001324, -0.0000031, ["0.00001324", "▼ 0.0₅31"]),
            (768_655.99, -1_234.5, ["768,655.99", "▼ 1,234.50"]),
            (15_234_567.89, 120_000.0, ["15234567.9", "▲ 120000.0"]),
            (-37.63, -55.9, ["-37.63", "▼ 55.90"]),
            (0.12345, 0.00004, ["0.12345", "▲ 0.00004"]),
        ],
    )
    async def test_prices_and_changes_of_any_size_fit_their_columns(
        self, price: float, change: float, shown: list[str]
    ) -> None:
        ticker = samples.ticker("X", price=price, change=change)
        async with running(FakeLink(samples.snapshot(tickers=[ticker], detail=None))) as dash:
            (row,) = dash.app.screen.query_one(WatchlistTable).rows
            cells = ["".join(span.text for span in cell) for cell in row.cells]
            assert [cell.strip() for cell in cells[1:3]] == shown
            assert all(len(cell) <= width for cell, width in zip(cells[1:3], (PRICE, CHANGE), strict=True))


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Australia/Sydney", "2019-10-18"), ("Asia/Tokyo", "2024-05-07"), ("America/New_York", "2019-02-15")],
)
async def test_a_daily_bar_is_of_the_exchanges_day_on_every_screen(zone: str, day: str) -> None:
    """In the panel of indicators, their table, on the axis of the chart and in its title."""
    ts = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).timestamp()
    detail = samples.snapshot().detail
    assert detail is not None
    rows = [replace(row, ts=ts, closed=True) for row in detail.indicators if row.interval == "daily"]
    link = FakeLink(samples.snapshot(detail=replace(detail, zone=zone, indicators=rows)))
    bars = [BarPoint(ts - 86_400 * ago, 1, 3, 1, 2, 5) for ago in (2, 1, 0)]
    async with running(link, LARGE) as dash:
        assert f"daily {day} ─" in dash.text
        await dash.press("enter")
        assert day in dash.line("Bar (UTC)")
        chart = dash.app.screen.query_one(Chart)
        chart._data = ChartData(History("AAPL", "daily", ["daily"], bars, zone=zone))
        chart.look = Look(style="candles", window=(None, ts + 1))
        at = datetime.fromisoformat(day)
        assert f"{at.day} {at:%b %Y}" in dash.text


class TestWhoDoesWhat:
    async def test_each_service_says_what_this_process_holds(self) -> None:
        async with running(FakeLink(samples.snapshot()), SMALL) as dash:
            await panel("services")(dash.pilot)
            await dash.press("z")
            assert "AAPL MSFT" in _service(dash, "market")
            assert "standby" in _service(dash, "economic")
            assert "10 of 17 partitions" in _service(dash, "sink")
            assert "3 of 3" not in _service(dash, "indicators"), "nothing to say where nobody shares"

    async def test_who_holds_nothing_is_standby(self) -> None:
        here = MemberView(client="fintrends-a-1", host="10.0.0.5", here=True)
        other = MemberView(client="fintrends-b-2", host="10.0.0.7", here=False, tickers=["AAPL"], partitions=1)
        groups = [GroupView(group="producer", members=[here, other])]
        async with running(FakeLink(samples.snapshot(groups=groups)), LARGE) as dash:
            await dash.press("P")
            assert "standby" in _service(dash, "market")

    async def test_what_was_deleted_before_it_was_read_is_said(self) -> None:
        snapshot = samples.snapshot(services=[replace(samples.snapshot().services[6], skipped=1234)])
        said = "1,234 records were deleted before it could read them"
        assert said in describe(snapshot)
        async with running(FakeLink(snapshot), LARGE) as dash:
            await dash.press("P")
            assert said[:40] in dash.text


def _service(dash: Dash, name: str) -> str:
    """The service's line on its panel."""
    return next(line for line in dash.text.splitlines() if re.search(rf"{name} +[●✓]", line))


class TestHostileText:
    async def test_markup_stays_text(self) -> None:
        headline = replace(samples.detail().headlines[0], text="[bold]x[/ [$AAPL] [@click=app.quit]y", source="[red]")
        service = replace(samples.snapshot().services[0], error="[/] [link=x]", state="failed")
        snapshot = samples.snapshot(detail=replace(samples.detail(), headlines=[headline]), services=[service])
        async with running(FakeLink(snapshot)) as dash:
            assert "[bold]x[/ [$AAPL] [@click=app.quit]y"[:30] in dash.text
            assert "[red]" in dash.text
            assert "[/] [link=x]" in dash.text

    async def test_controls_and_overrides_are_gone_and_long_text_is_cut(self) -> None:
        headline = replace(samples.detail().headlines[0], text="\u202eevil\x1b[2J\n" + "long " * 2000)
        snapshot = samples.snapshot(detail=replace(samples.detail(), headlines=[headline]))
        async with running(FakeLink(snapshot)) as dash:
            assert not {"\u202e", "\x1b"} & set(dash.text)
            assert all(len(line) <= LARGE[0] for line in dash.text.splitlines())
            assert "evil long long" in dash.text

    async def test_a_hostile_post_and_its_feeds_error_are_text(self) -> None:
        hostile = "\x1b]0;owned\x07\x1b[2J\u202e[@click=app.quit]gone[/] " + "A" * 1_000_000
        post = Post(ticker="AAPL", ts=datetime.now(UTC), id="1", text=hostile, author="\x1b[2J", source="stocktwits")
        scored = SentimentScorer().score_item(post)
        headline = HeadlineView(
            ts=samples.NOW,
            kind="post",
            source=scored.source,
            text=scored.text,
            compound=scored.compound,
            label=scored.label,
        )
        blocked = replace(
            samples.snapshot().services[2], name="social stocktwits", retry_in=1800, error=f"blocked {hostile}"
        )
        detail = replace(samples.detail(), headlines=[headline])
        async with running(FakeLink(samples.snapshot(detail=detail, services=[blocked]))) as dash:
            assert "[@click=app.quit]gone[/]" in dash.text
            assert "blocked [@click" in dash.text
            assert "social stocktwits" in dash.line("retry in 30m")
            assert not {"\x1b", "\u202e", "\x07"} & set(dash.text)
            assert all(len(line) <= LARGE[0] for line in dash.text.splitlines())

    async def test_a_hostile_error_reaches_the_user_as_text(self) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            link.refuses = "[/oops] [bold"
            await dash.press("p")
            assert "[/oops] [bold" in dash.text


class TestRepaint:
    async def test_an_unchanged_snapshot_draws_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            drawn: list[int] = []
            monkeypatch.setattr(Table, "render_line", lambda table, y: drawn.append(y))
            link.push(samples.snapshot(seq=2))
            await dash.repaint()
            assert drawn == []

    async def test_a_changed_price_draws_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            drawn: list[tuple[str | None, int]] = []
            render_line = Table.render_line

            def counted(table: Table, y: int) -> object:
                drawn.append((table.id, y))
                return render_line(table, y)

            monkeypatch.setattr(Table, "render_line", counted)
            tickers = samples.snapshot().tickers
            tickers[1] = replace(tickers[1], price=109.99)
            link.push(samples.snapshot(seq=2, tickers=tickers))
            await dash.repaint()
            assert drawn == [("watchlist", 2)]
            assert "109.99" in dash.row("MSFT")

    async def test_bars_are_fetched_when_they_change_and_not_before(self) -> None:
        link = FakeLink(samples.snapshot())
        async with running(link) as dash:
            assert len(link.asked_for(GetHistory)) == 1
            link.push(samples.snapshot(seq=2))
            await dash.repaint()
            assert len(link.asked_for(GetHistory)) == 1
            link.push(samples.snapshot(seq=3, detail=replace(samples.detail(), chart_version=2)))
            await dash.repaint()
            assert len(link.asked_for(GetHistory)) == 1, "a second has not passed"
            dash.now += 1
            await dash.repaint()
            assert len(link.asked_for(GetHistory)) == 2

    async def test_the_log_is_read_only_where_it_can_be_seen_and_has_grown(self) -> None:
        link = FakeLink(samples.snapshot(), log_lines=20)
        async with running(link, SMALL) as dash:
            assert link.asked_for(GetLog) == []
            await dash.press("shift+tab")
            assert link.asked_for(GetLog) == [GetLog(after=0)]
            link.push(samples.snapshot(seq=2))
            await dash.repaint()
            assert len(link.asked_for(GetLog)) == 1
            link.push(samples.snapshot(seq=3, pipeline=samples.pipeline(log_seq=25)))
            await dash.repaint()
            assert link.asked_for(GetLog)[1] == GetLog(after=20)


async def test_a_chart_whose_bars_are_not_there_yet_waits_for_those_of_its_own_ticker() -> None:
    async with running(FakeLink(samples.snapshot()), SMALL) as dash:
        await dash.press("j")  # the pipeline still sends the detail of AAPL
        assert "Waiting for the bars of MSFT" in dash.text


async def test_a_size_that_was_missed_is_taken_at_the_next_tick() -> None:
    size = SMALL
    async with running(FakeLink(samples.snapshot()), SMALL, terminal_size=lambda: size) as dash:
        size = (100, 30)
        dash.app._tick()
        async with asyncio.timeout(10):
            while dash.app.screen.size != Size(100, 30):
                await dash.repaint()
        assert len(dash.text.splitlines()) == 30
