"""The message of Yahoo's streamer: protobuf in base64, bare or in JSON. No I/O.

https://streamer.finance.yahoo.com is not documented by Yahoo; the fields are those that yfinance's `pricing.proto`
lists. With `?version=2` a frame is ``{"type": "pricing", "message": "<base64>"}``, without it the base64 alone. Decoded
here: a dozen lines for one flat message, which meet hostile bytes with one kind of error.
"""

import binascii
import struct
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

PRICING: Final = "pricing"

_Kind = Literal["string", "float", "double", "int32", "sint64"]
_Value = str | int | float
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES: Final[dict[_Kind, int]] = {
    "string": _BYTES,
    "float": _FIXED32,
    "double": _FIXED64,
    "int32": _VARINT,
    "sint64": _VARINT,
}
_LONGEST_VARINT: Final = 10
"""Bytes of 64 bits."""
_LARGEST_FIELD: Final = (1 << 29) - 1


class PricingError(ValueError):
    """The frame is not what the streamer sends; the message says why."""


class Pricing(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a symbol; None is not said this time. Most frames hold only what has changed.

    `time` is in milliseconds since the epoch. Prices are numbers of 32 bits, `price_hint` the number of their decimals.
    `change` is from the last close to the price; `market_hours` numbers the session: 0 before the open, 1 regular, 2
    after the close. `day_volume` is in shares, of crypto-currencies in their quote currency.
    """

    id: str | None = None
    price: float | None = None
    time: int | None = None
    currency: str | None = None
    exchange: str | None = None
    quote_type: int | None = None
    market_hours: int | None = None
    change_percent: float | None = None
    day_volume: int | None = None
    day_high: float | None = None
    day_low: float | None = None
    change: float | None = None
    short_name: str | None = None
    expire_date: int | None = None
    open_price: float | None = None
    previous_close: float | None = None
    strike_price: float | None = None
    underlying_symbol: str | None = None
    open_interest: int | None = None
    options_type: int | None = None
    mini_option: int | None = None
    last_size: int | None = None
    bid: float | None = None
    bid_size: int | None = None
    ask: float | None = None
    ask_size: int | None = None
    price_hint: int | None = None
    vol_24hr: int | None = None
    vol_all_currencies: int | None = None
    from_currency: str | None = None
    last_market: str | None = None
    circulating_supply: float | None = None
    market_cap: float | None = None


_INT32: Final = frozenset({"quote_type", "market_hours"})
_DOUBLE: Final = frozenset({"circulating_supply", "market_cap"})


class _Field(NamedTuple):
    name: str
    kind: _Kind


def _field(name: str, annotation: Any) -> _Field:
    if name in _INT32:
        return _Field(name, "int32")
    if name in _DOUBLE:
        return _Field(name, "double")
    kinds: dict[Any, _Kind] = {str | None: "string", int | None: "sint64", float | None: "float"}
    return _Field(name, kinds[annotation])


_FIELDS: Final = {
    number: _field(name, Pricing.__annotations__[name]) for number, name in enumerate(Pricing.__struct_fields__, 1)
}
"""By number: they are numbered in the order that they are declared in."""


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    message: Any = None


def read_frame(frame: str | bytes) -> Pricing | None:
    """What a frame says; None if it is of another kind, such as a heartbeat.

    Raises:
        PricingError: if it cannot be read.
    """
    text = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
    message: object = text
    if text.lstrip()[:1] == b"{":
        try:
            envelope = msgspec.json.decode(text, type=_Envelope)
        except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
            raise PricingError(str(error)) from error
        if envelope.type != PRICING:
            return None
        message = envelope.message
    if not isinstance(message, str | bytes):
        raise PricingError("it has no message")
    try:
        return decode(b64decode(message, validate=True))
    except (binascii.Error, ValueError) as error:
        raise error if isinstance(error, PricingError) else PricingError("its message is not base64") from error


def decode(data: bytes) -> Pricing:
    """The message that the bytes hold. As protobuf wants it, a field that is unknown, or of another type than is known,
    is skipped, and of one that comes twice the last is taken.

    Raises:
        PricingError: if the bytes are no protobuf.
    """
    said: dict[str, _Value] = {}
    for number, wire_type, raw in _raw_fields(data):
        field = _FIELDS.get(number)
        if field is not None and wire_type == _WIRE_TYPES[field.kind]:
            said[field.name] = _value(field.kind, raw)
    return Pricing(**said)  # type: ignore[arg-type] # by kind


def _raw_fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Number, wire type, and the varint or bytes of each field. Every step takes a byte at least."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire_type = key >> 3, key & 7
        if not 1 <= number <= _LARGEST_FIELD:
            raise PricingError(f"there is no field {number}")
        if wire_type == _VARINT:
            varint, position = _varint(data, position)
            yield number, wire_type, varint
            continue
        if wire_type == _BYTES:
            length, position = _varint(data, position)
        elif wire_type in (_FIXED32, _FIXED64):
            length = 4 if wire_type == _FIXED32 else 8
        else:
            raise PricingError(f"field {number} is of wire type {wire_type}")
        end = position + length
        if end > len(data):
            raise PricingError(f"it ends within field {number}")
        yield number, wire_type, data[position:end]
        position = end


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """The number there, of 64 bits, and the position after it."""
    if position < len(data) and data[position] < 0x80:  # as most are
        return data[position], position + 1
    number = 0
    for index, byte in enumerate(data[position : position + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, position + index + 1
    raise PricingError("it ends within a number" if len(data) - position < _LONGEST_VARINT else "a number is too long")


def _value(kind: _Kind, raw: int | bytes) -> _Value:
    match kind, raw:
        case "sint64", int():
            return (raw >> 1) ^ -(raw & 1)
        case "int32", int():
            return ((raw & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000
        case "string", bytes():
            try:
                return raw.decode()
            except UnicodeDecodeError as error:
                raise PricingError("a text is not UTF-8") from error
        case _:
            value: float = struct.unpack("<f" if kind == "float" else "<d", raw)[0]  # type: ignore[arg-type]
            return value
