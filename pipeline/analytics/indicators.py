"""Technical indicators of a series of bars: `batch` for histories, `Live` for one bar at a time.

Everything but the last three is as TA-Lib defines it (https://ta-lib.org/functions/), its rounding of
nearly nothing (below 1e-14) to zero included. Both paths give the same numbers:

    sma_20, sma_50            simple moving averages of the close
    ema_12, ema_26            exponential moving averages, alpha = 2 / (n + 1), begun with the simple average
    rsi_14                    Wilder (1978): smoothed with alpha = 1 / 14, begun with the simple average
    macd, _signal, _hist      12-26-9 (Appel); signal is the EMA of the line, hist = line - signal
    bb_upper, _middle, _lower Bollinger: SMA 20 ± 2 standard deviations of the population (ddof 0)
    atr_14, adx_14            Wilder (1978), smoothed as RSI is
    obv                       Granville; begins with the first bar's volume
    stoch_k, stoch_d          slow stochastic (Lane): %K over 14 bars, SMA 3; its SMA 3
    vwap                      volume-weighted mean of (high + low + close) / 3 since the session began
    return_1                  close / previous close - 1; unknown from zero, and where one of them is below it
    volatility_10             standard deviation of the sample (ddof 1) of the last ten `return_1`; not annualised

None stands for what is not known yet, such as the VWAP before the session's first trade, for what no float can
hold, and for a quotient of nothing by nothing, for which TA-Lib gives 0: the RSI while the smoothed gains and losses
have vanished, %K and %D while a range of 14 bars that they average is a single price, the ADX from a bar without any
directional movement until it averages 14 bars that had some. What rounding leaves is taken away: RSI, %K, %D and ADX
are within 0 to 100, and a MACD below 1e-12 of the price is 0.

pandas and pandas-ta take seconds to import; the first `batch` does it.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline.analytics.ta_lib import accept_series, talib
from pipeline.model.messages import INDICATOR_FIELDS
from pipeline.model.returns import return_of

Column = NDArray[np.float64]
Values = tuple[float | None, ...]
"""The indicators at one bar, in the order of `messages.INDICATOR_FIELDS`."""

WARM_UP: Final = 50
"""Bars after which every indicator that only needs bars has a value; the longest look-back is that of `sma_50`."""

_RETURNS: Final = 10
_WINDOW: Final = 14
"""Of RSI, ADX and the range of %K."""
_NOTHING: Final = 1e-13
"""TA-Lib takes what is below 1e-14 for zero; a little more, for other sums round otherwise."""
_SLOW_K: Final = 3
_SLOW_D: Final = 5
"""Ranges of 14 bars that go into %K and %D."""
_RESIDUE: Final = 1e-12
"""Of the price: what rounding leaves of the difference of two averages that are equal."""


class BarArrays(NamedTuple):
    """Bars in time order as columns of one length. `session` holds each bar's `session_of`."""

    high: Column
    low: Column
    close: Column
    volume: Column
    session: NDArray[np.intc]

    def until(self, stop: int) -> "BarArrays":
        """The first `stop` bars."""
        return BarArrays(self.high[:stop], self.low[:stop], self.close[:stop], self.volume[:stop], self.session[:stop])


class _Study(NamedTuple):
    """A TA-Lib function: the columns it reads, its parameters by position, how many values it gives."""

    function: str
    columns: tuple[str, ...]
    parameters: tuple[float, ...] = ()
    outputs: int = 1


_CLOSE: Final = ("close",)
_RANGE: Final = ("high", "low", "close")
_SMA_TYPE: Final = 0
_STUDIES: Final = (
    _Study("SMA", _CLOSE, (20,)),
    _Study("SMA", _CLOSE, (50,)),
    _Study("EMA", _CLOSE, (12,)),
    _Study("EMA", _CLOSE, (26,)),
    _Study("RSI", _CLOSE, (14,)),
    _Study("MACD", _CLOSE, (12, 26, 9), outputs=3),
    _Study("BBANDS", _CLOSE, (20, 2.0, 2.0, _SMA_TYPE), outputs=3),
    _Study("ATR", _RANGE, (14,)),
    _Study("OBV", ("close", "volume")),
    _Study("STOCH", _RANGE, (14, 3, _SMA_TYPE, 3, _SMA_TYPE), outputs=2),
    _Study("ADX", _RANGE, (14,)),
)


# These show whether a quotient is 0 / 0. The ATR of closes is the mean of gains and losses together, smoothed as those
# of the RSI.
_DENOMINATORS: Final = (
    _Study("ATR", ("close", "close", "close"), (_WINDOW,)),
    _Study("PLUS_DM", ("high", "low"), (_WINDOW,)),
    _Study("MINUS_DM", ("high", "low"), (_WINDOW,)),
    _Study("MAX", ("high",), (_WINDOW,)),
    _Study("MIN", ("low",), (_WINDOW,)),
)


