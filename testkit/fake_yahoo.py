"""Yahoo's chart, search and streamer on this machine: prices made up for a clock, in the shape of the recorded ones.

`HttpServer` carries charts and search: `FakeYahoo(clock).serve_on(server)`, and `[yahoo] base_url` is the server's.
`WebSocketServer` carries the streamer: `websocket.on(yahoo.streaming(every=1.0))`.
"""

import asyncio
import json
import math
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pipeline.clock import Clock
from testkit import websocket_server, yahoo_frames
from testkit.http_server import Behaviour, HttpServer, Request, answer

CHART = "/v8/finance/chart/"
RANGES = {"1d": 1, "5d": 5, "1mo": 31, "1y": 366, "5y": 5 * 366}
LONGEST = timedelta(days=8)
"""Of a span of one-minute bars; and they go back 30 days."""
SESSIONS = ("pre", "regular", "post")


@dataclass(frozen=True)
class Instrument:
    """One symbol. `hours` are the starts of pre, regular and post, and the end of post, in its zone; equal ones make an
    empty session, and None the whole day, weekends included. `splits` are (day, numerator, denominator)."""

    symbol: str
    price: float
    kind: str = "EQUITY"
    currency: str | None = "USD"
    zone: str = "America/New_York"
    hours: tuple[time, time, time, time] | None = (time(4), time(9, 30), time(16), time(20))
    name: str = ""
    exchange: str = "NMS"
    splits: list[tuple[date, float, float]] = field(default_factory=list)
    dividends: list[tuple[date, float]] = field(default_factory=list)

    def periods(self, day: date) -> dict[str, tuple[int, int]] | None:
        """Start and end of each session of the day, None if there is none."""
        zone = ZoneInfo(self.zone)
        if self.hours is None:
            start = int(datetime.combine(day, time(), zone).timestamp())
            return {"pre": (start, start), "regular": (start, start + 86_340), "post": (start + 86_340, start + 86_340)}
        if day.weekday() >= 5:
            return None
        at = [int(datetime.combine(day, hour, zone).timestamp()) for hour in self.hours]
        return dict(zip(SESSIONS, pairwise(at), strict=True))

    def price_at(self, at: float) -> float:
        """As one would see it now: adjusted for the splits that came after it."""
        zone = ZoneInfo(self.zone)
        wave = math.sin(at / 7_000) * 0.01 + math.sin(at / 1_000_000) * 0.05
        price = self.price * (1 + wave)
        for day, numerator, denominator in self.splits:
            if at < datetime.combine(day, time(), zone).timestamp():
                price *= denominator / numerator
        return float32(price)


SAMPLES = (
    Instrument("AAPL", 230.0, name="Apple Inc."),
    Instrument("MSFT", 430.0, name="Microsoft Corporation"),
    Instrument("BRK-B", 470.0, name="Berkshire Hathaway Inc.", exchange="NYQ"),
    Instrument("BTC-USD", 96_000.0, "CRYPTOCURRENCY", zone="UTC", hours=None, name="Bitcoin USD", exchange="CCC"),
    Instrument("EURUSD=X", 1.05, "CURRENCY", zone="Europe/London", hours=None, name="EUR/USD", exchange="CCY"),
    Instrument("^GSPC", 6_000.0, "INDEX", name="S&P 500", exchange="SNP"),
    Instrument(
        "VOD.L", 115.0, currency="GBp", zone="Europe/London", hours=(time(8), time(8), time(16, 30), time(16, 30)),
        name="Vodafone Group PLC", exchange="LSE",
    ),
    Instrument(
        "7203.T", 2_800.0, currency="JPY", zone="Asia/Tokyo", hours=(time(9), time(9), time(15, 30), time(15, 30)),
        name="Toyota Motor Corporation", exchange="JPX",
    ),
)  # fmt: skip


