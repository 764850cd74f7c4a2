"""Indicators of one series by TA-Lib's stream handles, as they come.

They differ from ours where TA-Lib has a number for nothing by nothing, by what rounding leaves, and in that
`volatility_10` is TA-Lib's running deviation.
"""

import math
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from talib import stream

from bench.peers.messages import BarMessage, RowMessage

_ZONE: Final = ZoneInfo("America/New_York")
_HIGH, _LOW, _CLOSE, _VOLUME, _RETURN = range(5)
_STUDIES: Final = (
    (stream.SMA, (_CLOSE,), (20,), 1, 20),
    (stream.SMA, (_CLOSE,), (50,), 1, 50),
    (stream.EMA, (_CLOSE,), (12,), 1, 12),
    (stream.EMA, (_CLOSE,), (26,), 1, 26),
    (stream.RSI, (_CLOSE,), (14,), 1, 15),
    (stream.MACD, (_CLOSE,), (12, 26, 9), 3, 34),
    (stream.BBANDS, (_CLOSE,), (20, 2.0, 2.0, 0), 3, 20),
    (stream.ATR, (_HIGH, _LOW, _CLOSE), (14,), 1, 15),
    (stream.OBV, (_CLOSE, _VOLUME), (), 1, 1),
    (stream.STOCH, (_HIGH, _LOW, _CLOSE), (14, 3, 0, 3, 0), 2, 18),
    (stream.ADX, (_HIGH, _LOW, _CLOSE), (14,), 1, 28),
    (stream.STDDEV, (_RETURN,), (10,), 1, 11),
)
"""Function, columns, parameters, number of values, bars until the first value."""
_SAMPLE: Final = math.sqrt(10 / 9)
"""From the deviation of a population of ten to that of a sample."""


class Streams:
    """The indicators of a series of bars in time order."""

    def __init__(self) -> None:
        self._history: list[tuple[float, ...]] = []
        """The bars until all handles are open."""
        self._handles: list[Any] = [None] * len(_STUDIES)
        self._updates: list[Any] = []
        self._session = 0
        self._turnover = self._shares = 0.0
        self._last = math.nan

    def update(self, bar: BarMessage) -> RowMessage:
        """Take in the next bar; the row at it."""
        high, low, close, volume = bar.high, bar.low, bar.close, bar.volume or 0.0
        session = bar.ts.astimezone(_ZONE).toordinal()
        if session != self._session:
            self._session, self._turnover, self._shares = session, 0.0, 0.0
        self._turnover += (high + low + close) / 3 * volume
        self._shares += volume
        change = close / self._last - 1 if self._last else math.nan
        self._last = close
        if not self._updates:
            values = self._warming_up(high, low, close, volume, change)
        else:
            sma_20, sma_50, ema_12, ema_26, rsi, macd, bbands, atr, obv, stoch, adx, deviation = self._updates
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
                deviation(change),
            )
        *most, spread = values
        vwap = self._turnover / self._shares if self._shares else math.nan
        return RowMessage(  # type: ignore[call-arg]
            bar.ts, bar.ticker, bar.interval, bar.source, close, *most, vwap, change, _SAMPLE * spread
        )

    def _warming_up(self, *bar: float) -> list[float]:
        self._history.append(bar)
        values: list[float] = []
        for position, (function, inputs, parameters, outputs, needed) in enumerate(_STUDIES):
            handle = self._handles[position]
            if handle is not None:
                value = handle.update(*(bar[column] for column in inputs))
            elif len(self._history) < needed:
                value = (math.nan,) * outputs
            else:
                columns = (np.array([past[column] for past in self._history]) for column in inputs)
                handle = self._handles[position] = function(*columns, *parameters)
                value = handle.value
            values += value if isinstance(value, tuple) else (value,)
        if all(self._handles):
            self._updates = [handle.update for handle in self._handles]
            self._history.clear()
        return values
