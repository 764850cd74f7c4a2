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
    return_1                  close / previous close - 1
    volatility_10             standard deviation of the sample (ddof 1) of the last ten `return_1`; not annualised

None stands for what is not known yet, such as the VWAP before the session's first trade, and for what no float can
hold. The libraries are slow to import: TA-Lib, which brings pandas, about a second, and pandas-ta two more. The first
computation that needs one imports it, or for TA-Lib `warm_up` ahead of it.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Values = tuple[float | None, ...]
"""The indicators at one bar, in the order of `messages.INDICATOR_FIELDS`."""

WARM_UP: Final = 50
"""Bars after which every indicator that only needs bars has a value; the longest look-back is that of `sma_50`."""

_RETURNS: Final = 10


class History(NamedTuple):
    """Bars in time order as columns of one length. `session` holds each bar's `session_of`."""

    high: Column
    low: Column
    close: Column
    volume: Column
    session: NDArray[np.intc]

    def until(self, stop: int) -> "History":
        """The first `stop` bars."""
        return History(self.high[:stop], self.low[:stop], self.close[:stop], self.volume[:stop], self.session[:stop])


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


class _Tail(NamedTuple):
    """What VWAP, return and volatility carry from bar to bar: sums since the session began, the last nine returns."""

    session: int
    turnover: float
    shares: float
    close: float
    returns: tuple[float, ...]


class Live:
    """The indicators of a growing series, a bar at a time.

    Opened on the history so far, at least `WARM_UP` bars. `count` is the number of bars taken in.
    """

    def __init__(self, history: History) -> None:
        handles = [_open(study, history) for study in _STUDIES]
        self._updates: list[Callable[..., Any]] = [handle.update for handle in handles]
        self._peeks: list[Callable[..., Any]] = [handle.peek for handle in handles]
        turnover, shares = _session_sums(history)
        self._tail = _Tail(
            session=int(history.session[-1]),
            turnover=float(turnover[-1]),
            shares=float(shares[-1]),
            close=float(history.close[-1]),
            returns=tuple(_returns(history.close[-_RETURNS:]).tolist()),
        )
        self.count = len(history.close)

    def update(self, high: float, low: float, close: float, volume: float, session: int) -> Values:
        """Take in the next bar; the values at it."""
        self._tail, values = self._next(self._updates, high, low, close, volume, session)
        self.count += 1
        return values

    def peek(self, high: float, low: float, close: float, volume: float, session: int) -> Values:
        """The values at the next bar if it were this one. Nothing is taken in."""
        return self._next(self._peeks, high, low, close, volume, session)[1]

    def _next(
        self, steps: Sequence[Callable[..., Any]], high: float, low: float, close: float, volume: float, session: int
    ) -> tuple[_Tail, Values]:
        sma_20, sma_50, ema_12, ema_26, rsi, macd, bbands, atr, obv, stoch, adx = steps
        last_session, turnover, shares, last_close, returns = self._tail
        if session != last_session:
            turnover = shares = 0.0
        turnover += (high + low + close) / 3.0 * volume
        shares += volume
        return_1 = close / last_close - 1.0
        returns = (*returns, return_1)
        values = (
            sma_20(close),
            sma_50(close),
            ema_12(close),
            ema_26(close),
            rsi(close),
            *macd(close),
            *bbands(close),
            atr(high, low, close),
            obv(close, volume),
            *stoch(high, low, close),
            adx(high, low, close),
            turnover / shares if shares else math.nan,
            return_1,
            math.sqrt(_variance(returns)),
        )
        return _Tail(session, turnover, shares, close, returns[1:]), _known(values)


def latest(history: History) -> Values:
    """The values at the last bar of a history of any length but none: what `Live` gives, without its warm-up."""
    from talib import InsufficientHistory  # type: ignore[attr-defined]  # missing from its stub

    values: list[float] = []
    for study in _STUDIES:
        try:
            value = _open(study, history).value
        except InsufficientHistory:
            value = (math.nan,) * study.outputs
        values.extend(value if isinstance(value, tuple) else (value,))
    values.extend(float(column[-1]) for column in _own_columns(history))
    return _known(values)


