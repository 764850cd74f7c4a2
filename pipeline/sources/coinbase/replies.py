"""Coinbase Exchange's answers as messages of the pipeline. No I/O.

https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products: candles are rows of time (epoch, s), low,
high, open, close and volume, newest first; an interval without a trade has none.
"""

from typing import Any, Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import Bar, Interval
from pipeline.sources.crypto.candles import CandleSeries, candles_in, of_epoch
from pipeline.sources.crypto.exchange import Candles, UnreadableCandlesError
from pipeline.sources.polling.items import misfit

NAME: Final = "coinbase"
TITLE: Final = "Coinbase"

_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_CANDLE: Final = msgspec.json.Decoder(list[Any])


class _Product(msgspec.Struct):
    """One that does not say that it is delisted is traded."""

    id: str
    status: Any = None


_PRODUCT: Final = msgspec.json.Decoder(_Product)


def candles(body: bytes, ticker: str, interval: Interval, clock: Clock) -> Candles:
    """The candles in an answer, oldest first.

    Raises:
        UnreadableCandlesError
    """
    series = CandleSeries(NAME, ticker, interval, clock.now())
    return candles_in(_rows(body, ticker, clock), series, _bar, clock)


def products(body: bytes, clock: Clock) -> frozenset[str]:
    """The names of the pairs that are traded; what is no pair is left out.

    Raises:
        UnreadableCandlesError: if there is none among them.
    """
    names = set()
    for raw in _rows(body, "products", clock):
        try:
            product = _PRODUCT.decode(raw)
        except (ValueError, RecursionError):
            continue
        if product.status != "delisted":
            names.add(product.id)
    if not names:
        raise _unreadable(body, "products", "it names no product", clock)
    return frozenset(names)


def _bar(raw: msgspec.Raw, series: CandleSeries) -> Bar:
    time, low, high, open_, close, volume, *_ = _CANDLE.decode(raw)
    return series.bar(of_epoch(time), open=open_, high=high, low=low, close=close, volume=volume)


def _rows(body: bytes, subject: str, clock: Clock) -> list[msgspec.Raw]:
    try:
        return _ROWS.decode(body)
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
        raise _unreadable(body, subject, str(error), clock) from error


def _unreadable(body: bytes, subject: str, reason: str, clock: Clock) -> UnreadableCandlesError:
    return UnreadableCandlesError(TITLE, reason, misfit(NAME, subject, body, reason, clock))
