"""What Alpaca's websocket says: frames are arrays of messages, each with its type in `T`.

https://docs.alpaca.markets/docs/real-time-stock-pricing-data: `t` trades, `b` bars of a minute once it is over, `u`
bars that late trades have corrected, `s` trading status, `success`, `subscription`, `error`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Bar, DeadLetter, Quote
from pipeline.model.redaction import redact
from pipeline.model.text import clean
from pipeline.net.errors import StreamRefusedError
from pipeline.sources.base import TickerTrouble
from pipeline.sources.outside import text_or_none
from pipeline.sources.share_stream import Heard, Tickers, misfit

SOURCE: Final = "alpaca"
CHANNELS: Final = ("trades", "bars", "updatedBars")
STATUS: Final = "statuses"

_FOR_GOOD: Final[Mapping[int, str]] = {
    402: "check APCA_API_KEY_ID and APCA_API_SECRET_KEY",
    408: "the account may not use this stream",
    409: "the plan does not include this stream, see alpaca.stream_url",
}
"""What only a person can change, by the code of the error."""
_FOR_NOW: Final[Mapping[int, str]] = {
    401: "it had not accepted the key yet",
    404: "it did not get the key in time",
    406: "another program is connected with this key, and only one may be",
    407: "we were too slow",
    500: "it has failed itself",
}
_TOO_MANY_SYMBOLS: Final = 405
_HALTED: Final = frozenset({"2", "H", "P"})
_RESUMED: Final = frozenset({"3", "T"})
"""Codes of the two networks that report on American exchanges: a halt or a pause, and its end."""


class _Kind(Struct):
    T: str


class _Said(Struct):
    msg: Any = None
    code: Any = None


_Price = Annotated[float, Meta(gt=0, le=1e12)]
_Size = Annotated[float, Meta(ge=0, le=1e15)]


class _Trade(Struct):
    S: str
    p: _Price
    t: datetime


class _Bar(Struct):
    S: str
    o: _Price
    h: _Price
    l: _Price  # noqa: E741
    c: _Price
    t: datetime
    v: _Size | None = None


class _Status(Struct):
    S: str
    sc: Any = None
    sm: Any = None
    rm: Any = None


_FRAME: Final = msgspec.json.Decoder(list[msgspec.Raw])
_KIND: Final = msgspec.json.Decoder(_Kind)
_SAID: Final = msgspec.json.Decoder(_Said)
_TRADE: Final = msgspec.json.Decoder(_Trade)
_BAR: Final = msgspec.json.Decoder(_Bar)
_STATUS: Final = msgspec.json.Decoder(_Status)


class AlpacaProtocol:
    """See `StreamProtocol` and `Greeted`."""

    def __init__(self, tickers: Tickers, clock: Clock, key_id: str, secret: str) -> None:
        self.heard = Heard()
        self._tickers = tickers
        self._clock = clock
        self._key_id = key_id
        self._secret = secret
        self._accepted = False

    def opening(self) -> Sequence[str]:
        """The key."""
        self.heard = Heard()
        self._accepted = False
        return [json.dumps({"action": "auth", "key": self._key_id, "secret": self._secret})]

    def ready(self) -> bool:
        """Whether the key was accepted."""
        return self._accepted

    def subscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        """The status in a frame of its own: should a plan not give it, the prices come all the same."""
        for symbol in symbols:
            self.heard.refused.pop(symbol, None)
        return self._ask("subscribe", symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        for symbol in symbols:
            self.heard.refused.pop(symbol, None)
            self.heard.symbols.discard(symbol)
        self.heard.limited = None  # there is room again
        return self._ask("unsubscribe", symbols)

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        """See `StreamProtocol.received`."""
        try:
            rows = _FRAME.decode(frame)
        except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
            return [self._misfit(frame, str(error))]
        messages: list[AnyMessage] = []
        for raw in rows:
            try:
                messages += self._row(raw)
            except (ValueError, OverflowError, RecursionError) as error:
                messages.append(self._misfit(bytes(raw), str(error)))
        return messages

    def _row(self, raw: msgspec.Raw) -> Sequence[AnyMessage]:
        match kind := _KIND.decode(raw).T:
            case "t":
                return self._trade(_TRADE.decode(raw))
            case "b" | "u":
                return self._bar(_BAR.decode(raw))
            case "s":
                self._status(_STATUS.decode(raw))
            case "success":
                self._accepted = self._accepted or _SAID.decode(raw).msg == "authenticated"
            case "error":
                return self._error(bytes(raw), _SAID.decode(raw))
            case "subscription" | "x" | "c" | "q" | "d" | "l":
                pass  # what was asked for, as it was understood; and what was not asked for
            case _:
                raise ValueError(f"a message of type {kind}")
        return []

    def _trade(self, row: _Trade) -> Sequence[Quote]:
        ticker = self._known(row.S)
        if ticker is None:
            return []
        ts = min(_aware(row.t), self._clock.now())  # it was made, so it is not of a time to come
        revision = int(ts.timestamp() * 1000)
        return [Quote(ticker=ticker, ts=ts, price=row.p, currency="USD", revision=revision, source=SOURCE)]

    def _bar(self, row: _Bar) -> Sequence[Bar]:
        """The bar of a minute that is over. One that is corrected is seen later, and so has a higher revision."""
        ticker = self._known(row.S)
        if ticker is None:
            return []
        fields = {
            "type": "bar",
            "ticker": ticker,
            "ts": _aware(row.t),
            "interval": "1min",
            "open": row.o,
            "high": row.h,
            "low": row.l,
            "close": row.c,
            "volume": row.v,
            "currency": "USD",
            "revision": int(self._clock.now().timestamp() * 1000),
            "source": SOURCE,
        }
        return [msgspec.convert(fields, Bar)]  # only that checks the ranges

    def _status(self, row: _Status) -> None:
        code = text_or_none(row.sc) or ""
        if code in _HALTED:
            why = text_or_none(row.rm) or text_or_none(row.sm) or code
            self.heard.refused[row.S] = TickerTrouble(f"trading is halted ({clean(why, 100)})", self._clock.now())
        elif code in _RESUMED:
            self.heard.refused.pop(row.S, None)

    def _error(self, raw: bytes, said: _Said) -> Sequence[AnyMessage]:
        """What an error means. One that is not known is a dead letter, and the connection goes on.

        Raises:
            StreamRefusedError: if it ends the connection.
        """
        code = said.code if isinstance(said.code, int) else 0
        words = f"{code}, {clean(redact(str(said.msg), self._secrets), 200)}"
        if code in _FOR_GOOD:
            raise StreamRefusedError(f"Alpaca refuses the connection ({words}): {_FOR_GOOD[code]}", permanent=True)
        if code in _FOR_NOW:
            raise StreamRefusedError(f"Alpaca ends the connection ({words}): {_FOR_NOW[code]}", permanent=False)
        if code == _TOO_MANY_SYMBOLS:
            why = f"Alpaca gives fewer symbols than were asked for ({words}); lower alpaca.max_symbols"
            self.heard.limited = TickerTrouble(why, self._clock.now())
            return []
        return [self._misfit(raw, f"an error that is not known ({words})")]

    def _known(self, symbol: str) -> str | None:
        """The ticker; None if it is no longer asked for."""
        ticker = self._tickers.ticker(symbol)
        if ticker is not None:
            self.heard.symbols.add(symbol)
        return ticker

    @staticmethod
    def _ask(action: str, symbols: Sequence[str]) -> Sequence[str]:
        return [
            json.dumps({"action": action} | {channel: list(symbols) for channel in CHANNELS}),
            json.dumps({"action": action, STATUS: list(symbols)}),
        ]

    @property
    def _secrets(self) -> list[str]:
        return [self._key_id, self._secret]

    def _misfit(self, frame: str | bytes, reason: str) -> DeadLetter:
        return misfit(SOURCE, frame, reason, self._clock.now(), self._secrets)


def _aware(ts: datetime) -> datetime:
    """The time, which the provider gives with its zone.

    Raises:
        ValueError: if it does not.
    """
    if ts.tzinfo is None:
        raise ValueError(f"{ts.isoformat()} is a time without a zone")
    return ts.astimezone(UTC)
