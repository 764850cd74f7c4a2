"""What Kraken's websocket speaks, version 2: the channels `ticker` and `ohlc`, both with a snapshot first.

https://docs.kraken.com/api/docs/websocket-v2/ticker and …/ohlc. It sends heartbeats by itself. What is of the last 24
hours (`volume`, `change`) is not of the day, and not used.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Bar
from pipeline.model.text import clean
from pipeline.net.errors import StreamRefusedError
from pipeline.sources.crypto.candles import CandleSeries
from pipeline.sources.crypto.exchange import NotTradedError
from pipeline.sources.crypto.frames import PreviousClose, Refused, frame, quote, unfit
from pipeline.sources.kraken.forming import FormingBars
from pipeline.sources.kraken.replies import NAME, TITLE
from pipeline.sources.kraken.symbols import ticker_of
from pipeline.sources.outside import moment, text_or_none

log = logging.getLogger(__name__)

MINUTES: Final = 1
"""Of a candle."""
_NO_PAIR: Final = "Currency pair not supported"
_OF_ALL: Final = ("EAPI:", "EGeneral:", "EService:", "Exceeded")
"""How what concerns the connection begins, whatever the pair that was asked for."""
_DONE_ALREADY: Final = "Already subscribed"


class _Frame(msgspec.Struct):
    """A message of a channel, or the answer to a request (`method`)."""

    channel: str = ""
    method: str = ""
    data: list[msgspec.Raw] = []
    success: bool = True
    error: Any = None
    symbol: Any = None


class _Price(msgspec.Struct):
    symbol: str
    last: Any
    timestamp: Any = None


class _Candle(msgspec.Struct):
    symbol: str
    interval_begin: str
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any = None
    interval: int = MINUTES


class _Status(msgspec.Struct):
    system: str = ""


_FRAME: Final = msgspec.json.Decoder(_Frame)
_PRICE: Final = msgspec.json.Decoder(_Price)
_CANDLE: Final = msgspec.json.Decoder(_Candle)
_STATUS: Final = msgspec.json.Decoder(_Status)


class KrakenStreamer:
    """See `StreamProtocol`. Symbols are as `BTC/USD`."""

    def __init__(self, clock: Clock, previous_close: PreviousClose, refused: Refused) -> None:
        self._clock = clock
        self._previous_close = previous_close
        self._refused = refused
        self._forming = FormingBars()

    def opening(self) -> Sequence[str]:
        """Nothing is said first."""
        self._forming.clear()
        return ()

    def subscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        return [frame(method="subscribe", params=params) for params in _params(symbols)]

    def unsubscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        return [frame(method="unsubscribe", params=params) for params in _params(symbols)]

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        """See `StreamProtocol`; with each frame also the bars whose minute is over, which nobody says."""
        now = self._clock.now()
        messages: list[AnyMessage] = []
        try:
            said = _FRAME.decode(frame)
            if not said.channel and not said.method and said.error is None:
                raise ValueError("it is of no channel, and answers nothing")
        except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
            return [*self._forming.due(now), unfit(NAME, frame, str(error), self._clock)]
        if said.error is not None or not said.success:
            self._heed(said)
        for row in said.data:
            try:
                messages += self._row(said.channel, row, now)
            except (ValueError, OverflowError, RecursionError) as error:
                messages.append(unfit(NAME, bytes(row), str(error), self._clock))
        return [*messages, *self._forming.due(now)]

    def _row(self, channel: str, row: msgspec.Raw, now: datetime) -> Sequence[AnyMessage]:
        match channel:
            case "ticker":
                price = _PRICE.decode(row)
                time = text_or_none(price.timestamp)
                return [quote(NAME, ticker_of(price.symbol), price.last, time, now, self._previous_close)]
            case "ohlc":
                return self._forming.update(_bar(_CANDLE.decode(row), now), now)
            case "status" if (system := _STATUS.decode(row).system) != "online":
                log.warning("%s: the exchange says that it is in the state %s", TITLE, clean(system, 32))
        return ()

    def _heed(self, said: _Frame) -> None:
        """Of a request that failed: whom it concerns.

        Raises:
            StreamRefusedError: if it is not one pair alone.
        """
        why, symbol = clean(text_or_none(said.error) or "", 200), text_or_none(said.symbol)
        if said.method == "unsubscribe" or why.startswith(_DONE_ALREADY):
            log.debug("%s: %s", TITLE, why)
        elif symbol is None or why.startswith(_OF_ALL):
            raise StreamRefusedError(f"the provider refuses ({why or 'without a reason'})", permanent=False)
        else:
            ticker = ticker_of(symbol)
            known = why.startswith(_NO_PAIR)
            self._refused(ticker, str(NotTradedError(TITLE, ticker)) if known else f"{TITLE} refuses {ticker}: {why}")


def _params(symbols: Sequence[str]) -> list[dict[str, object]]:
    listed = list(symbols)
    return [{"channel": "ticker", "symbol": listed}, {"channel": "ohlc", "symbol": listed, "interval": MINUTES}]


def _bar(candle: _Candle, now: datetime) -> Bar:
    if candle.interval != MINUTES:
        raise ValueError(f"a candle of {candle.interval} minutes was not asked for")
    values = {name: getattr(candle, name) for name in ("open", "high", "low", "close", "volume")}
    return CandleSeries(NAME, ticker_of(candle.symbol), "1min", now).bar(moment(candle.interval_begin, UTC), **values)