class FakeYahoo:
    """Knows the instruments and nothing else. `asked` are the requests for charts: when, of which symbol, for what."""

    def __init__(self, clock: Clock, instruments: tuple[Instrument, ...] = SAMPLES) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.faults: dict[str, Behaviour] = {}
        """What happens instead to requests for a symbol; to all that are not named for the key "*"."""
        self._clock = clock

    def serve_on(self, server: HttpServer) -> "FakeYahoo":
        """Answer everything that the server is asked."""
        server.on(self)
        return self

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        symbol = unquote(request.path.removeprefix(CHART))
        if request.path.startswith(CHART):
            self.asked.append((self._clock.monotonic(), symbol, request.params))
        fault = self.faults.get(symbol, self.faults.get("*"))
        behave = fault or (self.search(request) if request.path == "/v1/finance/search" else self.chart(request))
        await behave(request, writer)

    def chart(self, request: Request) -> Behaviour:
        instrument = self.instruments.get(unquote(request.path.removeprefix(CHART)))
        if instrument is None:
            return answer(refusal("Not Found", "No data found, symbol may be delisted"), 404)
        now = self._clock.now()
        start, end = self._span(instrument, request.params, now)
        granularity = request.params["interval"]
        if granularity == "1m" and (end - start > LONGEST or now - start > timedelta(days=30)):
            return answer(refusal("Unprocessable Entity", f"1m data not available for startDate={start}"), 422)
        meta = self._meta(instrument, now) | {"dataGranularity": granularity, "range": request.params.get("range", "")}
        rows = list(_minutes(instrument, start, end) if granularity == "1m" else _days(instrument, start, end))
        return answer(reply(meta, rows, _events(instrument, start, end)), headers={"Cache-Control": "max-age=10"})

    def search(self, request: Request) -> Behaviour:
        words = request.params["q"].lower()
        found = [
            {"symbol": i.symbol, "longname": i.name, "exchDisp": i.exchange, "typeDisp": i.kind.title()}
            for i in self.instruments.values()
            if words in f"{i.symbol} {i.name}".lower()
        ]
        return answer({"count": len(found), "quotes": found, "news": []})

    def streaming(self, every: float | None = None) -> websocket_server.Behaviour:
        """A streamer: tells the price of each symbol that is subscribed to and traded: at once, perhaps every so many
        seconds."""

        async def session(client: websocket_server.Client) -> None:
            wanted: dict[str, None] = {}
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(every):
                        asked = json.loads(await client.receive())
                        wanted |= dict.fromkeys(asked.get("subscribe", ()))
                        for symbol in asked.get("unsubscribe", ()):
                            wanted.pop(symbol, None)
                await client.send(*(self.pricing(symbol) for symbol in wanted if self._is_traded(symbol)))

        return websocket_server.Behaviour(session)

    def _is_traded(self, symbol: str) -> bool:
        now = self._clock.now()
        instrument = self.instruments.get(symbol)
        return instrument is not None and now.timestamp() <= _session(instrument, now)["post"][1]

    def pricing(self, symbol: str) -> str:
        """A frame of the streamer with the price of now."""
        instrument, now = self.instruments[symbol], self._clock.now()
        price = instrument.price_at(now.timestamp())
        meta = self._meta(instrument, now)
        spans = _session(instrument, now).items()
        part = next((name for name, (start, end) in spans if start <= now.timestamp() < end), "regular")
        before = meta["regularMarketPrice"] if part == "post" else meta["previousClose"]
        fields = {
            "id": symbol,
            "price": price,
            "time": int(now.timestamp() * 1000),
            "market_hours": SESSIONS.index(part),
            "change": price - before,
            "price_hint": meta["priceHint"],
        }
        return yahoo_frames.frame(**fields, **({"currency": instrument.currency} if instrument.currency else {}))

    def _span(self, instrument: Instrument, params: dict[str, str], now: datetime) -> tuple[datetime, datetime]:
        if "range" not in params:
            start, end = (datetime.fromtimestamp(int(params[key]), UTC) for key in ("period1", "period2"))
            return start, min(end, now)
        if params["range"] == "1d":
            return datetime.fromtimestamp(_session(instrument, now)["pre"][0], UTC), now
        return now - timedelta(days=RANGES[params["range"]]), now

    def _meta(self, instrument: Instrument, now: datetime) -> dict[str, Any]:
        zone = ZoneInfo(instrument.zone)
        today = _session(instrument, now)
        opens, _ = today["regular"]
        day = datetime.fromtimestamp(opens, zone).date()
        if now.timestamp() < opens:
            day = _day_before(instrument, day)
        sessions = instrument.periods(day)
        assert sessions is not None
        priced_at = min(int(now.timestamp()), sessions["regular"][1])
        before = instrument.periods(_day_before(instrument, day))
        assert before is not None
        offset = int((now.astimezone(zone).utcoffset() or timedelta()).total_seconds())
        named = {"timezone": now.astimezone(zone).tzname(), "gmtoffset": offset}
        return {
            "symbol": instrument.symbol,
            "currency": instrument.currency,
            "instrumentType": instrument.kind,
            "exchangeName": instrument.exchange,
            "exchangeTimezoneName": instrument.zone,
            "firstTradeDate": -1_325_583_000,
            "longName": instrument.name,
            "priceHint": 2,
            "regularMarketPrice": round(instrument.price_at(priced_at), 4),
            "regularMarketTime": priced_at,
            "regularMarketVolume": 0 if instrument.kind in ("INDEX", "CURRENCY") else 1_000_000,
            "previousClose": round(instrument.price_at(before["regular"][1]), 4),
            "chartPreviousClose": 1.0,  # of before the range, which is for nobody to use
            "currentTradingPeriod": {name: named | {"start": a, "end": b} for name, (a, b) in today.items()},
            "validRanges": ["1mo", "max"] if instrument.kind == "MUTUALFUND" else ["1d", "5d", "1mo", "max"],
        } | named


