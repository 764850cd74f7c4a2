"""Whatever comes over a stream, nothing but messages or a refusal comes of it."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.messages import decode, encode, topic_of
from pipeline.net.errors import StreamRefusedError
from pipeline.net.stream_protocol import StreamProtocol
from pipeline.sources.coinbase.streamer import CoinbaseStreamer
from pipeline.sources.kraken.streamer import KrakenStreamer
from testkit.fakes import FakeClock

WORDS = st.sampled_from(
    [
        "ticker",
        "ohlc",
        "status",
        "error",
        "subscribe",
        "BTC/USD",
        "BTC-USD",
        "121.5",
        "2026-03-04T15:00:00Z",
        "",
        "1e999",
    ]
)
KEYS = st.sampled_from(
    [
        "type",
        "channel",
        "method",
        "data",
        "symbol",
        "product_id",
        "price",
        "last",
        "time",
        "timestamp",
        "error",
        "reason",
        "interval_begin",
        "interval",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "success",
        "message",
        "system",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=12,
)


def no_close(_ticker: str, _moment: datetime) -> float | None:
    return None


def forget(_ticker: str, _why: str) -> None:
    return None


@pytest.mark.parametrize("make", [CoinbaseStreamer, KrakenStreamer])
@given(frames=st.lists(st.binary(max_size=40) | VALUES.map(json.dumps), max_size=5))
def test_it_is_taken(make: Any, frames: list[str | bytes]) -> None:
    protocol: StreamProtocol = make(FakeClock(), no_close, forget)
    for frame in frames:
        try:
            messages = protocol.received(frame)
        except StreamRefusedError:
            continue
        for message in messages:
            assert decode(topic_of(message), encode(message)) == message
