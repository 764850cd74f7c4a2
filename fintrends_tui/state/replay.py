"""What the screen makes of a replay: how fast it can go, and how old its prices are. Pure; knows no widget."""

from typing import Final, Literal

from msgspec.structs import replace

from pipeline.contract.snapshot import ReplayView, TickerView

Speed = float | Literal["max"]
SPEEDS: Final[tuple[Speed, ...]] = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, "max")


def next_speed(speed: Speed, step: int) -> Speed:
    """The next of `SPEEDS` that is faster (1) or slower (-1); the last is kept."""
    value = _rate(speed)
    if step > 0:
        return next((known for known in SPEEDS if _rate(known) > value), SPEEDS[-1])
    return next((known for known in reversed(SPEEDS) if _rate(known) < value), SPEEDS[0])


def pace(replay: ReplayView) -> str:
    """How fast it goes, or that it stands."""
    if replay.paused:
        return "‖ paused"
    return "as fast as possible" if replay.speed == "max" else f"▶ {replay.speed:g} times real time"


def aged(ticker: TickerView) -> TickerView:
    """As old as its price is in the replay's time: when it was heard is of the time of day now."""
    return replace(ticker, updated_at=ticker.as_of)


def _rate(speed: Speed) -> float:
    return float("inf") if speed == "max" else speed
