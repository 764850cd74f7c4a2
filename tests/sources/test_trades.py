"""Bars of a minute from single trades."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.trades import KEPT, MinuteBars, Trade
from testkit.fakes import START

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def trade(seconds: float, price: float, size: float = 1.0, ticker: str = "AAPL") -> Trade:
    return Trade(ticker, price, size, START + timedelta(seconds=seconds))


def listening() -> MinuteBars:
    bars = MinuteBars("test", "USD")
    bars.begin("AAPL", START)
    return bars


def test_a_bar_forms_and_is_closed_when_its_minute_is_over() -> None:
    bars = listening()
    for made in (trade(0, 10, 100), trade(20, 12, 5), trade(40, 9, 1), trade(59.999, 11, 0)):
        bars.add(made, made.at)
    (forming,) = bars.changed(START + 59 * SECOND)
    assert (forming.open, forming.high, forming.low, forming.close, forming.volume) == (10, 12, 9, 11, 106)
    assert (forming.ts, forming.interval, forming.closed) == (START, "1min", False)
    assert (forming.currency, forming.source) == ("USD", "test")
    bars.published([forming])
    assert bars.changed(START + 60 * SECOND) == []
    (closed,) = bars.changed(START + 62 * SECOND)
    assert closed.closed and closed.close == 11 and closed.revision > forming.revision
    bars.published([closed])
    assert bars.changed(START + 63 * SECOND) == []


def test_a_late_trade_corrects_its_bar_with_a_higher_revision() -> None:
    bars = listening()
    bars.add(trade(30, 10), START + 30 * SECOND)
    bars.add(trade(70, 20), START + 70 * SECOND)
    first, forming = bars.changed(START + 70 * SECOND)
    bars.published([first, forming])
    bars.add(trade(10, 8), START + 71 * SECOND)  # before the open
    bars.add(trade(50, 9), START + 71 * SECOND)  # after the close
    (corrected,) = bars.changed(START + 71 * SECOND)
    assert (corrected.open, corrected.high, corrected.low, corrected.close, corrected.volume) == (8, 10, 8, 9, 3)
    assert corrected.closed and corrected.revision > first.revision
    (again,) = bars.changed(START + 71 * SECOND)
    assert again == corrected, "it has not been published yet"


def test_two_corrections_in_one_millisecond_have_an_order() -> None:
    bars = listening()
    revisions = []
    for price in (10, 11, 12):
        bars.add(trade(1, price), START + SECOND)
        (bar,) = bars.changed(START + SECOND)
        revisions.append(bar.revision)
    assert revisions == sorted(set(revisions))


def test_what_changed_while_it_was_being_published_comes_again() -> None:
    bars = listening()
    bars.add(trade(1, 10), START + SECOND)
    first = bars.changed(START + SECOND)
    bars.add(trade(2, 11), START + 2 * SECOND)
    bars.published(first)
    (second,) = bars.changed(START + 2 * SECOND)
    assert second.close == 11
    bars.published(first)  # which says nothing of the second
    assert bars.changed(START + 3 * SECOND) == [second]


def test_the_minute_under_way_at_the_beginning_gives_no_bar() -> None:
    bars = MinuteBars("test")
    bars.begin("AAPL", START + 30 * SECOND)
    bars.begin("AAPL", START + 70 * SECOND)  # the connection was made again: nothing changes
    bars.add(trade(40, 10), START + 40 * SECOND)
    bars.add(trade(-600, 10), START + 40 * SECOND)
    bars.add(trade(60, 11), START + 60 * SECOND)
    bars.add(trade(60, 12, ticker="MSFT"), START + 60 * SECOND)
    assert [(bar.ts, bar.open) for bar in bars.changed(START + 65 * SECOND)] == [(START + MINUTE, 11)]
    bars.end("AAPL")
    bars.add(trade(61, 13), START + 61 * SECOND)
    assert bars.changed(START + 66 * SECOND) == [], "another may have the ticker now"


def test_a_trade_of_a_minute_long_over_or_to_come_is_refused() -> None:
    bars = listening()
    now = START + MINUTE + KEPT
    with pytest.raises(ValueError, match="too long ago"):
        bars.add(trade(1, 10), now)
    with pytest.raises(ValueError, match="a time to come"):
        bars.add(Trade("AAPL", 10, 1, now + 2 * MINUTE), now)


def test_what_is_over_is_forgotten() -> None:
    bars = listening()
    bars.add(trade(1, 10), START + SECOND)
    bars.published(bars.changed(START + MINUTE + 5 * SECOND))
    bars.changed(START + MINUTE + KEPT)
    assert not bars._minutes and not bars._unpublished


made = st.tuples(st.integers(0, 179_999), st.integers(1, 1000), st.integers(0, 10_000))


@given(st.lists(made, min_size=1, max_size=12, unique_by=lambda row: row[0]), st.randoms(use_true_random=False))
def test_the_bars_do_not_depend_on_the_order_of_arrival(rows: list[tuple[int, int, int]], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    bars, now = listening(), START + 200 * SECOND
    for at, price, size in shuffled:
        bars.add(trade(at / 1000, price, size), now)
    by_minute: dict[int, list[tuple[int, int, int]]] = {}
    for row in sorted(rows):
        by_minute.setdefault(row[0] // 60_000, []).append(row)
    assert [(bar.ts, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars.changed(now)] == [
        (
            START + minute * MINUTE,
            found[0][1],
            max(price for _, price, _ in found),
            min(price for _, price, _ in found),
            found[-1][1],
            sum(size for _, _, size in found),
        )
        for minute, found in sorted(by_minute.items())
    ]
