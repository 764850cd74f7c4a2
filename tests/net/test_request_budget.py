"""The budget on a clock of the test's, across restarts, jumps of the clock and damage."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import Clock
from pipeline.net.request_budget import Budget, BudgetSpentError, RateLimit
from testkit.data import NEW_YORK
from testkit.examples import DEAR
from testkit.fakes import FakeClock

EVENING = datetime(2026, 3, 4, 23, 0, tzinfo=NEW_YORK).astimezone(UTC)


def budget(path: Path, clock: Clock, *rates: tuple[int, float], per_day: int | None = 25, key: str = "key") -> Budget:
    return Budget(
        path / "budget.json", clock, key=key, rates=[RateLimit(*rate) for rate in rates], per_day=per_day, zone=NEW_YORK
    )


@settings(max_examples=DEAR)
@given(
    rates=st.lists(st.tuples(st.integers(1, 5), st.sampled_from([1.0, 10.0, 60.0])), min_size=1, max_size=3),
    per_day=st.none() | st.integers(1, 40),
    pauses=st.lists(st.floats(0, 40_000), max_size=20),
    restarts=st.sets(st.integers(0, 60)),
)
async def test_no_window_and_no_day_ever_holds_too_many(tmp_path_factory, rates, per_day, pauses, restarts):
    path, clock = tmp_path_factory.mktemp("budget"), FakeClock(EVENING, auto=True)
    of = budget(path, clock, *rates, per_day=per_day)
    left: list[datetime] = []
    for number in range(60):
        if number in restarts:
            of = budget(path, clock, *rates, per_day=per_day)
        if number < len(pauses):
            clock.jump(pauses[number])
        try:
            await of.permit()
            left.append(clock.now())
        except BudgetSpentError as spent:
            clock.jump((spent.until - clock.now()).total_seconds())
    slack = timedelta(milliseconds=1)  # of times that went through the file
    for count, seconds in rates:
        for first, beyond in zip(left, left[count:], strict=False):
            assert beyond - first >= timedelta(seconds=seconds) - slack
    days = [at.astimezone(NEW_YORK).date() for at in left]
    assert per_day is None or max(map(days.count, days)) <= per_day


async def test_what_did_not_leave_is_taken_back_from_the_day_also_across_a_restart(tmp_path):
    clock = FakeClock(EVENING, auto=True)
    of = budget(tmp_path, clock, per_day=2)
    take_back = await of.permit()
    await of.permit()
    assert of.left == 0
    take_back()
    assert (of.used, of.left) == (1, 1)
    assert budget(tmp_path, clock, per_day=2).used == 1


async def test_several_awaiters_leave_one_after_the_other_in_the_order_they_came(tmp_path):
    clock = FakeClock(EVENING)
    of = budget(tmp_path, clock, (1, 1.0))
    order: list[tuple[int, float]] = []

    async def one(number: int) -> None:
        await of.permit()
        order.append((number, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(one(number))
        await clock.advance(10)
    assert order == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]


async def test_who_gives_up_waiting_costs_nothing_and_holds_up_nobody(tmp_path):
    clock = FakeClock(EVENING)
    of = budget(tmp_path, clock, (1, 60.0))
    await of.permit()
    impatient, patient = asyncio.create_task(of.permit()), asyncio.create_task(of.permit())
    await clock.advance(10)
    impatient.cancel()
    await clock.advance(60)
    assert patient.done() and of.used == 2


async def test_the_day_begins_at_midnight_in_the_providers_zone(tmp_path):
    clock = FakeClock(EVENING)
    of = budget(tmp_path, clock, per_day=2)
    await of.permit()
    await of.permit()
    assert (of.used, of.left) == (2, 0)
    with pytest.raises(BudgetSpentError) as caught:
        await of.permit()
    assert caught.value.until == of.next_at == datetime(2026, 3, 5, tzinfo=NEW_YORK)
    clock.jump(3600)
    assert (of.used, of.left) == (0, 2)


async def test_a_clock_that_goes_astray_and_comes_back_finds_its_count(tmp_path):
    clock = FakeClock(EVENING)
    await budget(tmp_path, clock, per_day=3).permit()
    await budget(tmp_path, FakeClock(EVENING + timedelta(days=900)), per_day=3).permit()
    back = budget(tmp_path, FakeClock(EVENING - timedelta(minutes=5)), (1, 60.0), per_day=3)
    assert back.left == 2
    assert back.next_at <= EVENING - timedelta(minutes=4)  # a request of the future was just now, not in years


async def test_the_providers_word_holds_until_the_next_day(tmp_path):
    clock = FakeClock(EVENING)
    of = budget(tmp_path, clock, per_day=None)
    of.refuse_today()
    of = budget(tmp_path, clock, per_day=None)
    assert of.left == 0 and of.refused
    clock.jump(3600)
    assert of.left is None and not of.refused


async def test_a_hold_is_waited_for(tmp_path):
    clock = FakeClock(EVENING, auto=True)
    of = budget(tmp_path, clock)
    of.hold(30)
    assert of.next_at == EVENING + timedelta(seconds=30)
    await of.permit()
    assert clock.monotonic() == 30


@pytest.mark.parametrize("content", [b"", b"{", b'{"days": {"2026-03-04": "many"}}', b"\xff\xfe"])
async def test_a_damaged_file_counts_for_nothing_and_the_log_says_so(tmp_path, caplog, content):
    (tmp_path / "budget.json").write_bytes(content)
    of = budget(tmp_path, FakeClock(EVENING))
    assert of.left == 25
    assert "budget.json cannot be read and is ignored" in caplog.text
    await of.permit()
    assert budget(tmp_path, FakeClock(EVENING)).used == 1


async def test_a_file_that_cannot_be_written_stops_nobody(tmp_path, caplog):
    of = Budget(tmp_path / "none" / "budget.json", FakeClock(EVENING), key="", rates=[], per_day=2, zone=NEW_YORK)
    await of.permit()
    assert of.left == 1 and "cannot be written" in caplog.text


async def test_another_key_has_a_budget_of_its_own(tmp_path):
    clock = FakeClock(EVENING)
    await budget(tmp_path, clock).permit()
    assert budget(tmp_path, clock, key="another").used == 0
