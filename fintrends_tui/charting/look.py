"""What of a ticker a chart is to show, and which bars that needs."""

from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from fintrends_tui.charting.buckets import DAILY, STEPS, Step, step_named
from fintrends_tui.charting.plot import Style
from fintrends_tui.charting.times import local
from pipeline.contract.protocol import GetHistory
from pipeline.model.instruments import asset_class

MAX_BARS: Final = 5000
"""The most that the pipeline hands out."""
_DAY: Final = 86_400
_FEWEST_CANDLES: Final = 20
"""A longer step than lets a range have so many asks for a longer range."""


_FEWEST_ZOOMED: Final = 5
"""Minutes that can be zoomed into."""
SENTIMENT: Final = "sentiment"
"""The study that follows what is published, and no indicator."""


class PaneScale(NamedTuple):
    """The axis of a pane that is not in prices: from `low` to `high`, with levels that are marked."""

    low: float
    high: float
    guides: tuple[float, ...]
    decimals: int


class Study(NamedTuple):
    """Lines that follow indicators (`fields`), each with its name in the legend and its colour: over the prices or, if
    `pane`, in a pane of their own. There a field without a colour is drawn as bars, and `scale` is None where the axis
    is in prices."""

    label: str
    fields: tuple[str, ...]
    names: tuple[str, ...]
    tones: tuple[str, ...]
    pane: bool = False
    scale: PaneScale | None = None


STUDIES: Final = {
    "sma": Study("SMA 20/50", ("sma_20", "sma_50"), ("SMA 20", "SMA 50"), ("hue-1", "hue-2")),
    "ema": Study("EMA 12/26", ("ema_12", "ema_26"), ("EMA 12", "EMA 26"), ("hue-3", "hue-4")),
    "bands": Study(
        "Bollinger", ("bb_upper", "bb_middle", "bb_lower"), ("BB upper", "middle", "lower"), ("hue-5", "hue-5", "hue-5")
    ),
    "vwap": Study("VWAP", ("vwap",), ("VWAP",), ("hue-6",)),
    "rsi": Study(
        "RSI 14", ("rsi_14",), ("RSI 14",), ("hue-1",), pane=True, scale=PaneScale(0.0, 100.0, (70.0, 30.0), 1)
    ),
    "macd": Study(
        "MACD", ("macd", "macd_signal", "macd_hist"), ("MACD", "signal", ""), ("hue-1", "hue-2", ""), pane=True
    ),
    SENTIMENT: Study("Sentiment", (), (), (), pane=True, scale=PaneScale(-1.0, 1.0, (0.0,), 2)),
}


class TimeRange(NamedTuple):
    """A range of time that ends now, about so many seconds long; None reaches back to the first bar."""

    name: str
    seconds: float | None


TIME_RANGES: Final = {
    span.name: span
    for span in (
        TimeRange("1D", _DAY),
        TimeRange("5D", 7 * _DAY),
        TimeRange("1M", 31 * _DAY),
        TimeRange("6M", 183 * _DAY),
        TimeRange("YTD", 366 * _DAY),
        TimeRange("1Y", 366 * _DAY),
        TimeRange("5Y", 1827 * _DAY),
        TimeRange("MAX", None),
    )
}
# The longest bars of which a range still has enough, by the seconds that it is long.
_LONGEST: Final = ((2 * _DAY, 60), (8 * _DAY, 300), (45 * _DAY, 1800))


class Look(NamedTuple):
    """How prices are shown, and which.

    `span` is one of `TIME_RANGES`. A `window` of times (seconds since the epoch, None for the newest) stands in its
    place where one has zoomed or scrolled. `step` names how long the candles are, None for as short as has room.
    `extended` is whether those of before the open and after the close are among them, `fan` whether the forecast is
    shown after the newest. `beside` is what the ticker
    is compared with: another one, ``sentiment``, or ``economic:`` and the name of a series.
    """

    style: Style = "line"
    volume: bool = False
    studies: frozenset[str] = frozenset()
    span: str = "1D"
    window: tuple[float | None, float | None] | None = None
    step: str | None = None
    extended: bool = True
    log: bool = False
    fan: bool = False
    beside: str = ""

    @property
    def until(self) -> float | None:
        return None if self.window is None else self.window[1]

    @property
    def fields(self) -> list[str]:
        """The indicators that it needs."""
        return [field for name, study in STUDIES.items() if name in self.studies for field in study.fields]

    def longer(self, by: int, step: Step, shortest: Step) -> "Look | None":
        """With the next longer candles (1), or the next shorter (-1), than `step`, and a range that has enough of them;
        None where there are none."""
        steps = [s for s in STEPS if s.seconds >= shortest.seconds]
        index = steps.index(step) + by if step in steps else 0
        if not 0 <= index < len(steps):
            return None
        wanted = steps[index]
        spans = [span for span in TIME_RANGES.values() if span.name != "YTD"]
        enough = next(s for s in spans if s.seconds is None or s.seconds >= _FEWEST_CANDLES * wanted.seconds)
        now = TIME_RANGES[self.span].seconds
        grows = now is not None and now < (enough.seconds or now + 1)
        return self._replace(step=wanted.name, span=enough.name if grows else self.span, window=None)

    def zoomed(self, by: int, first: float, last: float) -> "Look | None":
        """With half as much time as from `first` to `last` (-1), or twice as much (1), and its end where it was; None
        where that is too little."""
        begin = (first + last) / 2 if by < 0 else first - (last - first)
        if by < 0 and last - begin < _FEWEST_ZOOMED * STEPS[0].seconds:
            return None
        return self._replace(window=(begin, self.until), step=None)


def request(look: Look, ticker: str, anchor: float, zone: tzinfo) -> GetHistory:
    """The bars that the look needs of a ticker whose last price is of `anchor`, in seconds since the epoch."""
    since, until = look.window if look.window is not None else (_begin(look.span, ticker, anchor, zone), None)
    seconds = None if since is None else (anchor if until is None else until) - since
    longest = next((bars for most, bars in _LONGEST if seconds is not None and seconds <= most), DAILY.seconds)
    if look.step is not None:
        wanted = step_named(look.step).seconds
        if wanted < longest:  # as many of them as there are, if not all of the range
            since = None
        longest = wanted
    return GetHistory(
        ticker, None, MAX_BARS, until, look.fields, look.extended, None if since is None else float(since), longest
    )


def _begin(span: str, ticker: str, anchor: float, zone: tzinfo) -> float | None:
    """The first moment of a range: of a day or more that of a day, but a whole day of what never closes."""
    seconds = TIME_RANGES[span].seconds
    if seconds is None:
        return None
    if span == "1D" and asset_class(ticker) in ("crypto", "currency", "future"):
        return anchor - seconds
    at = local(anchor, zone)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if span == "YTD":
        midnight = midnight.replace(month=1, day=1)
    elif span != "1D":
        midnight -= timedelta(seconds=seconds - _DAY)
    begin: datetime = midnight.replace(tzinfo=zone)
    return begin.timestamp()
