"""Positions on the screen: the watchlist's columns, the screen of their own, hiding, and the file behind them."""

from pathlib import Path

import pytest

from fintrends_tui.run import dashboard_app
from fintrends_tui.screens.dashboard import Dashboard
from fintrends_tui.screens.positions import PositionsScreen
from fintrends_tui.state.access import READER
from fintrends_tui.state.arrangement import Arrangement, pick
from fintrends_tui.state.memory import ScreenMemory
from fintrends_tui.state.positions import MASK, Holdings, PositionKeeper, of_ticker, quantity, sums, with_positions
from pipeline.config.settings import ScreenSettings, load
from pipeline.contract.protocol import Add
from pipeline.contract.snapshot import ReplayView, RuleView, SplitView
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import Dash, running

TEXT = samples.LOTS
KEYS = {
    " ": "space", ".": "full_stop", "-": "minus", ">": "greater_than_sign", "<": "less_than_sign", "%": "percent_sign",
}  # fmt: skip


def link(**changes: object) -> FakeLink:
    return FakeLink(samples.in_two_currencies(**changes))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "positions.toml"


def keeper(path: Path, text: str = TEXT, currency: str = "USD") -> PositionKeeper:
    if text:
        write(path, text)
    return PositionKeeper(path, currency)


def read(path: Path) -> str:
    return path.read_text()


