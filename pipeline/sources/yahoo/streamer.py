"""What Yahoo's streamer speaks: symbols are asked for in JSON, and what has changed of each comes. No I/O."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Currency, MarketCap, MarketSession, Price, Quote, Volume
from pipeline.sources.outside import number_or_none
from pipeline.sources.polling.items import misfit
from pipeline.sources.yahoo.pricing import Pricing, read_frame
from pipeline.sources.yahoo.reply import SOURCE
from pipeline.sources.yahoo.rows import plain

RESUBSCRIBE_EVERY: Final = 15.0
"""Seconds after which the streamer forgets who does not ask again."""
AHEAD: Final = timedelta(minutes=5)
"""How far its clock may be ahead of ours."""
SAME_DAY: Final = 6 * 3600 * 1000
"""Milliseconds without a word of a symbol after which another day may have begun."""
MISFIT_EVERY: Final = 60.0
"""Seconds: what does not fit of a symbol is told once in them, for it comes with every trade."""

_SESSIONS: Final[dict[int, MarketSession]] = {0: "pre", 1: "regular", 2: "post"}
_MOST_DECIMALS: Final = 8
_DIGITS: Final = 4
"""That a price keeps whatever the hint says."""
_NEVER: Final = 100_000_000_000_000
"""Milliseconds, in the year 5138."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Known:
    """What was said of a symbol before; `time` in milliseconds since the epoch, as of the latest frame."""

    time: int = 0
    currency: str | None = None
    price_hint: int | None = None
    session: MarketSession | None = None
    previous_close: float | None = None
    volume: float | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    market_cap: float | None = None


class YahooStreamer:
    """A `StreamProtocol`. A frame holds what has changed; the rest is remembered while the symbol is subscribed to."""

    def __init__(self, ticker_of: Callable[[str], str | None], clock: Clock) -> None:
        """`ticker_of` is the ticker that is meant by a symbol of Yahoo's; None if it is of no interest."""
        self._ticker_of = ticker_of
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._before: dict[str, _Known] = {}
        self._misfits: dict[str, float] = {}

    def opening(self) -> Sequence[str]:
        """Nothing. What is known of symbols that are not subscribed to anew is forgotten."""
        self._before, self._known = self._known, {}
        return ()

    def subscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        for symbol in symbols:
            self._known.setdefault(symbol, self._before.pop(symbol, _Known()))
        return [json.dumps({"subscribe": list(symbols)})]

    def unsubscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        for symbol in symbols:
            self._known.pop(symbol, None)
            self._misfits.pop(symbol, None)
        return [json.dumps({"unsubscribe": list(symbols)})]

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        """A quote, if the frame tells a price of a symbol that was asked for and none later has come before."""
        symbol = ""
        try:
            said = read_frame(frame)
            if said is None:
                return ()
            symbol = said.id or ""
            known, ticker = self._known.get(symbol), self._ticker_of(symbol)
            if known is None or ticker is None:
                return ()
            quote = self._quote(said, known, ticker)
        except ValueError as error:
            return self._misfit(symbol, frame, str(error))
        return () if quote is None else (quote,)

    def _quote(self, said: Pricing, known: _Known, ticker: str) -> Quote | None:
        """Raises ValueError if it is none."""
        now = self._clock.now()
        time = said.time or (now - _EPOCH) // timedelta(milliseconds=1)  # without one it was now
        made = _moment(time)
        if made > now + AHEAD:
            raise ValueError(f"{made.isoformat()} is a time to come")
        if time < known.time:
            return None
        _learn(said, known, time)
        if said.price is None:
            return None
        fields = {
            "type": "quote",
            "ticker": ticker,
            "ts": min(made, now),
            "price": rounded(said.price, known.price_hint),
            "previous_close": number_or_none(known.previous_close, Price),
            "volume": known.volume,
            "currency": known.currency,
            "session": known.session,
            "open": known.open,
            "high": known.high,
            "low": known.low,
            "market_cap": known.market_cap,
            "revision": time,
            "source": SOURCE,
        }
        return msgspec.convert(fields, Quote)  # converted, not constructed: only that checks the ranges

    def _misfit(self, symbol: str, frame: str | bytes, reason: str) -> Sequence[AnyMessage]:
        about = symbol if symbol in self._known else ""  # of no more symbols than were asked for
        now = self._clock.monotonic()
        if now < self._misfits.get(about, -math.inf) + MISFIT_EVERY:
            return ()
        self._misfits[about] = now
        item = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
        return (misfit(SOURCE, "stream", item, f"{about}: {reason}" if about else reason, self._clock),)


def rounded(price: float, hint: int | None) -> float:
    """As it was written, from 32 bits: with as many decimals as Yahoo shows, or more where those would leave nothing of
    a small price."""
    short = plain(price)
    if short is None or hint is None or not 0 <= hint <= _MOST_DECIMALS or not math.isfinite(short) or short == 0:
        return price if short is None else short
    return round(short, max(hint, _DIGITS - 1 - math.floor(math.log10(abs(short)))))


def _learn(said: Pricing, known: _Known, time: int) -> None:
    """Take over what is said. What holds for a day is forgotten when another may have begun."""
    session = known.session if said.market_hours is None else _SESSIONS.get(said.market_hours)
    if time - known.time > SAME_DAY or (session == "pre" and known.session != "pre"):
        known.previous_close = known.volume = known.open = known.high = known.low = None
    known.time, known.session = time, session
    if said.currency is not None:
        known.currency = _currency(said.currency)
    if said.price_hint is not None:
        known.price_hint = said.price_hint
    if said.day_volume is not None:
        known.volume = number_or_none(said.day_volume, Volume)
    known.open = _price(said.open_price, known.price_hint) or known.open
    known.high = _price(said.day_high, known.price_hint) or known.high
    known.low = _price(said.day_low, known.price_hint) or known.low
    known.market_cap = number_or_none(said.market_cap, MarketCap) or known.market_cap
    if (close := _previous_close(said, session, known.price_hint)) is not None:
        known.previous_close = close


def _previous_close(said: Pricing, session: MarketSession | None, hint: int | None) -> float | None:
    """The close before the day. After the close the change is counted from the day's own, and says nothing."""
    if said.previous_close:
        return rounded(said.previous_close, hint)
    if said.price is None or said.change is None or session == "post":
        return None
    return rounded(_float32(said.price - said.change), hint)


def _price(said: float | None, hint: int | None) -> float | None:
    """None for 0, which is what is not known."""
    return number_or_none(rounded(said, hint), Price) if said else None


def _float32(value: float) -> float:
    """Without the digits that a number of 32 bits does not have."""
    return float(f"{value:.7g}")


def _currency(text: str) -> str | None:
    try:
        return msgspec.convert(text, Currency)
    except msgspec.ValidationError:
        return None


def _moment(milliseconds: int) -> datetime:
    """Raises ValueError if there is no such time."""
    if not 0 <= milliseconds < _NEVER:
        raise ValueError(f"{milliseconds} is no time")
    return _EPOCH + timedelta(milliseconds=milliseconds)
