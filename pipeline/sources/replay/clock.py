"""The time of a replay, which can be held, stepped and made faster while it runs."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.contract.snapshot import ReplayView

_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


class ReplayClock:
    """That of the replay's first bar when it starts, and `speed` times as fast as the real one since.

    But for what is skipped, and while it is paused. Without a speed it is as fast as bars are taken.
    """

    def __init__(self, speed: float | None, clock: Clock) -> None:
        self._clock = clock
        self._origin: tuple[datetime, float] | None = None
        self._held: datetime | None = None
        self._reached: datetime | None = None
        self._changed = asyncio.Event()
        self._steps = 0
        self._ended = False
        self.speed = speed
        self.paused = False

    def start(self, first: datetime) -> None:
        """Begin at `first`, or go on if it has begun."""
        self._ended = False
        if self._origin is None:
            self._origin = first, self._clock.monotonic()

    @property
    def time(self) -> datetime | None:
        """What a viewer would read on it: of what is as fast as possible, or has come to its end, the time of the last
        bar; None before the first."""
        return self._reached if self._ended or self.speed is None or self._origin is None else self.now()

    def now(self) -> datetime:
        """Up to when bars are due."""
        if self._held is not None:
            return self._held
        if self.speed is None or self._origin is None:
            return _FOREVER
        first, started = self._origin
        try:
            return first + timedelta(seconds=(self._clock.monotonic() - started) * self.speed)
        except OverflowError:  # so fast that the calendar has ended
            return _FOREVER

    def reached(self, time: datetime) -> None:
        """A bar of that time is handed out."""
        self._reached = time if self._reached is None else max(self._reached, time)

    def end(self) -> None:
        """All bars are handed out."""
        self._ended = True

    def skip_to(self, time: datetime) -> None:
        """Let it be that time now."""
        if self._held is not None:
            self._held = time
        self._origin = time, self._clock.monotonic()

    def set_speed(self, speed: float | None) -> None:
        """Go on from now at another speed."""
        if (time := self.time) is not None:
            self.speed = speed
            self.skip_to(time)
        self.speed = speed
        self._wake()

    def set_paused(self, paused: bool) -> None:
        """Stand still, or go on from there."""
        time = self.time
        if paused and time is not None:
            self._held = time
        elif not paused and (held := self._held) is not None:
            self._held = None
            self.skip_to(held)
        self.paused = self._held is not None
        self._wake()

    def step(self) -> None:
        """While it is paused, go on to the next bar."""
        if self.paused:
            self._steps += 1
            self._wake()

    def takes_step(self) -> bool:
        """Whether a step was asked for since the last call."""
        taken = self._steps > 0 and self.paused
        self._steps = self._steps - 1 if taken else 0
        return taken

    def view(self) -> ReplayView:
        """As `Replaying.replay`."""
        at = self.time
        return ReplayView(
            at=None if at is None else at.timestamp(),
            speed="max" if self.speed is None else self.speed,
            paused=self.paused,
        )

    def change(self, speed: float | Literal["max"] | None, paused: bool | None, *, step: bool) -> None:
        """As `Replaying.set_replay`."""
        if speed is not None:
            self.set_speed(None if speed == "max" else speed)
        if paused is not None:
            self.set_paused(paused)
        if step:
            self.step()

    async def sleep_until(self, time: datetime) -> None:
        """Wait for that time, or until something about the clock is changed."""
        changed = self._changed
        if self.paused:
            await changed.wait()
        elif self.speed is not None:
            # A microsecond more, the resolution of `now`, so that rounding does not wake it just before.
            seconds = (time - self.now()).total_seconds() / self.speed + 1e-6
            await first_of(self._clock.sleep(seconds), changed.wait())

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
