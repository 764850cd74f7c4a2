"""Kraken's answers as messages of the pipeline. No I/O.

https://docs.kraken.com/api/docs/rest-api/get-ohlc-data: `{"error": [], "result": {"XXBTZUSD": [rows], "last": 1}}`,
oldest first, rows of time (epoch, s), open, high, low, close, vwap, volume and count; the last one still forms. What is
wrong stands in `error`, with status 200.
"""

from typing import Any, Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import Bar, Interval
from pipeline.model.text import clean
from pipeline.net.errors import HttpError, RateLimitedError, UnavailableError
from pipeline.sources.crypto.candles import CandleSeries, candles_in, of_epoch
from pipeline.sources.crypto.exchange import Candles, NotTradedError, UnreadableCandlesError
from pipeline.sources.polling.items import misfit

NAME: Final = "kraken"
TITLE: Final = "Kraken"

_LIMITS: Final = ("EGeneral:Too many requests", "EAPI:Rate limit exceeded", "EService:Throttled", "EGeneral:Temporary")
_UNKNOWN: Final = ("EQuery:Unknown asset pair", "EQuery:Invalid asset pair")


class _Reply(msgspec.Struct):
    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


_REPLY: Final = msgspec.json.Decoder(_Reply)
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_CANDLE: Final = msgspec.json.Decoder(list[Any])


def candles(body: bytes, ticker: str, interval: Interval, clock: Clock) -> Candles:
    """The candles in an answer, oldest first. The pair has a name of Kraken's own there: it is the only one.

    Raises:
        NotTradedError, UnreadableCandlesError, RateLimitedError, UnavailableError
        HttpError: for an error that is not known.
    """
    try:
        reply = _REPLY.decode(body)
        if reply.error:
            raise _meaning(reply.error[0], ticker)
        pairs = [name for name in reply.result if name != "last"]
        if len(pairs) != 1:
            raise ValueError(f"it is about {len(pairs)} pairs")
        rows = _ROWS.decode(reply.result[pairs[0]])
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
        raise UnreadableCandlesError(TITLE, str(error), misfit(NAME, ticker, body, str(error), clock)) from error
    return candles_in(rows, CandleSeries(NAME, ticker, interval, clock.now()), _bar, clock)


def _bar(raw: msgspec.Raw, series: CandleSeries) -> Bar:
    time, open_, high, low, close, _vwap, volume, *_ = _CANDLE.decode(raw)
    return series.bar(of_epoch(time), open=open_, high=high, low=low, close=close, volume=volume)


def _meaning(said: str, ticker: str) -> Exception:
    """The error for what Kraken says."""
    if said.startswith(_UNKNOWN):
        return NotTradedError(TITLE, ticker)
    if said.startswith(_LIMITS):
        return RateLimitedError(TITLE, f"too many requests ({clean(said, 100)})")
    if said.startswith("EService:"):
        return UnavailableError(TITLE, f"not in service ({clean(said, 100)})")
    return HttpError(TITLE, f"it refuses the request ({clean(said, 100)})")
