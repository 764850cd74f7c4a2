"""A replay that is held, stepped and made faster while it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pipeline.model.messages import AnyMessage
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Replaying
from pipeline.sources.replay.clock import ReplayClock
from pipeline.sources.replay.source import ReplaySource
from testkit.fakes import START, FakeClock

FIRST = 1_709_564_400.0
"""2024-03-04 10:00 in New York."""


class Played:
    """A recording of 100 minutes of A, played at a speed."""

    def __init__(self, directory: Path, speed: float | None) -> None:
        rows = [f"2024-03-04 {10 + i // 60}:{i % 60:02d}:00,10,11,9,10,100" for i in range(100)]
        (directory / "A_1min.csv").write_text("\n".join(["datetime,open,high,low,close,volume", *rows, ""]))
        self.clock = FakeClock()
        self.replay = ReplaySource(directory, speed=speed, clock=self.clock)
        self.messages: list[AnyMessage] = []

    async def stream(self) -> None:
        [feed] = self.replay.feeds()
        async for batch in feed.stream(Watchlist(["A"])):
            self.messages += batch

    async def has(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.messages) < count:
                await asyncio.sleep(0.001)
        assert len(self.messages) == count

    async def go_on(self, seconds: float) -> None:
        """Once it waits for its next bar, let the time pass."""
        async with asyncio.timeout(10):
            while self.clock.next_in is None:
                await asyncio.sleep(0.001)
        await self.clock.advance(seconds)


@asynccontextmanager
async def played(directory: Path, speed: float | None) -> AsyncIterator[Played]:
    playing = Played(directory, speed)
    task = asyncio.create_task(playing.stream())
    yield playing
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_stands_still_goes_on_by_a_bar_and_faster(tmp_path: Path) -> None:
    async with played(tmp_path, 60) as playing:
        replay = playing.replay
        assert isinstance(replay, Replaying)
        await playing.has(1)
        await playing.go_on(2.5)
        await playing.has(3)
        assert (replay.replay().at, replay.replay().speed) == (FIRST + 150, 60)
        replay.set_replay(None, True, step=False)
        await playing.clock.advance(600)
        await playing.has(3)
        assert (replay.replay().at, replay.replay().paused) == (FIRST + 150, True)
        for count in (4, 5):
            replay.set_replay(None, None, step=True)
            await playing.has(count)
        assert replay.replay().at == FIRST + 240
        replay.set_replay(600, False, step=False)
        await playing.go_on(1.55)
        await playing.has(5 + 15)
        replay.set_replay("max", None, step=False)
        await playing.has(100)
        assert (replay.replay().at, replay.replay().speed) == (FIRST + 99 * 60, "max")


@pytest.mark.parametrize("speed", [None, 60.0])
def test_without_a_bar_there_is_no_time_and_nothing_to_hold(speed: float | None) -> None:
    clock = ReplayClock(speed, FakeClock())
    assert clock.time is None
    clock.set_paused(True)
    clock.step()
    clock.set_speed(5)
    assert (clock.time, clock.paused, clock.takes_step()) == (None, False, False)


def test_one_as_fast_as_possible_goes_on_from_its_last_bar_at_a_speed() -> None:
    machine = FakeClock()
    clock = ReplayClock(None, machine)
    clock.start(START)
    clock.reached(START)
    machine.jump(100)
    clock.set_speed(2)
    machine.jump(10)
    assert clock.time is not None
    assert (clock.time - START).total_seconds() == 20


async def test_at_the_end_it_is_the_time_of_the_last_bar_for_good(tmp_path: Path) -> None:
    async with played(tmp_path, 6000) as playing:
        await playing.go_on(1.0)
        await playing.has(100)
        await playing.clock.advance(3600)
        assert playing.replay.replay().at == FIRST + 99 * 60
