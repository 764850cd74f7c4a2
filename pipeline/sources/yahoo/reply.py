"""The shape of Yahoo's chart reply: what is promised, what may be missing, and what is said instead. No I/O.

https://query2.finance.yahoo.com/v8/finance/chart/AAPL?interval=1m&range=1d is not documented by Yahoo. Only what every
recorded reply has is required.
"""

import hashlib
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from pipeline.model.messages import DeadLetter
from pipeline.model.text import clean
from pipeline.sources.outside import text_or_none
from pipeline.sources.yahoo.errors import NAME, NoSuchSymbolError, NotServedError, SymbolError, UnreadableChartError
from pipeline.sources.yahoo.symbols import symbol_of

SOURCE: Final = "yahoo"
_PAYLOAD_LIMIT: Final = 2048
_REASON_LIMIT: Final = 300


class Meta(Struct, frozen=True, rename="camel"):
    """What a reply says of the symbol. Optional values are of any type until they are used."""

    symbol: str
    currency: Any = None
    instrument_type: Any = None
    exchange_timezone_name: Any = None
    regular_market_price: Any = None
    regular_market_time: Any = None
    regular_market_volume: Any = None
    regular_market_day_high: Any = None
    regular_market_day_low: Any = None
    fifty_two_week_high: Any = None
    fifty_two_week_low: Any = None
    previous_close: Any = None
    """The close before the day of the price; in replies with intraday bars only. `chartPreviousClose` is another: that
    before the first bar."""
    current_trading_period: Any = None
    trading_periods: Any = None
    data_granularity: Any = None
    valid_ranges: Any = None


class Columns(Struct, frozen=True):
    """One value a timestamp, null where nothing was traded."""

    open: list[Any] | None = None
    high: list[Any] | None = None
    low: list[Any] | None = None
    close: list[Any] | None = None
    volume: list[Any] | None = None


class _Indicators(Struct, frozen=True):
    quote: list[Columns]


class Result(Struct, frozen=True):
    """A reply's data; without bars there is no `timestamp`."""

    meta: Meta
    timestamp: list[Any] | None = None
    indicators: _Indicators | None = None
    events: Any = None

    @property
    def columns(self) -> Columns:
        quote = self.indicators.quote if self.indicators else []
        return quote[0] if quote else Columns()


class _Chart(Struct, frozen=True):
    result: list[Raw] | None = None
    error: Any = None


class _Reply(Struct, frozen=True):
    chart: _Chart


class Asked(NamedTuple):
    """What a reply answers: the ticker, Yahoo's name of the interval, and when."""

    ticker: str
    granularity: str
    now: datetime

    @property
    def revision(self) -> int:
        """That of what the reply says: when it was seen, in milliseconds since the epoch."""
        return int(self.now.timestamp() * 1000)

    def misfit(self, payload: bytes, reason: str) -> DeadLetter:
        """What does not fit. The same always has the same offset: it comes with every reply, and is published once."""
        digest = hashlib.blake2b(f"{self.ticker}|".encode() + payload, digest_size=6).digest()
        return DeadLetter(
            ts=self.now,
            topic=f"{SOURCE}:chart {self.granularity}",
            partition=0,
            offset=int.from_bytes(digest),
            reason=clean(f"{self.ticker}: {reason}", _REASON_LIMIT),
            payload=payload[:_PAYLOAD_LIMIT].decode("utf-8", "replace"),
        )


def read_reply(body: bytes, asked: Asked) -> Result:
    """The data of a reply.

    Raises:
        SymbolError: if there are none.
    """
    try:
        chart = msgspec.json.decode(body, type=_Reply).chart
        if not chart.result:
            raise read_refusal(chart.error, asked) or ValueError("it holds neither data nor a reason")
        result = msgspec.json.decode(chart.result[0], type=Result)
        if result.meta.symbol.upper() != symbol_of(asked.ticker):
            raise ValueError(f"it is about {clean(result.meta.symbol, 40)}")
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
        raise UnreadableChartError(clean(str(error), _REASON_LIMIT), asked.misfit(body, str(error))) from error
    return result


def refusal_in(body: bytes, asked: Asked) -> SymbolError | None:
    """What the body of a refused request says of the symbol; None if it says nothing of the kind."""
    try:
        return read_refusal(msgspec.json.decode(body, type=_Reply).chart.error, asked)
    except (ValueError, RecursionError):
        return None


def read_refusal(error: Any, asked: Asked) -> SymbolError | None:
    """What the field `error` means, such as `{"code": "Not Found", "description": "No data found, symbol may be
    delisted"}`; None if it holds no error."""
    code = text_or_none(error.get("code")) if isinstance(error, dict) else None
    if code is None:
        return None
    said = clean(text_or_none(error.get("description")) or code, _REASON_LIMIT)
    if code == "Not Found":
        return NoSuchSymbolError(f"{NAME} knows no symbol {asked.ticker}: {said}")
    return NotServedError(f"{NAME} does not serve {asked.ticker} in this way: {said}")