class _Tail(NamedTuple):
    """What is carried from bar to bar: of VWAP, return and volatility sums since the session began and the last nine
    returns; how many bars ago the last range was a single price, and the last bar without directional movement."""

    session: int
    turnover: float
    shares: float
    close: float
    returns: tuple[float, ...]
    flat: int
    aimless: int


_NO_BARS: Final = _Tail(0, 0.0, 0.0, math.nan, (math.nan,) * (_RETURNS - 1), _WINDOW - 1, _WINDOW - 1)
"""What is carried to the first bar."""


class Live:
    """The indicators of a growing series, a bar at a time.

    Opened on the history so far, at least `WARM_UP` bars. `count` is the number of bars taken in.
    """

    def __init__(self, history: BarArrays) -> None:
        handles = [_open(study, history) for study in (*_STUDIES, *_DENOMINATORS)]
        self._updates: list[Callable[..., Any]] = [handle.update for handle in handles]
        self._peeks: list[Callable[..., Any]] = [handle.peek for handle in handles]
        self._tail = _tail_after(history, _own(history), _unknown(history))
        self.count = len(history.close)

    def update(self, high: float, low: float, close: float, volume: float, session: int) -> Values:
        """Take in the next bar; the values at it."""
        self._tail, values = self._next(self._updates, high, low, close, volume, session)
        self.count += 1
        return values

    @np.errstate(all="ignore")
    def extend(self, bars: BarArrays) -> list[Values]:
        """As `update` of each of these, one at least: many take half the time together."""
        given = {name: getattr(bars, name).tolist() for name in ("high", "low", "close", "volume")}
        columns: list[Column] = []
        for study, update in zip((*_STUDIES, *_DENOMINATORS), self._updates, strict=True):
            found = list(map(update, *map(given.__getitem__, study.columns)))
            columns.extend(map(np.array, zip(*found, strict=True) if study.outputs > 1 else (found,)))
        columns, denominators = columns[: -len(_DENOMINATORS)], columns[-len(_DENOMINATORS) :]
        own = _own(bars, self._tail)
        unknown = _Unknown.of(denominators, columns[INDICATOR_FIELDS.index("atr_14")], self._tail)
        self._tail = _tail_after(bars, own, unknown)
        self.count += len(bars.close)
        return _rows(_told([*columns, *own.columns], unknown, bars))

    def peek(self, high: float, low: float, close: float, volume: float, session: int) -> Values:
        """The values at the next bar if it were this one. Nothing is taken in."""
        return self._next(self._peeks, high, low, close, volume, session)[1]

    def _next(
        self, steps: Sequence[Callable[..., Any]], high: float, low: float, close: float, volume: float, session: int
    ) -> tuple[_Tail, Values]:
        sma_20, sma_50, ema_12, ema_26, rsi, macd, bbands, atr, obv, stoch, adx, moves, plus, minus, top, bottom = steps
        last_session, turnover, shares, last_close, returns, flat, aimless = self._tail
        if session != last_session:
            turnover = shares = 0.0
        turnover += (high + low + close) / 3.0 * volume
        shares += volume
        return_1 = _return(close, last_close)
        returns = (*returns, return_1)
        # Every handle takes in every bar, whether its value is known or not.
        rsi_14, is_still = rsi(close), moves(close, close, close) < _NOTHING
        range_14, adx_14 = atr(high, low, close), adx(high, low, close)
        flat = 0 if top(high) == bottom(low) else flat + 1
        directed = plus(high, low) + minus(high, low)
        aimless = 0 if _is_aimless(directed, range_14) else aimless + 1
        stoch_k, stoch_d = stoch(high, low, close)
        line, signal, histogram = macd(close)
        nothing = _RESIDUE * abs(close)
        values = (
            sma_20(close),
            sma_50(close),
            ema_12(close),
            ema_26(close),
            math.nan if is_still else _percent(rsi_14),
            0.0 if -nothing < line < nothing else line,
            0.0 if -nothing < signal < nothing else signal,
            0.0 if -nothing < histogram < nothing else histogram,
            *bbands(close),
            range_14,
            obv(close, volume),
            math.nan if flat < _SLOW_K else _percent(stoch_k),
            math.nan if flat < _SLOW_D else _percent(stoch_d),
            math.nan if aimless < _WINDOW else _percent(adx_14),
            turnover / shares if shares else math.nan,
            return_1,
            math.sqrt(_variance(returns)),
        )
        return _Tail(session, turnover, shares, close, returns[1:], flat, aimless), _known(values)


