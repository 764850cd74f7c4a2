"""What a quote's change is counted from: the close of the UTC day before."""

from datetime import UTC, datetime

from pipeline.model.messages import Bar
from pipeline.sources.crypto.closes import Closes


def day(number: int, close: float, *, closed: bool = True) -> Bar:
    ts = datetime(2026, 3, number, tzinfo=UTC)
    values = {"open": close, "high": close, "low": close, "close": close}
    return Bar(ticker="BTC-USD", interval="daily", ts=ts, closed=closed, **values)


def at(number: int, hour: int = 15) -> datetime:
    return datetime(2026, 3, number, hour, tzinfo=UTC)


def test_it_is_that_of_the_day_before() -> None:
    closes = Closes()
    closes.learn("BTC-USD", [day(2, 20), day(3, 30), day(4, 40, closed=False)], at(4))
    assert closes.before("BTC-USD", at(4)) == 30
    assert closes.before("BTC-USD", at(3)) == 20


def test_after_midnight_it_is_unknown_until_it_is_asked_for_again() -> None:
    closes = Closes()
    closes.learn("BTC-USD", [day(3, 30), day(4, 40, closed=False)], at(4))
    assert closes.before("BTC-USD", at(5, 0)) is None
    closes.learn("BTC-USD", [day(3, 30), day(4, 41), day(5, 50, closed=False)], at(5, 0))
    assert closes.before("BTC-USD", at(5, 0)) == 41


def test_a_day_without_a_trade_has_none() -> None:
    closes = Closes()
    closes.learn("BTC-USD", [day(1, 10)], at(4))
    assert closes.before("BTC-USD", at(4)) == 10


def test_of_what_was_never_asked_for_or_never_traded_it_is_unknown() -> None:
    closes = Closes()
    closes.learn("NEW-USD", [], at(4))
    assert closes.before("NEW-USD", at(4)) is None
    assert closes.before("BTC-USD", at(4)) is None
