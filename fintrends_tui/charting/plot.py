"""What a chart shows: all that drawing one needs but its size."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal, NamedTuple

from fintrends_tui.charting.buckets import Candle, Step
from fintrends_tui.charting.candles import BLOCKS, Glyphs
from fintrends_tui.charting.canvas import Tone

Style = Literal["candles", "line"]


class Line(NamedTuple):
    """A value for each candle, None where there is none; the legend calls it by its label."""

    label: str
    values: Sequence[float | None]
    tone: Tone


class Pane(NamedTuple):
    """A chart of its own below the prices, with a value for each candle: `bars` rise and hang from zero, lines go over
    them.

    Bars have the colours of the candles if they are `of_candles`, else those of their sign. The axis reaches from `low`
    to `high`, or over all that is drawn where these are None; `guides` are levels to be marked, `weight` is how many
    lines it wants beside others.
    """

    label: str
    bars: Sequence[float | None] = ()
    lines: Sequence[Line] = ()
    low: float | None = None
    high: float | None = None
    guides: Sequence[float] = ()
    of_candles: bool = False
    decimals: int = 2
    weight: int = 3


class Band(NamedTuple):
    """A forecast: where the price will be with some probability, as (seconds since the epoch, low, high)."""

    points: Sequence[tuple[float, float, float]]
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """`candles` are one or more, oldest first, of the length `step`; dates and times are those of `zone`.

    `price` is the last one, if it is not the close of the last candle; `previous_close` that of the session before.
    `unit` is what follows values that are no prices. The `cursor` is the position of the candle that is looked at.
    `basis` says what lines are computed of, where not of the candles. `bands` are forecasts, the widest first; `glyphs`
    say how bodies are filled; `heading` is whether the first line may name values and dates.
    """

    candles: Sequence[Candle]
    step: Step
    zone: tzinfo = UTC
    ticker: str = ""
    style: Style = "candles"
    lines: Sequence[Line] = ()
    panes: Sequence[Pane] = ()
    bands: Sequence[Band] = ()
    price: float | None = None
    previous_close: float | None = None
    log: bool = False
    unit: str = ""
    cursor: int | None = None
    glyphs: Glyphs = BLOCKS
    heading: bool = True
    basis: str = ""

    @property
    def last(self) -> float:
        return self.candles[-1].close if self.price is None else self.price

    @property
    def rising(self) -> bool:
        """Whether the last price is not below the previous close or, where none is known, the first price shown."""
        return self.last >= (self.candles[0].open if self.previous_close is None else self.previous_close)


def volume_pane(candles: Sequence[Candle]) -> Pane:
    """What was traded, in the colours of the candles."""
    return Pane("Vol", [candle.volume for candle in candles], low=0.0, of_candles=True, weight=2)
