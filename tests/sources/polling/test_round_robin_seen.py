"""Whose turn it is, and what has been handed out."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.polling.round_robin import NEWCOMER, RoundRobin
from pipeline.sources.polling.seen import REMEMBERED, Seen


def turns(round_robin: RoundRobin, tickers: list[str], until: float, start: float = 0.0) -> list[tuple[float, str]]:
    """Who is asked when, by somebody who takes no time."""
    now, asked = start, []
    while True:
        ticker, wait = round_robin.next(tickers, now)
        now += wait
        if now >= until:
            return asked
        asked.append((now, ticker))
        round_robin.asked(ticker, tickers, now)


@given(count=st.integers(1, 40), period=st.sampled_from([60.0, 600.0]), spacing=st.sampled_from([0.0, 20.0]))
def test_all_are_asked_soon_then_each_once_a_period_and_evenly(count: int, period: float, spacing: float) -> None:
    tickers = [f"T{number}" for number in range(count)]
    asked = turns(RoundRobin(period, spacing), tickers, 6 * max(period, count * spacing))
    first = asked[:count]
    assert [ticker for _, ticker in first] == tickers
    assert first[-1][0] == pytest.approx((count - 1) * min(NEWCOMER, max(period / count, spacing)))
    lasting = max(period, count * spacing)
    later = [time for time, _ in asked if time >= 2 * lasting + period]
    assert [b - a for a, b in pairwise(later)] == pytest.approx([lasting / count] * (len(later) - 1))


def test_a_newcomer_is_asked_at_once_and_one_that_comes_back_too() -> None:
    round_robin = RoundRobin(600)
    turns(round_robin, ["A", "B"], 1000)
    assert round_robin.next(["A", "B", "C"], 1000) == ("C", 0)
    round_robin.asked("C", ["A", "B", "C"], 1000)
    round_robin.next(["A", "B"], 1001)
    assert round_robin.next(["A", "B", "C"], 1100) == ("C", 0)


def test_one_that_goes_and_comes_back_again_and_again_is_not_pushed_away() -> None:
    round_robin = RoundRobin(600)
    for time in range(0, 100, 10):
        assert round_robin.next(["A", "B"], time) == ("A" if time == 0 else "B", 0)
        round_robin.asked("A" if time == 0 else "B", ["A", "B"], time)
        round_robin.next(["A"], time + 5)
    round_robin.next(["A", "B"], 100)
    round_robin.asked("B", ["A", "B"], 100)
    assert turns(round_robin, ["A", "B"], 1000, start=100)[:2] == [(600, "A"), (900, "B")]


def test_one_that_is_put_off_waits_and_holds_nobody_up() -> None:
    round_robin = RoundRobin(600)
    round_robin.asked("BAD", ["BAD", "GOOD"], 0, pause=86_400)
    asked = turns(round_robin, ["BAD", "GOOD"], 86_400, start=0.0)
    assert {ticker for _, ticker in asked} == {"GOOD"}
    assert len(asked) == pytest.approx(144, abs=1)


class TestSeen:
    def test_what_was_handed_out_is_not_new_and_a_late_one_is(self, tmp_path: Path) -> None:
        seen = Seen(tmp_path / "x.json")
        assert not seen.knows("A")
        seen.add("A", [5, 7])
        assert seen.knows("A")
        assert [n for n in range(9) if n and seen.is_new("A", n)] == [1, 2, 3, 4, 6, 8]
        assert seen.is_new("B", 5)

    def test_a_restart_knows_the_newest(self, tmp_path: Path) -> None:
        Seen(tmp_path / "x.json").add("A", [5, 7])
        again = Seen(tmp_path / "x.json")
        assert [n for n in range(1, 9) if again.is_new("A", n)] == [8]
        again.add("B", [1])
        assert [n for n in range(1, 9) if Seen(tmp_path / "x.json").is_new("A", n)] == [8]

    def test_it_is_bounded_and_forgets_nothing_that_could_come_back(self, tmp_path: Path) -> None:
        seen = Seen(tmp_path / "x.json")
        for number in range(1, 3 * REMEMBERED):
            seen.add("A", [number])
            assert not seen.is_new("A", number)
        assert not any(seen.is_new("A", number) for number in range(1, 3 * REMEMBERED))
        assert seen.is_new("A", 3 * REMEMBERED)
        assert (tmp_path / "x.json").stat().st_size < 100

    @pytest.mark.parametrize("content", ["", "[", "[1]", '{"newest": {"A": "x"}}', '{"newest": null}'])
    def test_a_file_that_makes_no_sense_counts_for_nothing(
        self, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "x.json"
        path.write_text(content)
        seen = Seen(path)
        assert seen.is_new("A", 1)
        assert "x.json" in caplog.text
        seen.add("A", [3])
        assert json.loads(path.read_text()) == {"newest": {"A": 3}}
