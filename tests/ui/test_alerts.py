"""Alerts: told once, shown on the watchlist, kept on a screen of their own."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from fintrends_tui.screens.alerts import AlertsScreen
from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.state.alerts import NewAlerts, present, value_text
from fintrends_tui.widgets.alert_history import AlertHistory
from fintrends_tui.widgets.rules import Rules
from pipeline.config.settings import ScreenSettings
from pipeline.contract.protocol import AddAlert, GetAlerts, RemoveAlert
from pipeline.model.alert_rules import parse_rule
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import Dash, running

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])


@dataclass
class Bells:
    rung: int = 0


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> Bells:
    """How often the terminal's bell was rung."""
    bells = Bells()

    def ring(_: object) -> None:
        bells.rung += 1

    monkeypatch.setattr("textual.app.App.bell", ring)
    return bells


@pytest.fixture
def link() -> FakeLink:
    """A pipeline with three rules, and three alerts of before."""
    link = FakeLink(samples.snapshot(rules=samples.rules(), alerts=samples.alerts(3)))
    link.alerts = samples.alerts(3)
    return link


async def fire(dash: Dash, *alerts: object) -> None:
    dash.link.alerts = [*dash.link.alerts, *alerts]
    dash.link.push(samples.snapshot(seq=2, rules=samples.rules(), alerts=dash.link.alerts[-20:]))
    await dash.repaint()


def toasts(dash: Dash) -> list[str]:
    return [notification.message for notification in dash.app._notifications]


def words(line: str) -> str:
    """The line without its frame and with single spaces."""
    return " ".join(line.translate(dict.fromkeys(map(ord, "│▌▐█"), " ")).split())


class TestNew:
    def test_those_of_the_first_snapshot_are_history(self) -> None:
        new = NewAlerts()
        assert new.take(samples.snapshot(alerts=samples.alerts(3))) == ([], 0)
        assert new.take(samples.snapshot(alerts=samples.alerts(3))) == ([], 0)
        assert new.take(samples.snapshot(alerts=samples.alerts(5))) == (samples.alerts(5)[3:], 0)

    def test_the_first_one_ever_is_new(self) -> None:
        new = NewAlerts()
        new.take(samples.snapshot())
        assert new.take(samples.snapshot(alerts=samples.alerts(1))) == (samples.alerts(1), 0)

    def test_more_than_a_snapshot_holds_are_counted(self) -> None:
        new = NewAlerts()
        new.take(samples.snapshot(alerts=samples.alerts(3)))
        assert new.take(samples.snapshot(alerts=samples.alerts(33)[-20:])) == (samples.alerts(33)[-20:], 10)

    def test_those_of_a_pipeline_that_has_forgotten_its_own_are_history(self) -> None:
        new = NewAlerts()
        new.take(samples.snapshot(alerts=samples.alerts(9)))
        assert new.take(samples.snapshot(alerts=samples.alerts(2))) == ([], 0)
        assert new.take(samples.snapshot(alerts=samples.alerts(3))) == (samples.alerts(3)[2:], 0)


