"""What lots are worth: sums, currencies, shorts, splits."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.model.positions import Lot, Market, Portfolio, Position, SplitOn, portfolio, wanted

DAY = date(2026, 11, 20)
APPLE = Market(150.0, 2.0, "USD", DAY)
VODAFONE = Market(115.75, -0.25, "GBp", DAY)
SAP = Market(200.0, None, "EUR", DAY)
RATES = {"GBPUSD=X": Market(1.25), "EURUSD=X": Market(1.1)}


def lot(ticker: str, quantity: object, price: object, day: str = "2020-01-02", **more: object) -> Lot:
    extra = {**more, "fees": Decimal(str(more.get("fees", 0)))}
    return Lot(ticker, Decimal(str(quantity)), Decimal(str(price)), date.fromisoformat(day) if day else None, **extra)


def one(lots: Sequence[Lot], market: Market = APPLE, currency: str = "USD") -> Position:
    (position,) = portfolio(lots, {lots[0].ticker: market, **RATES}, currency).positions
    return position


class TestOneTicker:
    def test_value_gain_and_the_day(self) -> None:
        position = one([lot("AAPL", 10, 100, fees=5)])
        assert (position.quantity, position.value, position.cost, position.gain) == (10, 1500, 1005, 495)
        assert position.average == 100.5
        assert position.gain_percent == pytest.approx(49.2537, abs=1e-4)
        assert (position.day_gain, position.day_percent) == (20, pytest.approx(100 * 20 / 1480))

    def test_several_lots_have_an_average_cost_that_a_sale_leaves(self) -> None:
        position = one([lot("AAPL", 10, 100), lot("AAPL", 30, 140), lot("AAPL", -20, 160, "2021-05-05", fees=4)])
        assert (position.quantity, position.average) == (20, 130)
        assert (position.gain, position.realised) == (400, 20 * 30 - 4)

    def test_lots_count_in_the_order_of_their_days(self) -> None:
        sold, bought = lot("AAPL", -10, 160, "2021-05-05"), lot("AAPL", 10, 100)
        position = one([sold, bought])
        assert (position.quantity, position.value, position.gain, position.realised) == (0, 0, 0, 600)

    def test_a_short_sale_gains_when_the_price_falls(self) -> None:
        position = one([lot("AAPL", -10, 170, fees=10)])
        assert (position.value, position.cost, position.gain) == (-1500, -1690, 190)
        assert position.average == 169
        assert position.gain_percent == pytest.approx(100 * 190 / 1690)
        assert position.day_gain == -20

    def test_more_sold_than_held_is_a_short_position(self) -> None:
        position = one([lot("AAPL", 10, 100), lot("AAPL", -15, 200, "2021-01-01", fees=15)])
        assert (position.quantity, position.realised) == (-5, 990)
        assert (position.average, position.gain) == (199, 245)

    def test_parts_of_coins_are_exact(self) -> None:
        lots = [lot("BTC-USD", "0.1", 1), lot("BTC-USD", "0.2", 1), lot("BTC-USD", "-0.3", 1, "2021-01-01")]
        assert one(lots, Market(9e4, 1.0, "USD", DAY)).quantity == 0

    def test_what_was_bought_today_gains_since_then(self) -> None:
        position = one([lot("AAPL", 10, 100), lot("AAPL", 10, 151, "2026-11-20", fees=1)])
        assert position.day_gain == 10 * 2 + 10 * (150 - 151) - 1
        assert one([lot("AAPL", 4, 149, "2026-11-20")], APPLE._replace(change=None)).day_gain == 4

    def test_what_was_sold_today_gained_until_then(self) -> None:
        position = one([lot("AAPL", 10, 100), lot("AAPL", -10, 155, "2026-11-20")])
        assert (position.quantity, position.day_gain, position.realised) == (0, 10 * (155 - 148), 550)

    def test_without_a_previous_close_the_day_is_not_known(self) -> None:
        position = one([lot("AAPL", 10, 100)], APPLE._replace(change=None))
        assert (position.gain, position.day_gain, position.day_percent) == (500, None, None)


class TestSplits:
    FOUR = SplitOn(date(2020, 8, 31), 4, 1)

    def test_one_after_the_lot_multiplies_it(self) -> None:
        position = one([lot("AAPL", 10, 400)], APPLE._replace(splits=(self.FOUR,)))
        assert (position.quantity, position.average, position.gain) == (40, 100, 2000)
        assert position.splits == (self.FOUR,)

    @pytest.mark.parametrize("day", ["2020-08-31", "2020-09-01", ""])
    def test_one_of_the_day_or_before_it_does_not_nor_of_a_lot_without_a_day(self, day: str) -> None:
        position = one([lot("AAPL", 10, 100, day)], APPLE._replace(splits=(self.FOUR,)))
        assert (position.quantity, position.splits) == (10, ())

    def test_one_to_come_does_not_count_yet(self) -> None:
        market = APPLE._replace(splits=(SplitOn(DAY + timedelta(1), 4, 1),))
        assert one([lot("AAPL", 10, 100)], market).quantity == 10

    @given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 1000), st.integers(1, 1000))
    def test_a_lot_before_it_is_a_lot_after_it(self, new: int, old: int, quantity: int, price: int) -> None:
        before = one([lot("AAPL", quantity, price)], APPLE._replace(splits=(SplitOn(date(2020, 8, 31), new, old),)))
        after = portfolio(
            [Lot("AAPL", Decimal(quantity * new), Decimal(price * old), date(2021, 1, 1))], {"AAPL": APPLE}, "USD"
        ).positions[0]
        assert before.quantity * old == pytest.approx(after.quantity)
        assert before.cost is not None and after.cost is not None
        assert before.cost * new * old == pytest.approx(after.cost)

    def test_a_reverse_split_before_a_sale_closes_all(self) -> None:
        market = APPLE._replace(splits=(SplitOn(date(2020, 8, 31), 1, 3),))
        assert one([lot("AAPL", 9, 1), lot("AAPL", -3, 6, "2021-01-01")], market).quantity == 0


class TestCurrencies:
    def test_pence_are_hundredths_of_pounds(self) -> None:
        position = one([lot("VOD.L", 1000, 90, fees=10)], VODAFONE)
        assert position.value == pytest.approx(1157.5 * 1.25)
        assert position.cost == pytest.approx(910 * 1.25)
        assert position.average == pytest.approx(91)
        assert position.day_gain == pytest.approx(-2.5 * 1.25)

    @pytest.mark.parametrize("unit", ["GBP", "GBp", "GBX"])
    def test_a_lot_may_name_pounds_or_pence(self, unit: str) -> None:
        price = "0.9" if unit == "GBP" else "90"
        position = one([lot("VOD.L", 1000, price, currency=unit)], VODAFONE)
        assert position.gain == pytest.approx((1157.5 - 900) * 1.25)

    def test_what_was_paid_in_the_currency_of_the_account_stays_what_it_was(self) -> None:
        position = one([lot("SAP.DE", 10, 180, currency="USD")], SAP)
        assert (position.value, position.gain) == (pytest.approx(2200), pytest.approx(400))
        assert position.average is None  # it is not in euros

    def test_without_a_rate_it_says_so_and_sums_nothing_up(self) -> None:
        markets = {"AAPL": APPLE, "SAP.DE": SAP, "VOD.L": VODAFONE, "GBPUSD=X": Market(1.25)}
        found = portfolio([lot("AAPL", 1, 100), lot("SAP.DE", 1, 100), lot("VOD.L", 100, 100)], markets, "USD")
        apple, sap, vodafone = found.positions
        assert (sap.value, sap.gain, sap.lack) == (None, None, "no rate for EUR")
        assert (apple.value, vodafone.value) == (150, pytest.approx(144.6875))
        assert (found.value, found.gain, found.day_gain, found.gain_percent) == (None,) * 4
        assert found.known == pytest.approx(294.6875)
        assert found.lacks == ("SAP.DE: no rate for EUR",)
        assert {position.share for position in found.positions} == {None}

    def test_a_rate_without_a_price_is_none(self) -> None:
        found = portfolio([lot("SAP.DE", 1, 100)], {"SAP.DE": SAP, "EURUSD=X": Market(None)}, "USD")
        assert found.positions[0].lack == "no rate for EUR"

    def test_the_currency_comes_from_provider_symbol_or_lots_and_is_never_guessed(self) -> None:
        unknown = Market(100.0, 1.0, "", DAY)
        assert one([lot("AAPL", 1, 90)], unknown).gain == 10
        assert one([lot("BTC-EUR", 1, 90)], unknown).gain == pytest.approx(11)
        assert one([lot("SAP.DE", 1, 90, currency="EUR")], unknown).gain == pytest.approx(11)
        assert "currency of its price is not known" in one([lot("SAP.DE", 1, 90)], unknown).lack

    @given(st.integers(-50, 50), st.integers(1, 500), st.floats(0.01, 100))
    def test_another_account_has_the_same_percentages(self, quantity: int, price: int, rate: float) -> None:
        assume(quantity)
        lots = [lot("AAPL", quantity, price, fees=1)]
        dollars = portfolio(lots, {"AAPL": APPLE}, "USD")
        euros = portfolio(lots, {"AAPL": APPLE, "EURUSD=X": Market(rate)}, "EUR")
        assert euros.value is not None and euros.gain is not None
        assert euros.value * rate == pytest.approx(dollars.value)
        assert euros.gain * rate == pytest.approx(dollars.gain)
        assert euros.gain_percent == pytest.approx(dollars.gain_percent)
        assert euros.day_percent == pytest.approx(dollars.day_percent)


class TestSums:
    def test_gains_percentages_and_shares(self) -> None:
        found = portfolio([lot("AAPL", 10, 100), lot("X", -5, 120)], {"AAPL": APPLE, "X": Market(100.0, -1.0)}, "USD")
        assert (found.value, found.gain, found.day_gain) == (1000, 600, 25)
        assert found.gain_percent == pytest.approx(100 * 600 / 1600)
        assert found.day_percent == pytest.approx(100 * 25 / (1480 + 505))
        assert [position.share for position in found.positions] == [0.75, -0.25]

    def test_one_without_a_price_keeps_the_sum_away_and_hurts_no_other(self) -> None:
        lots = [lot("AAPL", 1, 100), lot("NEW", 1, 100), lot("GONE", 1, 100)]
        found = portfolio(lots, {"AAPL": APPLE, "NEW": Market(None, lack="no such symbol")}, "USD")
        assert found.value is None
        assert found.lacks == ("NEW: no such symbol", "GONE: it is not watched")
        assert found.positions[0].gain == 50

    def test_of_what_is_no_longer_held_there_are_no_metrics(self) -> None:
        position = one([lot("AAPL", 1, 100), lot("AAPL", -1, 120, "2021-01-01")])
        assert set(position.metrics.values()) == {None}
        assert one([lot("AAPL", 1, 100)]).metrics == {"value": 150, "gain": 50, "gain%": 50, "day_gain": 2}

    def test_nothing_is_nothing(self) -> None:
        assert portfolio([], {}, "USD") == Portfolio("USD", (), 0, 0, None, 0, None, 0, 0)


LOTS = st.lists(
    st.builds(
        Lot,
        ticker=st.sampled_from(["AAPL", "X", "VOD.L"]),
        quantity=st.decimals(-1000, 1000, places=4).filter(bool),
        price=st.decimals(0, 1000, places=2),
        day=st.none() | st.dates(date(2020, 1, 1), date(2026, 11, 21)),
        fees=st.decimals(0, 20, places=2),
        currency=st.sampled_from(["", "USD"]),
    ),
    max_size=12,
)
MARKETS = {"AAPL": APPLE, "X": Market(3.5, 0.25, "USD", DAY), "VOD.L": VODAFONE, **RATES}


@given(LOTS)
def test_gains_are_what_there_is_less_what_was_paid(lots: list[Lot]) -> None:
    """However lots follow on each other: nothing is lost between what is held and what was realised."""
    found = portfolio(lots, MARKETS, "USD")
    # The fees of a lot in pence are pounds.
    paid = 0.0
    for each in lots:
        in_pence = each.ticker == "VOD.L" and not each.currency
        spent = float(each.quantity * each.price) / (100 if in_pence else 1) + float(each.fees)
        paid += spent * (1.25 if in_pence else 1)
    assert found.value is not None and found.gain is not None and found.realised is not None
    assert found.gain + found.realised == pytest.approx(found.value - paid, abs=1e-5)
    assert found.value == pytest.approx(sum(position.value for position in found.positions))
    if any(position.value for position in found.positions):
        assert sum(abs(position.share) for position in found.positions) == pytest.approx(1)


@given(LOTS)
def test_the_other_side_of_all_trades_gains_what_these_lose(lots: list[Lot]) -> None:
    free = [each._replace(fees=Decimal(0)) for each in lots]
    ours = portfolio(free, MARKETS, "USD")
    theirs = portfolio([each._replace(quantity=-each.quantity) for each in free], MARKETS, "USD")
    for name in ("value", "gain", "realised", "day_gain"):
        assert getattr(theirs, name) == pytest.approx(-getattr(ours, name))


@given(LOTS, LOTS)
def test_lots_of_one_ticker_are_nothing_to_another(lots: list[Lot], more: list[Lot]) -> None:
    own = [each for each in lots if each.ticker == "AAPL"]
    others = [each for each in more if each.ticker != "AAPL"]
    alone, together = portfolio(own, MARKETS, "USD").of("AAPL"), portfolio([*others, *own], MARKETS, "USD").of("AAPL")
    if alone is not None:
        assert together is not None
        assert together._replace(share=None) == alone._replace(share=None)


class TestWanted:
    def test_tickers_and_the_pairs_of_their_currencies(self) -> None:
        lots = [lot("AAPL", 1, 1), lot("SAP.DE", 1, 1), lot("VOD.L", 1, 1), lot("7203.T", 1, 1, currency="JPY")]
        assert wanted(lots, {"SAP.DE": SAP, "VOD.L": VODAFONE}, "USD") == [
            "AAPL",
            "EURUSD=X",
            "GBPUSD=X",
            "7203.T",
            "JPY=X",
        ]

    def test_nothing_that_is_there_or_not_needed(self) -> None:
        lots = [lot("AAPL", 1, 1), lot("SAP.DE", 1, 1)]
        assert wanted(lots, {"AAPL": APPLE, "SAP.DE": SAP, "USDEUR=X": Market(0.9)}, "USD") == []
        assert wanted(lots, {"AAPL": APPLE, "SAP.DE": SAP, "EURUSD=X": Market(None)}, "USD") == []
        assert wanted(lots[:1], {"AAPL": APPLE._replace(currency="")}, "EUR") == ["EURUSD=X"]
