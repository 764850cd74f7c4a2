"""What Finnhub's websocket says: trades, pings and errors.

https://finnhub.io/docs/api/websocket-trades: `{"type": "trade", "data": [{"s": "AAPL", "p": 1.0, "t": ms, "v": 1, "c":
["1"]}]}`; one frame subscribes to one symbol. `c` are conditions of the trade; every trade counts here, on whatever
conditions.
"""

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, DeadLetter, Quote
from pipeline.model.redaction import redact
from pipeline.model.text import clean
from pipeline.net.errors import StreamRefusedError
from pipeline.sources.base import TickerTrouble
from pipeline.sources.share_stream import Heard, Tickers, misfit
from pipeline.sources.trades import MinuteBars, Trade

SOURCE: Final = "finnhub"
_BAD_KEY: Final = re.compile(r"api ?key|token|unauthori[sz]ed", re.IGNORECASE)
_BUSY: Final = re.compile(r"limit reached|too many (?:requests|connections)", re.IGNORECASE)
_TOO_MANY_SYMBOLS: Final = re.compile(r"too many symbols", re.IGNORECASE)
_INVALID_SYMBOL: Final = re.compile(r"invalid symbol:? *(\S+)", re.IGNORECASE)


class _Frame(Struct):
    type: str
    data: list[msgspec.Raw] = []
    msg: Any = None


class _Trade(Struct):
    s: str
    p: Annotated[float, Meta(gt=0, le=1e12)]
    t: Annotated[int, Meta(ge=0, lt=1 << 52)]
    v: Annotated[float, Meta(ge=0, le=1e15)]


_FRAME: Final = msgspec.json.Decoder(_Frame)
_TRADE: Final = msgspec.json.Decoder(_Trade)
_LAST: Final = 253_339_228_800_000
"""The year 9998, in milliseconds."""


class FinnhubProtocol:
    """See `StreamProtocol`. The bars are made of the trades that it receives."""

    def __init__(self, tickers: Tickers, bars: MinuteBars, clock: Clock, api_key: str) -> None:
        self.heard = Heard()
        self._tickers = tickers
        self._bars = bars
        self._clock = clock
        self._api_key = api_key
        self._asked: dict[str, str] = {}
        """Tickers by symbol."""

    def opening(self) -> Sequence[str]:
        """Nothing: the key is in the address."""
        self.heard = Heard()
        return ()

    def subscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        for symbol in symbols:
            self.heard.refused.pop(symbol, None)
            if (ticker := self._tickers.ticker(symbol)) is not None:
                self._asked[symbol] = ticker
                self._bars.begin(ticker, self._clock.now())
        return [json.dumps({"type": "subscribe", "symbol": symbol}) for symbol in symbols]

    def unsubscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        for symbol in symbols:
            self.heard.symbols.discard(symbol)
            self._bars.end(self._asked.pop(symbol, symbol))
        self.heard.limited = None  # there is room again
        return [json.dumps({"type": "unsubscribe", "symbol": symbol}) for symbol in symbols]

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        """The latest quote of each ticker in the frame; see `StreamProtocol.received`."""
        try:
            said = _FRAME.decode(frame)
        except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
            return [self._misfit(frame, str(error))]
        match said.type:
            case "trade":
                return self._trades(said.data)
            case "ping":
                return []
            case "error":
                return self._error(frame, clean(redact(str(said.msg), [self._api_key]), 200))
            case _:
                return [self._misfit(frame, f"a message of type {said.type}")]

    def _trades(self, rows: Sequence[msgspec.Raw]) -> Sequence[AnyMessage]:
        quotes: dict[str, Quote] = {}
        misfits: list[DeadLetter] = []
        now = self._clock.now()
        for raw in rows:
            try:
                quote = self._trade(_TRADE.decode(raw), now)
            except (ValueError, RecursionError) as error:
                misfits.append(self._misfit(bytes(raw), str(error)))
                continue
            if quote is not None and (quote.ticker not in quotes or quote.revision >= quotes[quote.ticker].revision):
                quotes[quote.ticker] = quote
        return [*misfits, *quotes.values()]

    def _trade(self, row: _Trade, now: datetime) -> Quote | None:
        """The trade as a quote, once it is in its bar; None of a ticker that is no longer asked for.

        Raises:
            ValueError: if it does not fit.
        """
        ticker = self._tickers.ticker(row.s)
        if ticker is None:
            return None
        if row.t > _LAST or not math.isfinite(row.p + row.v):
            raise ValueError("a value is out of range")
        self.heard.symbols.add(row.s)
        at = datetime.fromtimestamp(row.t / 1000, UTC)
        self._bars.add(Trade(ticker, row.p, row.v, at), now)
        return Quote(ticker=ticker, ts=min(at, now), price=row.p, currency="USD", revision=row.t, source=SOURCE)

    def _error(self, frame: str | bytes, words: str) -> Sequence[AnyMessage]:
        """What an error means. One that is not known is a dead letter, and the connection goes on.

        Raises:
            StreamRefusedError: if it is about the key, or asks to come again later.
        """
        now = self._clock.now()
        if match := _INVALID_SYMBOL.search(words):
            self.heard.refused[match[1]] = TickerTrouble(f"Finnhub does not know {match[1]}", now)
        elif _TOO_MANY_SYMBOLS.search(words):
            why = f"Finnhub gives fewer symbols than were asked for ({words}); lower finnhub.max_symbols"
            self.heard.limited = TickerTrouble(why, now)
        elif _BUSY.search(words):
            raise StreamRefusedError(f"Finnhub asks to come again later ({words})", permanent=False)
        elif _BAD_KEY.search(words):
            raise StreamRefusedError(
                f"Finnhub refuses the key ({words}); check FINNHUB_API_KEY against https://finnhub.io/dashboard",
                permanent=True,
            )
        else:
            return [self._misfit(frame, f"an error that is not known: {words}")]
        return []

    def _misfit(self, frame: str | bytes, reason: str) -> DeadLetter:
        return misfit(SOURCE, frame, reason, self._clock.now(), [self._api_key])
