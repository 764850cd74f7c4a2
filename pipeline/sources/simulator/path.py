"""Simulated prices: a pure function of seed, ticker and time.

Whoever asks, in whatever order, in this process or another, sees the same bars, so that a restart, a gap and the
history agree with what was streamed. Markets trade around the clock here; days are those of the exchange's zone.

The log price at midnight is an Ornstein-Uhlenbeck process in the form of a moving average over hashed daily shocks,
so it wanders like a random walk and yet stays near the ticker's level. Within the day a Brownian bridge joins the two
midnights, livelier and with more volume while the exchange is open, most of all at the open and the close.
"""

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from operator import mul
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline.model.instruments import zone_of
from pipeline.model.messages import Bar, Quote

Floats = NDArray[np.float64]

MINUTE: Final = 60
SOURCE: Final = "simulator"

_LEVELS: Final = {
    "AAPL": 250.0, "AMZN": 220.0, "BTC-USD": 90_000.0, "GOOGL": 280.0, "MSFT": 480.0, "NVDA": 180.0, "SPY": 670.0,
    "TSLA": 400.0, "^GSPC": 6_700.0,
}  # fmt: skip
_REVERSION_DAYS: Final = 120
_WEIGHTS: Final = [math.exp(-age / _REVERSION_DAYS) for age in range(5 * _REVERSION_DAYS)]
"""What is left of a shock after so many days; beyond, it is less than a hundredth."""
_BLOCK_DAYS: Final = 512
_CACHED_DAYS: Final = 2

# Shares of activity by minute of the day, 09:30 to 16:00 being the session.
_OPEN, _CLOSE = 570, 960
_NIGHT: Final = 0.08