def write(path: Path, text: str = TEXT, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


def held_now(path: Path, text: str = TEXT, currency: str = "USD", rate: float | None = 1.25) -> Holdings:
    return keeper(path, text, currency).now(samples.in_two_currencies(rate), hidden=False)


def names(now: Holdings, arrangement: Arrangement) -> list[str]:
    tickers = with_positions(samples.in_two_currencies().tickers, now.portfolio)
    return [ticker.ticker for ticker in pick(tickers, arrangement, {})]


def needs(held: PositionKeeper, *watched: str) -> list[str]:
    tickers = [samples.ticker(name, currency="GBp" if name == "VOD.L" else "") for name in watched]
    held.now(samples.snapshot(tickers=tickers), hidden=False)
    return held.to_watch()


def typed(text: str) -> list[str]:
    return [KEYS.get(character, character) for character in text]


def messages(dash: Dash) -> str:
    return " ".join(str(notification.message) for notification in dash.app._notifications)


def columns(*titles: str) -> ScreenMemory:
    memory = ScreenMemory()
    memory.keep(columns=list(titles))
    return memory


class TestScreen:
    @pytest.mark.parametrize("size", [SMALL, LARGE])
    async def test_value_gain_day_and_share_of_each_and_of_all(self, path: Path, size: tuple[int, int]) -> None:
        async with running(link(), size, positions=keeper(path)) as dash:
            await dash.press("b")
            apple, vodafone, microsoft = (dash.row(name).split() for name in ("AAPL", "VOD.L", "MSFT"))
            for cell in ("10", "1,703.80", "+199.80", "+13.28%"):
                assert cell in apple
            for cell in ("1000", "1,446.88", "+321.88", "+28.61%"):
                assert cell.replace("1000", "1,000") in vodafone
            for cell in ("-5", "-541.10", "+58.90", "+9.82%"):
                assert cell in microsoft
            assert "46.2%" in apple and "39.2%" in vodafone and "-14.7%" in microsoft
            assert "Total 2,609.58 USD · day +21.88 +0.59% · gain +580.57 +17.98%" in dash.text
            assert "GBP at 1.2500" in dash.text

    async def test_the_day_has_a_column_where_there_is_room(self, path: Path) -> None:
        async with running(link(), LARGE, positions=keeper(path)) as dash:
            await dash.press("b")
            assert "+20.00" in dash.row("AAPL") and "-3.12" in dash.row("VOD.L") and "+5.00" in dash.row("MSFT")
            assert "150.40" in dash.row("AAPL")  # on average
            assert "115.75p" in dash.row("VOD.L")

    async def test_lots_stand_below_with_what_splits_made_of_them(self, path: Path) -> None:
        split = SplitView(ts=samples.NOW - 86_400 * 100, numerator=4, denominator=1)
        tickers = [samples.ticker("AAPL", splits=[split]), samples.ticker("MSFT")]
        text = TEXT.replace("VOD.L", "AAPL")
        async with running(FakeLink(samples.snapshot(tickers=tickers)), SMALL, positions=keeper(path, text)) as dash:
            await dash.press("b")
            assert "Lots of AAPL, average cost 22.65" in dash.text
            assert "counted: split 4 for 1 on 2026-08-12" in dash.text
            lots = [line.split() for line in dash.text.splitlines() if "line " in line]
            assert lots[0][1:] == ["10", "40", "150.00", "4.00", "line", "2", "│"]
            await dash.press("j")
            assert "Lots of MSFT, average cost 120.00" in dash.text
            assert "no split after them is known" in dash.text
            assert "no date" in dash.text

    async def test_an_empty_book_says_how_to_begin(self, path: Path) -> None:
        async with running(link(), SMALL, positions=keeper(path, "")) as dash:
            await dash.press("b")
            assert "No positions yet. Press a to add a lot, such as AAPL 10 150.25" in dash.text
            assert path.name in dash.text.replace("\n", "")
            await dash.press("x", "tab", "escape")
            assert isinstance(dash.app.screen, Dashboard)


class TestChanging:
    async def test_a_lot_is_added_and_its_ticker_watched(self, path: Path) -> None:
        shown = link()
        async with running(shown, SMALL, positions=keeper(path)) as dash:
            await dash.press("b", "a", *typed("nvda 2 100.5 2024-03-01 fees 1"), "enter")
            assert isinstance(dash.app.screen, PositionsScreen)
            assert "NVDA" in dash.text
            assert shown.asked_for(Add) == [Add(["NVDA"])]
        assert read(path).startswith(TEXT)
        assert read(path).endswith('ticker = "NVDA"\nquantity = 2\nprice = 100.5\ndate = 2024-03-01\nfees = 1\n')

    async def test_a_mistake_is_explained_where_it_was_typed(self, path: Path) -> None:
        async with running(link(), SMALL, positions=keeper(path)) as dash:
            await dash.press("b", "a", *typed("nvda two 100"), "enter")
            assert "✗ quantity 'two' is not a number" in dash.text
        assert read(path) == TEXT

    async def test_the_first_lot_makes_the_file(self, path: Path) -> None:
        async with running(link(), SMALL, positions=keeper(path, "")) as dash:
            await dash.press("b", "a", *typed("aapl 1 100"), "enter")
            assert "+70.38" in dash.row("AAPL")
        assert "date = 2026-11-20" in read(path)

    async def test_a_lot_is_removed_after_a_confirmation(self, path: Path) -> None:
        async with running(link(), SMALL, positions=keeper(path)) as dash:
            await dash.press("b", "j", "x")
            assert "Remove VOD.L 1000 at 90 of 2024-03-01?" in dash.text
            await dash.press("enter")
            assert [row.key for row in dash.table("#position-table").rows] == ["AAPL", "MSFT"]
        assert read(path).startswith("# mine\n[[lot]]")
        assert "VOD.L" not in read(path)

    async def test_of_several_lots_the_selected_one(self, path: Path) -> None:
        async with running(link(), SMALL, positions=keeper(path, TEXT.replace("VOD.L", "AAPL"))) as dash:
            await dash.press("b", "tab", "j", "x")
            assert "Remove AAPL 1000 at 90" in dash.text
            await dash.press("j", "enter")  # keep it
        assert read(path).count("[[lot]]") == 3

    async def test_what_cannot_be_written_is_said(self, path: Path) -> None:
        async with running(link(), SMALL, positions=keeper(path)) as dash:
            await dash.press("b")
            write(path, mode=0o666)
            await dash.press("a", *typed("nvda 2 100"), "enter")
            assert "is not changed because others can write" in messages(dash)
        assert read(path) == TEXT

    async def test_without_a_place_for_the_file_it_says_so(self) -> None:
        async with running(link(), SMALL) as dash:
            await dash.press("b", "a")
            assert "There is no place for positions.toml" in messages(dash)

    async def test_a_change_by_hand_is_seen(self, path: Path) -> None:
        async with running(link(), SMALL, positions=keeper(path)) as dash:
            await dash.press("b")
            write(path, TEXT.replace("quantity = 10\n", "quantity = 20\n"))
            await dash.repaint()
            assert "3,407.60" in dash.row("AAPL")


class TestMistakes:
    async def test_they_are_named_with_their_lines_and_the_rest_counts(self, path: Path) -> None:
        broken = TEXT.replace("quantity = 1000", "quantity = many")
        async with running(link(), LARGE, positions=keeper(path, broken)) as dash:
            assert f"{path}, line 11: Invalid value; this lot is left out" in messages(dash)
            await dash.press("b")
            assert "line 11: Invalid value; this lot is left out" in " ".join(dash.text.split())
            assert [row.key for row in dash.table("#position-table").rows] == ["AAPL", "MSFT"]

    async def test_what_others_can_read_is_advised_on_where_positions_are(self, path: Path) -> None:
        held = keeper(path)
        write(path, mode=0o644)
        async with running(link(), LARGE, positions=held) as dash:
            assert "chmod" not in messages(dash)
            await dash.press("b")
            assert "others can read" in dash.text


class TestWatching:
    def test_what_is_needed_is_asked_for_once(self, path: Path) -> None:
        held = keeper(path)
        assert needs(held, "VOD.L") == ["AAPL", "GBPUSD=X", "MSFT"]
        assert needs(held, "VOD.L") == []  # who removes it does not want it
        write(path, TEXT.replace("MSFT", "NVDA"))
        assert needs(held, "VOD.L") == ["NVDA"]

    async def test_the_pipeline_is_asked_for_it_and_not_the_user(self, path: Path) -> None:
        shown = FakeLink(samples.snapshot(tickers=[], detail=None))
        async with running(shown, SMALL, positions=keeper(path)) as dash:
            assert shown.asked_for(Add) == [Add(["AAPL", "VOD.L", "MSFT"])]
            assert isinstance(dash.app.screen, Dashboard)

    async def test_a_recording_is_asked_for_nothing(self, path: Path) -> None:
        replayed = samples.pipeline(replay=ReplayView(at=samples.NOW, speed=1))
        shown = FakeLink(samples.snapshot(tickers=[samples.ticker("AAPL")], pipeline=replayed))
        async with running(shown, SMALL, positions=keeper(path)):
            assert shown.asked_for(Add) == []


class TestHiding:
    async def test_amounts_go_and_percentages_stay_everywhere(self, path: Path) -> None:
        memory = columns("Price", "Position", "Value", "Gain", "Gain%", "Day")
        async with running(link(), SMALL, positions=keeper(path), memory=memory) as dash:
            for cell in ("1,703.80", "+199.80", "+13.28%", "+20.00"):
                assert cell in dash.row("AAPL")
            await dash.press("dollar_sign")
            assert dash.row("AAPL").count(MASK) == 4
            assert "+13.28%" in dash.row("AAPL") and "170.38" in dash.row("AAPL")
            await dash.press("b")
            assert f"Total {MASK} USD · day {MASK} +0.59% · gain {MASK} +17.98%" in dash.text
            for amount in ("1,703", "199.80", "2,609", "21.88", "580.57"):
                assert amount not in dash.text
            await dash.press("x")
            assert "Remove the lot of AAPL on line 2?" in dash.text
            await dash.press("escape", "dollar_sign")
            assert "1,703.80" in dash.text

    async def test_it_is_remembered(self, path: Path, tmp_path: Path) -> None:
        file = tmp_path / "screen.json"
        async with running(link(), SMALL, positions=keeper(path), memory=ScreenMemory(file)) as dash:
            await dash.press("dollar_sign")
        assert ScreenMemory(file).now.hide_amounts
        async with running(link(), SMALL, positions=keeper(path), memory=ScreenMemory(file)) as dash:
            await dash.press("b")
            assert MASK in dash.row("AAPL")

    async def test_alerts_do_not_tell_either(self, path: Path) -> None:
        fired = samples.alert(1, ticker="AAPL", rule="AAPL gain > 150", metric="gain", value=199.8)
        rules = [RuleView(rule="AAPL gain > 150", origin="screen", fired=["AAPL"])]
        shown = link(rules=rules)
        shown.alerts = [fired]
        async with running(shown, LARGE, positions=keeper(path)) as dash:
            await dash.press("A")
            assert "199.80" in dash.line("AAPL gain > 150")
            await dash.press("escape", "dollar_sign")
            shown.push(samples.in_two_currencies(seq=2, rules=rules, alerts=[fired]))
            await dash.repaint()
            assert "AAPL meets the rule AAPL gain > 150" in messages(dash)
            await dash.press("A")
            assert "AAPL gain > 150" in dash.text and "199.8" not in dash.text


class TestWatchlist:
    async def test_columns_are_chosen_sorted_by_and_empty_for_what_is_not_held(self, path: Path) -> None:
        memory = columns("Value", "Gain", "Gain%", "Day")
        async with running(link(), SMALL, positions=keeper(path), memory=memory) as dash:
            assert "1,703.80" in dash.row("AAPL")
            assert not any(character.isdigit() for character in dash.row("TSLA"))
            await dash.press("o", "o")
            keys = [row.key for row in dash.table("#watchlist").rows]
            assert keys[:3] == ["AAPL", "VOD.L", "MSFT"]

    async def test_the_detail_tells_of_it(self, path: Path) -> None:
        async with running(link(), LARGE, positions=keeper(path)) as dash:
            await dash.press("enter")
            assert "you hold 10: 1,703.80 USD, gain +199.80 +13.28%" in dash.text
            await dash.press("escape", "dollar_sign", "enter")
            assert f"you hold {MASK}: {MASK} USD, gain {MASK} +13.28%" in dash.text

    async def test_who_holds_nothing_sees_nothing_of_it(self) -> None:
        async with running(link(), LARGE, settings=ScreenSettings()) as dash:
            assert "Total" not in dash.text
            assert MASK not in dash.text


class TestOthers:
    def test_who_only_looks_is_not_given_the_file(self, tmp_path: Path) -> None:
        loaded = load(overrides={"pipeline": {"data_dir": str(tmp_path)}}, environ={})
        assert dashboard_app(FakeLink(), loaded, ()).positions.file is not None
        assert dashboard_app(FakeLink(), loaded, (), READER).positions.file is None

    async def test_those_of_a_sample_are_said_to_be_nobodys(self, path: Path) -> None:
        write(path)
        async with running(link(), LARGE, positions=PositionKeeper(path, sample=True)) as dash:
            ((_, told),) = of_ticker(dash.app.current_view.holdings, "AAPL")
            assert told.startswith("the sample holds 10: 1,703.80 USD")
            await dash.press("b")
            assert "Sample positions, nobody's" in dash.text

    async def test_nor_the_keys_nor_the_amounts_of_alerts(self) -> None:
        fired = samples.alert(1, ticker="AAPL", rule="AAPL gain > 150", metric="gain", value=199.8)
        shown = link(alerts=[fired])
        shown.alerts = [fired]
        async with running(shown, SMALL, access=READER) as dash:
            await dash.press("b", "dollar_sign")
            assert isinstance(dash.app.screen, Dashboard)
            assert not dash.app.memory.now.hide_amounts
            await dash.press("A")
            assert MASK in dash.line("AAPL gain > 150")
            assert "199.8" not in dash.text


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("gain>100", ["AAPL", "VOD.L"]),
        ("gain>20%", ["VOD.L"]),
        ("gain%<10", ["MSFT"]),
        ("value<0", ["MSFT"]),
        ("day_gain>10 or value<0", ["AAPL", "MSFT"]),
    ],
)
def test_conditions_know_what_is_held(path: Path, condition: str, met: list[str]) -> None:
    now = held_now(path)
    assert names(now, Arrangement(filter=condition)) == met


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("Position", ["VOD.L", "AAPL", "MSFT"]),
        ("Value", ["AAPL", "VOD.L", "MSFT"]),
        ("Gain", ["VOD.L", "AAPL", "MSFT"]),
        ("Gain%", ["VOD.L", "AAPL", "MSFT"]),
        ("Day", ["AAPL", "MSFT", "VOD.L"]),
    ],
)
def test_columns_order_by_what_is_held_and_the_rest_comes_last(path: Path, column: str, order: list[str]) -> None:
    assert names(held_now(path), Arrangement(column))[:3] == order


