"""The messages of the job: ours, as far as an expert who writes for one source needs them."""

from datetime import datetime

import msgspec


class BarMessage(msgspec.Struct, tag="bar"):
    """A bar as we publish it. Types are checked, values are not."""

    ts: datetime
    ticker: str
    interval: str
    source: str
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None
    closed: bool = True


class RowMessage(msgspec.Struct, tag="indicators"):
    """A row as we publish it, without `lineage`, which says which bars it was computed from. NaN is encoded as null."""

    ts: datetime
    ticker: str
    interval: str
    source: str
    close: float
    sma_20: float
    sma_50: float
    ema_12: float
    ema_26: float
    rsi_14: float
    macd: float
    macd_signal: float
    macd_hist: float
    bb_upper: float
    bb_middle: float
    bb_lower: float
    atr_14: float
    obv: float
    stoch_k: float
    stoch_d: float
    adx_14: float
    vwap: float
    return_1: float
    volatility_10: float


decode = msgspec.json.Decoder(BarMessage).decode
encode = msgspec.json.Encoder().encode
