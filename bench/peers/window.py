"""Indicators at the last of some bars, by pandas-ta over the window: what all of the peers compute."""

from typing import Any

import pandas as pd
import pandas_ta as ta

BARS = 250
Bar = dict[str, Any]


def row(bars: list[Bar]) -> Bar:
    """The indicators at the last bar; None where there are too few bars."""
    frame = pd.DataFrame(bars, columns=["high", "low", "close", "volume"])
    high, low, close, volume = (frame[name] for name in frame)
    studies = (
        ta.sma(close, 20),
        ta.sma(close, 50),
        ta.ema(close, 12),
        ta.ema(close, 26),
        ta.rsi(close, 14),
        ta.macd(close),
        ta.bbands(close, 20),
        ta.atr(high, low, close, 14),
        ta.obv(close, volume),
        ta.stoch(high, low, close),
        ta.adx(high, low, close),
    )
    found = pd.concat([study for study in studies if study is not None], axis=1).iloc[-1]
    values: Bar = {str(name): None if pd.isna(value) else float(value) for name, value in found.items()}
    return {"ts": bars[-1]["ts"], "close": bars[-1]["close"], **values}