def float32(value: float) -> float:
    """As Yahoo sends it: of 32 bits."""
    result: float = struct.unpack("f", struct.pack("f", value))[0]
    return result


def reply(meta: dict[str, Any], rows: list[tuple[Any, ...]], events: dict[str, Any] | None = None) -> dict[str, Any]:
    """A chart of rows (time, open, high, low, close, volume); without rows it has no timestamps."""
    columns = list(zip(*rows, strict=True))
    quote = dict(zip(("open", "high", "low", "close", "volume"), map(list, columns[1:]), strict=False))
    result: dict[str, Any] = {"meta": meta, "indicators": {"quote": [quote]}}
    if rows:
        result["timestamp"] = list(columns[0])
    if events:
        result["events"] = events
    return {"chart": {"result": [result], "error": None}}


def refusal(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


def _session(instrument: Instrument, now: datetime) -> dict[str, tuple[int, int]]:
    """The sessions of the day that is on, or that was last before the next begins."""
    day = now.astimezone(ZoneInfo(instrument.zone)).date()
    while (sessions := instrument.periods(day)) is None or sessions["pre"][0] > now.timestamp():
        day -= timedelta(days=1)
    return sessions


def _day_before(instrument: Instrument, day: date) -> date:
    day -= timedelta(days=1)
    while instrument.periods(day) is None:
        day -= timedelta(days=1)
    return day


def _sessions(instrument: Instrument, start: datetime, end: datetime) -> Iterator[dict[str, tuple[int, int]]]:
    zone = ZoneInfo(instrument.zone)
    day = start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        if sessions := instrument.periods(day):
            yield sessions
        day += timedelta(days=1)


def _minutes(instrument: Instrument, start: datetime, end: datetime) -> Iterator[tuple[Any, ...]]:
    """Of each whole minute, and of the one that is on as a row at the time of now. One in ten has no trade."""
    first, last = int(start.timestamp()), int(end.timestamp())
    for sessions in _sessions(instrument, start, end):
        for name, (opens, closes) in sessions.items():
            for at in range(max(opens, first - first % 60), min(closes, last), 60):
                volume = 0 if name != "regular" or instrument.kind == "CURRENCY" else 1_000 + at // 60 % 500
                if at // 60 % 10 == 7 and name != "regular":
                    yield at, None, None, None, None, None
                elif at + 60 > last:
                    yield last, *(_bar(instrument, at, last)[:4]), 0
                else:
                    yield at, *_bar(instrument, at, at + 60)[:4], volume


def _days(instrument: Instrument, start: datetime, end: datetime) -> Iterator[tuple[Any, ...]]:
    """Stamped at the open, but the day that is on at the time of now."""
    last = int(end.timestamp())
    for sessions in _sessions(instrument, start, end):
        opens, closes = sessions["regular"]
        if start.timestamp() <= opens <= last:
            stamp = opens if closes <= last else last
            yield (
                stamp,
                *_bar(instrument, opens, min(closes, last))[:4],
                0 if instrument.kind == "CURRENCY" else 5_000_000,
            )


def _bar(instrument: Instrument, start: int, end: int) -> tuple[float, float, float, float]:
    path = [instrument.price_at(start + (end - start) * step / 2) for step in range(3)]
    return path[0], max(path), min(path), path[-1]


def _events(instrument: Instrument, start: datetime, end: datetime) -> dict[str, Any]:
    def at(day: date) -> int:
        sessions = instrument.periods(day)
        assert sessions is not None
        return sessions["regular"][0]

    splits = {
        str(at(day)): {"date": at(day), "numerator": top, "denominator": bottom, "splitRatio": f"{top}:{bottom}"}
        for day, top, bottom in instrument.splits
        if start.timestamp() <= at(day) <= end.timestamp()
    }
    dividends = {
        str(at(day)): {"date": at(day), "amount": amount}
        for day, amount in instrument.dividends
        if start.timestamp() <= at(day) <= end.timestamp()
    }
    return {name: found for name, found in (("splits", splits), ("dividends", dividends)) if found}
