"""A provider's protocol in small, for the tests of the stream."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pipeline.model.messages import AnyMessage, Bar, DeadLetter, Quote
from pipeline.net.errors import StreamRefusedError

TS = datetime(2026, 3, 4, 15, tzinfo=UTC)


class Ticks:
    """Frames are JSON: a quote `["AAPL", 1.5]`, a bar `["AAPL", 1.5, minute]`, a refusal `{"error": ...}`."""

    def __init__(self) -> None:
        self.frames = 0

    def opening(self) -> Sequence[str]:
        return ()

    def subscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        return [json.dumps({"subscribe": list(symbols)})]

    def unsubscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        return [json.dumps({"unsubscribe": list(symbols)})]

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        self.frames += 1
        try:
            said = json.loads(frame)
        except ValueError:
            return [DeadLetter(ts=TS, topic="ticks", partition=0, offset=0, reason="no JSON", payload=str(frame))]
        match said:
            case [ticker, price]:
                return [Quote(ticker=ticker, price=price, ts=TS)]
            case [ticker, price, minute]:
                ts = TS + timedelta(minutes=minute)
                return [Bar(ticker=ticker, ts=ts, interval="1min", open=price, high=price, low=price, close=price)]
            case {"error": why, "permanent": permanent}:
                raise StreamRefusedError(why, permanent=permanent)
        return []


class GreetedTicks(Ticks):
    """As `Ticks`, with a key that must be accepted before anything is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._accepted = False

    def opening(self) -> Sequence[str]:
        self._accepted = False
        return [json.dumps({"key": "S3CR3T-KEY"})]

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        self._accepted = self._accepted or json.loads(frame) == {"accepted": True}
        return super().received(frame)

    def ready(self) -> bool:
        return self._accepted