@np.errstate(all="ignore")
def batch(history: History, start: int = 0) -> list[Values]:
    """The values at the bars from position `start` to the end, computed over the whole history by pandas-ta."""
    length = len(history.close)
    if length < WARM_UP:
        # pandas-ta gives nothing at all for short histories, STOCH even where TA-Lib has values (18 and 19 bars).
        return [latest(history.until(stop)) for stop in range(start + 1, length + 1)]
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
        *_own_columns(history),
    )
    return list(zip(*(_known_column(np.asarray(column)[start:]) for column in columns), strict=True))


def session_of(ts: datetime, zone: ZoneInfo) -> int:
    """The session a bar belongs to: the calendar day of its label at the exchange, as a proleptic ordinal."""
    return ts.astimezone(zone).toordinal()


def warm_up() -> None:
    """Import what `Live` and `latest` need. It takes about a second: call it in a thread before the first bar."""
    ones = np.ones(WARM_UP)
    Live(History(ones, ones, ones, ones, np.zeros(WARM_UP, dtype=np.intc)))


@cache
def _pandas_ta() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it uses what pandas has deprecated while it is imported
        import pandas_ta

    return pandas_ta


def _open(study: _Study, history: History) -> Any:
    """TA-Lib's stream handle on the history.

    Raises:
        talib.InsufficientHistory: if the history is shorter than the look-back.
    """
    from talib import stream

    columns = (getattr(history, name) for name in study.columns)
    return getattr(stream, study.function)(*columns, *study.parameters)


@np.errstate(all="ignore")
def _own_columns(history: History) -> tuple[Column, Column, Column]:
    """VWAP, return and volatility, NaN where unknown.

    pandas-ta's `vwap` wants two bars and silences warnings for the whole process; its `stdev` ignores `ddof` once
    TA-Lib is there, and TA-Lib's running sums keep the rounding error of every spike that has left the window.
    """
    turnover, shares = _session_sums(history)
    returns = np.concatenate(([math.nan], _returns(history.close)))
    volatility = np.full(len(returns), math.nan)
    windows = len(returns) - _RETURNS
    if windows > 0:
        volatility[_RETURNS:] = np.sqrt(_variance([returns[1 + i : 1 + i + windows] for i in range(_RETURNS)]))
    return turnover / shares, returns, volatility


@np.errstate(all="ignore")
def _session_sums(history: History) -> tuple[Column, Column]:
    """Turnover at the typical price and volume, each summed since its session began."""
    high, low, close, volume, session = history
    starts = np.flatnonzero(np.diff(session)) + 1
    turnover = (high + low + close) / 3.0 * volume
    return (
        np.concatenate([part.cumsum() for part in np.split(turnover, starts)]),
        np.concatenate([part.cumsum() for part in np.split(volume, starts)]),
    )


@np.errstate(all="ignore")
def _returns(close: Column) -> Column:
    """The returns from bar to bar, one fewer than there are closes."""
    return close[1:] / close[:-1] - 1.0


def _variance[T: (float, Column)](window: Sequence[T]) -> T:
    """The variance (ddof 1) of ten numbers, or of ten columns row by row.

    Spelt out, and not `sum` or `np.var`, so that both add in the same order and round alike.
    """
    total = window[0]
    for value in window[1:]:
        total = total + value
    mean = total / len(window)
    squares = (window[0] - mean) * (window[0] - mean)
    for value in window[1:]:
        squares = squares + (value - mean) * (value - mean)
    return squares / (len(window) - 1)


def _known(values: Iterable[float]) -> Values:
    values = tuple(values)
    if math.isfinite(sum(values)):  # one number stands for all: any NaN or infinity would reach it
        return values
    return tuple(value if math.isfinite(value) else None for value in values)


def _known_column(column: Column) -> list[float | None]:
    known = column.astype(object)
    known[~np.isfinite(column)] = None
    values: list[float | None] = known.tolist()
    return values
