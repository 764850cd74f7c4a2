"""Frames as Yahoo's streamer sends them, written without the code that reads them."""

import json
import struct
from base64 import b64encode

NUMBERS = {
    "id": 1,
    "price": 2,
    "time": 3,
    "currency": 4,
    "market_hours": 7,
    "day_volume": 9,
    "day_high": 10,
    "day_low": 11,
    "change": 12,
    "open_price": 15,
    "previous_close": 16,
    "bid": 23,
    "price_hint": 27,
}
SIGNED = {"time", "day_volume", "price_hint"}


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def message(**fields: str | float) -> bytes:
    """The protobuf of these fields."""
    out = b""
    for name, value in fields.items():
        number = NUMBERS[name]
        match value:
            case str():
                out += varint(number << 3 | 2) + varint(len(value.encode())) + value.encode()
            case float():
                out += varint(number << 3 | 5) + struct.pack("<f", value)
            case int():
                zigzag = (value << 1) ^ (value >> 63) if name in SIGNED else value
                out += varint(number << 3) + varint(zigzag & (1 << 64) - 1)
    return out


def frame(**fields: str | float) -> str:
    return json.dumps({"type": "pricing", "message": b64encode(message(**fields)).decode()})