@np.errstate(all="ignore")
def opening(history: BarArrays, start: int = 0) -> list[Values]:
    """The values at the bars from position `start` to the end, computed over the whole history by TA-Lib: what `Live`
    gives, also before its warm-up. For short histories, since it looks at all of it each time."""
    columns: list[Column] = []
    for study in _STUDIES:
        found = _computed(study, history)
        columns.extend(found if isinstance(found, tuple) else (found,))
    return _rows(
        _told([column[start:] for column in (*columns, *_own(history).columns)], _unknown(history, start), history)
    )


@np.errstate(all="ignore")
def batch(history: BarArrays, start: int = 0) -> list[Values]:
    """The values at the bars from position `start` to the end, computed over the whole history by pandas-ta."""
    length = len(history.close)
    if length < WARM_UP:
        # pandas-ta gives nothing at all for short histories, STOCH even where TA-Lib has values (18 and 19 bars).
        return opening(history, start)
    import pandas as pd

    ta = _pandas_ta()

    high, low, close, volume = (pd.Series(column) for column in history[:4])
    macd = ta.macd(close, fast=12, slow=26, signal=9)
    bands = ta.bbands(close, length=20, lower_std=2.0, upper_std=2.0)
    stoch = ta.stoch(high, low, close, k=14, d=3, smooth_k=3)
    columns = (
        ta.sma(close, length=20),
        ta.sma(close, length=50),
        ta.ema(close, length=12),
        ta.ema(close, length=26),
        ta.rsi(close, length=14),
        macd["MACD_12_26_9"],
        macd["MACDs_12_26_9"],
        macd["MACDh_12_26_9"],
        bands["BBU_20_2.0_2.0"],
        bands["BBM_20_2.0_2.0"],
        bands["BBL_20_2.0_2.0"],
        ta.atr(high, low, close, length=14),
        ta.obv(close, volume),
        stoch["STOCHk_14_3_3"],
        stoch["STOCHd_14_3_3"],
        ta.adx(high, low, close, length=14)["ADX_14"],
        *_own(history).columns,
    )
    return _rows(_told([np.asarray(column)[start:] for column in columns], _unknown(history, start), history))


def has_batched() -> bool:
    """Whether this process has paid for the import of pandas-ta."""
    return _pandas_ta.cache_info().currsize > 0


def session_of(ts: datetime, zone: ZoneInfo) -> int:
    """The session a bar belongs to: the calendar day of its label at the exchange, as a proleptic ordinal."""
    return ts.astimezone(zone).toordinal()


@cache
def _pandas_ta() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it uses what pandas has deprecated while it is imported
        import pandas_ta

    accept_series()
    return pandas_ta


def _open(study: _Study, history: BarArrays) -> Any:
    """TA-Lib's stream handle on the history.

    Raises:
        talib.InsufficientHistory: if the history is shorter than the look-back.
    """
    columns = (getattr(history, name) for name in study.columns)
    return getattr(talib.stream, study.function)(*columns, *study.parameters)


class _Own(NamedTuple):
    """What we compute ourselves, at each bar: sums since its session began, the nine returns before the first bar and
    those of each, and the indicators, NaN where unknown."""

    turnover: Column
    shares: Column
    returns: Column
    columns: tuple[Column, Column, Column]


@np.errstate(all="ignore")
def _own(bars: BarArrays, tail: _Tail = _NO_BARS) -> _Own:
    """VWAP, return and volatility.

    pandas-ta's `vwap` wants two bars and silences warnings for the whole process; its `stdev` ignores `ddof` once
    TA-Lib is there, and TA-Lib's running sums keep the rounding error of every spike that has left the window.
    """
    turnover, shares = _session_sums(bars, tail)
    change = _returns(np.concatenate(((tail.close,), bars.close)))
    returns, count = np.concatenate((tail.returns, change)), len(change)
    volatility = np.sqrt(_variance([returns[i : i + count] for i in range(_RETURNS)]))
    return _Own(turnover, shares, returns, (turnover / shares, change, volatility))


class _Unknown(NamedTuple):
    """How many bars ago, at each bar, the last range of 14 bars was a single price (`flat`), the last bar had no
    directional movement (`aimless`); whether there were neither gains nor losses (`still`)."""

    flat: NDArray[np.intp]
    aimless: NDArray[np.intp]
    still: NDArray[np.bool_]

    @classmethod
    def of(cls, denominators: Sequence[Column], atr: Column, tail: _Tail = _NO_BARS) -> Self:
        """From the `_DENOMINATORS` at each bar, and the ATR."""
        moves, plus, minus, top, bottom = denominators
        aimless = _is_aimless(plus + minus, atr)
        return cls(_since(top == bottom, tail.flat), _since(aimless, tail.aimless), moves < _NOTHING)


def _unknown(history: BarArrays, start: int = 0) -> _Unknown:
    """What `Live` carries on from, of every bar from position `start` on."""
    atr = talib.ATR(history.high, history.low, history.close, _WINDOW)
    flat, aimless, still = _Unknown.of([_computed(study, history) for study in _DENOMINATORS], atr)
    return _Unknown(flat[start:], aimless[start:], still[start:])


