"""The recorded hour: a file of messages, each of which came at its time. Made by `python -m tools.demo`."""

import gzip
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from pipeline.model.messages import AnyMessage, encode

FILE: Final = Path(__file__).with_name("hour.jsonl.gz")
SOURCE: Final = "demo"
TICKERS: Final = ("HARBOR", "LANTERN", "ORCHID", "QUARRY", "TIMBER")
"""Of companies that do not exist. No share in the United States has a symbol of so many letters."""
START: Final = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
"""When the hour begins, half an hour after the open. What came before is of the past, for charts and indicators."""
END: Final = START + timedelta(hours=1)


_decoder: Final = msgspec.json.Decoder(AnyMessage)


def written(messages: Iterable[AnyMessage]) -> bytes:
    """The lines of the file, uncompressed."""
    return b"".join(encode(message) + b"\n" for message in messages)


def compressed(lines: bytes) -> bytes:
    return gzip.compress(lines, mtime=0)


def read_lines() -> bytes:
    return gzip.decompress(FILE.read_bytes())


@cache
def read() -> Sequence[AnyMessage]:
    """The recording, in order of time."""
    return sorted(map(_decoder.decode, read_lines().splitlines()), key=lambda message: message.ts)