class TestTelling:
    @SIZES
    async def test_a_new_one_is_shown_and_heard_once(self, link: FakeLink, bells: Bells, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            assert toasts(dash) == []
            await fire(dash, samples.alert(4))
            assert "TSLA price is 304 (price > 300)" in dash.text
            dash.now += 1
            await dash.repaint()
            assert len(toasts(dash)) == 1
            assert bells.rung == 1

    async def test_toasts_do_not_cover_what_is_opened_nor_say_what_is_listed(
        self, link: FakeLink, bells: Bells
    ) -> None:
        async with running(link) as dash:
            link.push(samples.snapshot(seq=2, alerts=samples.alerts(9)))
            await dash.repaint()
            assert toasts(dash)
            await dash.press("A")
            assert toasts(dash) == []
            link.push(samples.snapshot(seq=3, alerts=samples.alerts(12)))
            await dash.repaint()
            assert toasts(dash) == []
            assert bells.rung == 2

    async def test_many_at_once_are_one_bell_and_a_few_toasts(self, link: FakeLink, bells: Bells) -> None:
        async with running(link) as dash:
            await fire(dash, *(samples.alert(seq) for seq in range(4, 13)))
            assert [toast.partition(" (")[0] for toast in toasts(dash)] == [
                "TSLA price is 310",
                "TSLA price is 311",
                "TSLA price is 312",
                "and 6 more; the alerts screen lists them",
            ]
            assert bells.rung == 1

    async def test_the_bell_can_be_turned_off(self, link: FakeLink, bells: Bells) -> None:
        async with running(link, settings=ScreenSettings(bell=False)) as dash:
            await fire(dash, samples.alert(4))
            assert len(toasts(dash)) == 1
            assert bells.rung == 0

    async def test_what_a_pipeline_sends_is_no_markup_and_steers_no_terminal(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await fire(dash, samples.alert(4, ticker="[$X]", rule="\x1b[31m[/red] price > 300"))
            assert "[$X] price is 304 ([/red] price > 300)" in dash.text

    async def test_it_is_told_on_every_screen(self, link: FakeLink, bells: Bells) -> None:
        async with running(link) as dash:
            await dash.press("l")
            await fire(dash, samples.alert(4))
            assert "TSLA price is 304" in dash.text
            assert bells.rung == 1


class TestWatchlist:
    @SIZES
    async def test_a_ticker_is_marked_while_a_rule_has_fired_for_it(
        self, link: FakeLink, size: tuple[int, int]
    ) -> None:
        async with running(link, size) as dash:
            assert "TSLA!" in dash.row("TSLA")
            assert "!" not in dash.row("AAPL")
            link.push(samples.snapshot(seq=2, rules=samples.rules()[:1]))
            await dash.repaint()
            assert "!" not in dash.row("TSLA")

    async def test_the_longest_name_has_room_for_the_mark(self) -> None:
        rules = [replace(samples.rules()[1], fired=["DOGE-USD"])]
        async with running(FakeLink(samples.snapshot(rules=rules)), SMALL) as dash:
            assert "DOGE-USD!" in dash.row("DOGE-USD")
            assert "Sent." in dash.line("Price")


class TestScreen:
    @SIZES
    async def test_it_shows_rules_and_history(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            await dash.press("A")
            assert isinstance(dash.app.screen, AlertsScreen)
            assert words(dash.line("AAPL price")) == "AAPL price > 250 config – 170.38"
            assert words(dash.line("price > 300 ")) == "price > 300 screen ! TSLA BTC-USD 3,637.15"
            assert words(dash.line("lag > 1000")) == "lag > 1000 screen ! the pipeline 1,240"
            assert words(dash.line("303.00")) == "2026-11-20 15:04:05 TSLA 303.00 price > 300"
            assert [row.key for row in dash.table("#alerts").rows] == ["3", "2", "1"]
            await dash.press("A")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_the_history_follows(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("A")
            await fire(dash, samples.alert(4))
            assert [row.key for row in dash.table("#alerts").rows] == ["4", "3", "2", "1"]
            await dash.repaint()
            assert len(link.asked_for(GetAlerts)) == 2  # not at every snapshot

    async def test_a_history_that_could_not_be_had_is_asked_for_again(self, link: FakeLink) -> None:
        async with running(link) as dash:
            link.refuses = "the connection to the pipeline was closed"
            await dash.press("A")
            assert dash.table("#alerts").rows == ()
            link.refuses = None
            dash.now += 1
            await dash.repaint()
            assert len(dash.table("#alerts").rows) == 3

    @SIZES
    async def test_without_rules_it_says_what_one_looks_like(self, size: tuple[int, int]) -> None:
        async with running(FakeLink(samples.snapshot()), size) as dash:
            await dash.press("A")
            assert "Press a to add one, such as AAPL price > 250" in dash.text
            assert "Nothing has fired yet." in dash.text
            await dash.press("x")
            assert isinstance(dash.app.screen, AlertsScreen)

    async def test_tab_goes_between_rules_and_history(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("A")
            assert isinstance(dash.app.focused, Rules)
            await dash.press("tab")
            assert isinstance(dash.app.focused, AlertHistory)
            await dash.press("tab")
            assert isinstance(dash.app.focused, Rules)


_KEYS = {">": "greater_than_sign", " ": "space", ";": "semicolon"}


class TestAdd:
    @SIZES
    async def test_a_rule_of_the_selected_ticker(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            await dash.press("j", "A", "a")
            assert "MSFT price > 250; rsi_14 < 30" in dash.text
            await dash.press(*"msft", "space", *"price", "greater_than_sign", *"120", "enter")
            assert link.asked_for(AddAlert) == [AddAlert("MSFT price > 120")]
            assert isinstance(dash.app.screen, AlertsScreen)

    async def test_what_is_suggested_is_a_rule(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("A", "a")
            assert "AAPL price > 250; rsi_14 < 30; lag > 1000" in dash.text
            await dash.press(*"lag", "greater_than_sign", *"5", "enter")
            assert link.asked_for(AddAlert) == [AddAlert("lag > 5")]

    @pytest.mark.parametrize(
        ("typed", "reason"),
        [
            ("prize>5", "'prize' is not a metric; the metrics are price,"),
            ("aapl lag>5", "lag is the pipeline's, not a ticker's; write lag > 5"),
            ("aapl price>250", "There is a rule AAPL price > 250 already."),
            ("", "is not a rule; write [TICKER] METRIC > NUMBER"),
        ],
    )
    async def test_a_mistake_is_explained_where_it_was_typed(self, link: FakeLink, typed: str, reason: str) -> None:
        async with running(link, SMALL) as dash:
            await dash.press("A", "a", *(_KEYS.get(c, c) for c in typed), "enter")
            assert reason in dash.text
            assert link.asked_for(AddAlert) == []
            await dash.press("escape", "escape")
            assert isinstance(dash.app.screen, Dashboard)

    async def test_a_refusal_is_shown(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("A")
            link.refuses = "the pipeline is stopping"
            await dash.press("a", *"price", "less_than_sign", *"9", "enter")
            assert "the pipeline is stopping" in dash.text


class TestNotWatched:
    @SIZES
    async def test_it_is_asked_whether_it_is_meant(self, link: FakeLink, size: tuple[int, int]) -> None:
        async with running(link, size) as dash:
            await dash.press("A", "a", *(_KEYS.get(c, c) for c in "appl price>250; msft price>9"), "enter")
            assert "APPL is not watched: nothing can fire" in dash.text
            assert link.asked_for(AddAlert) == []
            await dash.press("backspace", "8", "enter")
            assert link.asked_for(AddAlert) == []  # it is another text
            await dash.press("enter")
            assert link.asked_for(AddAlert) == [AddAlert("APPL price > 250"), AddAlert("MSFT price > 8")]

    @SIZES
    async def test_its_rule_says_so_in_place_of_a_value(self, size: tuple[int, int]) -> None:
        rules = [replace(samples.rules()[0], rule="APPL price > 250"), *samples.rules()]
        async with running(FakeLink(samples.snapshot(rules=rules)), size) as dash:
            await dash.press("A")
            assert words(dash.line("APPL price")) == "APPL price > 250 config – not watched"
            assert dash.text.count("not watched") == 1


class TestRemove:
    async def test_one_of_the_screen_goes_after_a_confirmation(self, link: FakeLink) -> None:
        async with running(link) as dash:
            await dash.press("A", "j", "x")
            assert "Remove price > 300?" in dash.text
            await dash.press("enter")
            assert link.asked_for(RemoveAlert) == [RemoveAlert("price > 300")]

    @SIZES
    async def test_one_of_the_configuration_is_back_at_the_next_start(
        self, link: FakeLink, size: tuple[int, int]
    ) -> None:
        async with running(link, size) as dash:
            await dash.press("A", "x")
            assert "Remove it until the next start; for good, remove it" in dash.text
            assert "[alerts] of the configuration" in dash.text
            await dash.press("enter")
            assert link.asked_for(RemoveAlert) == [RemoveAlert("AAPL price > 250")]

    @pytest.mark.parametrize("keys", [["escape"], ["down", "enter"]])
    async def test_without_one_it_stays(self, link: FakeLink, keys: list[str]) -> None:
        async with running(link) as dash:
            await dash.press("A", "x", *keys)
            assert isinstance(dash.app.screen, AlertsScreen)
            assert link.asked_for(RemoveAlert) == []


class TestPresent:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ("AAPL price > 250", ("AAPL", 170.38)),
            ("price > 250", ("BTC-USD", 3637.15)),
            ("price < 250", ("DOGE-USD", 0.0021)),
            ("adx_14 > 25", ("AAPL", 24.1)),
            ("lag > 5", ("", 1240)),
            ("dead_letters > 0", ("", 0)),
            ("NVDA price > 250", None),
            ("MSFT adx_14 > 25", None),
            ("sma_50 > 5", ("AAPL", 170.38 * 0.991)),
        ],
    )
    def test_the_value_nearest_to_firing(self, rule: str, expected: tuple[str, float] | None) -> None:
        assert present(parse_rule(rule), samples.snapshot()) == expected

    def test_what_is_not_known_yet_is_none(self) -> None:
        snapshot = samples.snapshot(tickers=[samples.ticker("AAPL", price=None)], detail=None)
        assert present(parse_rule("AAPL price > 250"), snapshot) is None
        assert present(parse_rule("AAPL adx_14 > 250"), snapshot) is None

    def test_counts_are_short_and_prices_whole(self) -> None:
        assert value_text("price", 103_637.15) == "103,637.15"
        assert value_text("volume", 12_345_678) == "12.3M"
        assert value_text("macd_hist", 0.0222) == "0.02220"