def _tail_after(bars: BarArrays, own: _Own, unknown: _Unknown) -> _Tail:
    """What is carried on from the last of the bars."""
    return _Tail(
        session=int(bars.session[-1]),
        turnover=float(own.turnover[-1]),
        shares=float(own.shares[-1]),
        close=float(bars.close[-1]),
        returns=tuple(own.returns[1 - _RETURNS :].tolist()),
        flat=int(unknown.flat[-1]),
        aimless=int(unknown.aimless[-1]),
    )


def _computed(study: _Study, history: BarArrays) -> Any:
    return getattr(talib, study.function)(*(getattr(history, name) for name in study.columns), *study.parameters)


def _is_aimless[T: (float, Column)](directed: T, atr: T) -> Any:
    """Whether +DI and -DI are both nothing; `directed` is the sum of what they are made from."""
    return (atr < _NOTHING) | (directed < _NOTHING * 0.14 * atr)


def _since(happened: NDArray[np.bool_], before: int) -> NDArray[np.intp]:
    """How many bars ago it happened last, at each bar; at the one before the first, `before`."""
    positions = np.arange(len(happened))
    last: NDArray[np.intp] = np.maximum.accumulate(np.where(happened, positions, -1 - before))
    return positions - last


def _told(columns: Sequence[Column], unknown: _Unknown, history: BarArrays) -> list[Column]:
    """The columns of all indicators as `Live` gives them: NaN for a quotient of nothing by nothing, and without what
    rounding leaves. `history` ends with the bars that they are of."""
    told = dict(zip(INDICATOR_FIELDS, columns, strict=True))
    flat, aimless, still = unknown
    close = history.close[len(history.close) - len(still) :]
    for field, is_unknown in (
        ("rsi_14", still),
        ("stoch_k", flat < _SLOW_K),
        ("stoch_d", flat < _SLOW_D),
        ("adx_14", aimless < _WINDOW),
    ):
        told[field] = np.where(is_unknown, math.nan, np.clip(told[field], 0.0, 100.0))
    for field in ("macd", "macd_signal", "macd_hist"):
        told[field] = np.where(np.abs(told[field]) < _RESIDUE * np.abs(close), 0.0, told[field])
    return list(told.values())


def _rows(columns: Sequence[Column]) -> list[Values]:
    return list(zip(*map(_known_column, columns), strict=True))


def _percent(value: float) -> float:
    return value if 0.0 <= value <= 100.0 else min(max(value, 0.0), 100.0)


@np.errstate(all="ignore")
def _session_sums(bars: BarArrays, tail: _Tail) -> tuple[Column, Column]:
    """Turnover at the typical price and volume, each summed since its session began."""
    high, low, close, volume, session = bars
    starts = np.flatnonzero(np.diff(session)) + 1
    goes_on = session[0] == tail.session
    sums = []
    for column, before in (((high + low + close) / 3.0 * volume, tail.turnover), (volume.copy(), tail.shares)):
        column[0] += before if goes_on else 0.0
        sums.append(np.concatenate([part.cumsum() for part in np.split(column, starts)]))
    return sums[0], sums[1]


@np.errstate(all="ignore")
def _returns(close: Column) -> Column:
    """The returns from bar to bar, one fewer than there are closes; NaN where there is none.

    See `pipeline.model.returns`.
    """
    return np.where((close[:-1] > 0) & (close[1:] >= 0), close[1:] / close[:-1] - 1.0, math.nan)


def _return(close: float, last: float) -> float:
    change = return_of(close, last)
    return math.nan if change is None else change


def _variance[T: (float, Column)](window: Sequence[T]) -> T:
    """The variance (ddof 1) of ten numbers, or of ten columns row by row.

    Spelt out, and not `sum` or `np.var`, so that both add in the same order and round alike.
    """
    a, b, c, d, e, f, g, h, i, j = window
    mean = (a + b + c + d + e + f + g + h + i + j) / _RETURNS
    a, b, c, d, e = a - mean, b - mean, c - mean, d - mean, e - mean
    f, g, h, i, j = f - mean, g - mean, h - mean, i - mean, j - mean
    squares = a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h + i * i + j * j
    return squares / (_RETURNS - 1)


def _known(values: Iterable[float]) -> Values:
    values = tuple(values)
    if math.isfinite(sum(values)):  # one number stands for all: any NaN or infinity would reach it
        return values
    return tuple(value if math.isfinite(value) else None for value in values)


def _known_column(column: Column) -> list[float | None]:
    values: list[float | None] = column.tolist()
    for index in np.flatnonzero(~np.isfinite(column)).tolist():
        values[index] = None
    return values