def generator(*parts: object) -> np.random.Generator:
    """A generator whose numbers depend on the parts alone."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest)))


def moment(seconds: float) -> datetime:
    """The instant that many seconds after the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """The minutes of one day of the exchange; element i is the one that begins i minutes after `start`.

    `start` is in seconds since the epoch; prices are rounded to cents; `traded` is the volume of the day before
    the minute, and has one element more. Arrays, for lists of numbers take four times the room.
    """

    start: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    traded: Floats


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute second by second. `prices[s]` is that of second s, all within the bar; the last leads to its close.
    `highs` and `lows` are of the minute so far, `day_high` and `day_low` of the day before it, its opening included."""

    start: int
    bar: Bar
    prices: list[float]
    highs: list[float]
    lows: list[float]
    traded_before: int
    previous_close: float
    day_high: float
    day_low: float


class PricePath:
    """The simulated market of one ticker. Keeps the latest days asked for; not to be shared by threads."""

    def __init__(self, seed: int, ticker: str, zone: ZoneInfo) -> None:
        self.ticker = ticker
        self._seed = seed
        self._zone = zone_of(ticker, zone)
        traits = generator(seed, ticker, "traits")
        level = math.exp(traits.uniform(math.log(8), math.log(900)))
        self._level = _LEVELS.get(ticker, level)
        self._daily_volatility = traits.uniform(0.15, 0.60) / math.sqrt(365)
        self._daily_volume = math.exp(traits.uniform(math.log(1e6), math.log(6e7)))
        self.phase = float(traits.uniform(0, 1))
        """The fraction of each second at which this ticker ticks."""
        self._days: OrderedDict[date, SimulatedDay] = OrderedDict()
        self._minute: Minute | None = None

    def bar(self, end: int) -> Bar:
        """The closed bar of the minute that ends at `end`, seconds since the epoch and a whole minute.

        Labelled with that end, as the recorded bars of the replay are.
        """
        day = self._day(self.date_of(end - MINUTE))
        return self._bar_of(day, (end - MINUTE - day.start) // MINUTE)

    def quote(self, seconds: float) -> Quote:
        """The last trade and the day so far."""
        minute, second = self._minute_at(seconds)
        return Quote(
            ticker=self.ticker,
            ts=moment(seconds),
            simulated=True,
            source=SOURCE,
            price=minute.prices[second],
            previous_close=minute.previous_close,
            volume=float(minute.traded_before + self._part(minute, second)),
            open=minute.previous_close,  # a day begins where the last one ends
            high=max(minute.day_high, minute.highs[second]),
            low=min(minute.day_low, minute.lows[second]),
        )

    def forming_bar(self, seconds: float) -> Bar:
        """The bar of the minute under way, as far as it has come; `revision` says when that was."""
        minute, second = self._minute_at(seconds)
        return Bar(
            ticker=self.ticker,
            interval="1min",
            ts=minute.bar.ts,
            simulated=True,
            source=SOURCE,
            open=minute.bar.open,
            high=minute.highs[second],
            low=minute.lows[second],
            close=minute.prices[second],
            volume=float(self._part(minute, second)),
            closed=False,
            revision=int(seconds * 1000),
        )

    def daily_bar(self, day: date) -> Bar:
        """The bar of a whole day, made of its minutes. Labelled with the start of the day."""
        minutes = self._make_day(day)
        return Bar(
            ticker=self.ticker,
            interval="daily",
            ts=moment(minutes.start),
            simulated=True,
            source=SOURCE,
            open=float(minutes.open[0]),
            high=float(minutes.high.max()),
            low=float(minutes.low.min()),
            close=float(minutes.close[-1]),
            volume=float(minutes.traded[-1]),
        )

    def move(self, seconds: float, over: int) -> float:
        """The change of the price in the `over` seconds before, in standard deviations of such a change."""
        now, before = self._price(seconds), self._price(seconds - over)
        return math.log(now / before) / (self._daily_volatility * math.sqrt(over / 86_400))

    def date_of(self, seconds: float) -> date:
        """The exchange's day at that instant."""
        return datetime.fromtimestamp(seconds, self._zone).date()

    def _price(self, seconds: float) -> float:
        day = self._day(self.date_of(seconds))
        return float(day.open[int(seconds - day.start) // MINUTE])

    def _part(self, minute: Minute, second: int) -> int:
        return int(minute.bar.volume or 0) * (second + 1) // MINUTE

    def _minute_at(self, seconds: float) -> tuple[Minute, int]:
        whole = int(seconds)
        start = whole - whole % MINUTE
        if self._minute is None or self._minute.start != start:
            self._minute = self._make_minute(start)
        return self._minute, whole - start

    def _make_minute(self, start: int) -> Minute:
        """From the open to one extreme, the other, and the close, on noisy lines that stay between the extremes."""
        day = self._day(self.date_of(start))
        index = (start - day.start) // MINUTE
        bar = self._bar_of(day, index)
        random = generator(self._seed, self.ticker, "minute", start)
        first, second = sorted(random.integers(5, 55, 2).tolist())
        extremes = (bar.high, bar.low) if random.random() < 0.5 else (bar.low, bar.high)
        line = np.interp(np.arange(MINUTE), (0, first, second + 1, MINUTE), (bar.open, *extremes, bar.close))
        noise = random.normal(0, 0.12 * (bar.high - bar.low), MINUTE)
        noise[[0, first, second + 1]] = 0
        prices: list[float] = _rounded(np.clip(line + noise, bar.low, bar.high)).tolist()
        return Minute(
            start=start,
            bar=bar,
            prices=prices,
            highs=list(accumulate(prices, max)),
            lows=list(accumulate(prices, min)),
            traded_before=int(day.traded[index]),
            previous_close=float(day.open[0]),
            day_high=float(max(day.open[0], *day.high[:index])),
            day_low=float(min(day.open[0], *day.low[:index])),
        )

    def _bar_of(self, day: SimulatedDay, index: int) -> Bar:
        return Bar(
            ticker=self.ticker,
            interval="1min",
            ts=moment(day.start + (index + 1) * MINUTE),
            simulated=True,
            source=SOURCE,
            open=float(day.open[index]),
            high=float(day.high[index]),
            low=float(day.low[index]),
            close=float(day.close[index]),
            volume=float(day.volume[index]),
        )

    def _day(self, day: date) -> SimulatedDay:
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._make_day(day)
            if len(self._days) > _CACHED_DAYS:
                self._days.popitem(last=False)
        return known

    def _make_day(self, day: date) -> SimulatedDay:
        start, end = self._start_of(day), self._start_of(day + timedelta(1))
        count = (end - start) // MINUTE  # the clocks change on some days
        random = generator(self._seed, self.ticker, "day", day)
        activity = _activity(count)
        deviation = self._daily_volatility * np.sqrt(activity)
        walk = np.concatenate(([0.0], np.cumsum(random.normal(0, deviation))))
        share = np.concatenate(([0.0], np.cumsum(activity)))
        first, last = self._log_price_at(day), self._log_price_at(day + timedelta(1))
        log_prices = first + walk + (last - first - walk[-1]) * share
        prices = np.exp(log_prices)
        top = np.maximum(prices[:-1], prices[1:]) * np.exp(0.5 * deviation * np.abs(random.normal(size=count)))
        bottom = np.minimum(prices[:-1], prices[1:]) * np.exp(-0.5 * deviation * np.abs(random.normal(size=count)))
        busy = math.exp(random.normal(0, 0.3))
        volume = np.ceil(self._daily_volume * busy * activity * np.exp(random.normal(0, 0.4, count)))
        rounded = _rounded(prices)
        return SimulatedDay(
            start=start,
            open=rounded[:-1],
            high=_rounded(top),
            low=_rounded(bottom),
            close=rounded[1:],
            volume=volume,
            traded=np.concatenate(([0.0], np.cumsum(volume))),
        )

    def _start_of(self, day: date) -> int:
        return int(datetime.combine(day, time.min, self._zone).timestamp())

    def _log_price_at(self, day: date) -> float:
        """The log price as the day begins."""
        days = range(day.toordinal(), day.toordinal() - len(_WEIGHTS), -1)
        shocks = (_shocks(self._seed, self.ticker, d // _BLOCK_DAYS)[d % _BLOCK_DAYS] for d in days)
        # fsum rounds once, so that no two machines differ.
        return math.log(self._level) + self._daily_volatility * math.fsum(map(mul, shocks, _WEIGHTS))


@lru_cache(maxsize=64)
def _shocks(seed: int, ticker: str, block: int) -> list[float]:
    """The standard normal shocks of a block of consecutive days."""
    shocks: list[float] = generator(seed, ticker, "shocks", block).normal(size=_BLOCK_DAYS).tolist()
    return shocks


@lru_cache(maxsize=4)
def _activity(minutes: int) -> Floats:
    """Each minute's share of a day's trading; a day the clocks change on is stretched or squeezed."""
    clock = np.arange(minutes) * (1440 / minutes)
    centred = 2 * (clock - _OPEN) / (_CLOSE - _OPEN) - 1
    weights: Floats = np.where(np.abs(centred) <= 1, 1 + 1.6 * centred**2, _NIGHT)
    weights /= weights.sum()
    return weights


def _rounded(prices: Floats) -> Floats:
    """To cents."""
    return np.round(prices, 2)