class TestSums:
    def test_in_another_currency(self, path: Path) -> None:
        told = [text for _, text in sums(held_now(path, currency="GBP"))]
        assert told == ["Total 2,087.66 GBP", "day +17.50 +0.59%", "gain +464.46 +17.98%", "USD at 0.8000"]

    def test_without_a_rate_there_is_none(self, path: Path) -> None:
        told = list(sums(held_now(path, rate=None)))
        assert [text for _, text in told] == [
            "Total –", "without what is missing 1,162.70 USD", "day –", "gain –", "VOD.L: no rate for GBP",
        ]  # fmt: skip
        assert told[-1][0] == "warn"

    def test_what_was_realised_is_told(self, path: Path) -> None:
        sold = '[[lot]]\nticker = "AAPL"\nquantity = -5\nprice = 160\ndate = 2025-01-01\n'
        assert ("up", "realised +48.00") in list(sums(held_now(path, f"{TEXT}\n{sold}")))

    def test_simulated_prices_are_marked(self, path: Path) -> None:
        now = keeper(path).now(samples.snapshot(tickers=[samples.ticker("AAPL", simulated=True)]), hidden=False)
        assert ("warn", "~ at simulated prices") in list(sums(now))

    def test_of_one_ticker(self, path: Path) -> None:
        now = held_now(path)
        assert list(of_ticker(now, "AAPL")) == [("up", "you hold 10: 1,703.80 USD, gain +199.80 +13.28%")]
        assert list(of_ticker(now, "TSLA")) == []
        assert list(of_ticker(held_now(path, rate=None), "VOD.L")) == [("warn", "you hold 1,000: no rate for GBP")]


def test_the_same_is_worked_out_once(path: Path) -> None:
    held, snapshot = keeper(path), samples.in_two_currencies()
    now = held.now(snapshot, hidden=False)
    assert held.now(snapshot, hidden=False) is now
    assert held.now(samples.in_two_currencies(), hidden=False) is not now


@pytest.mark.parametrize(
    ("value", "width", "shown"),
    [
        (10, 9, "10"),
        (1234.5, 9, "1,234.5"),
        (0.00012345, 12, "0.00012345"),
        (0.1 + 0.2, 9, "0.3"),
        (-5, 9, "-5"),
        (12345678.25, 9, "12345678"),
    ],
)
def test_a_quantity_has_the_decimals_that_it_has(value: float, width: int, shown: str) -> None:
    assert quantity(value, width) == shown
