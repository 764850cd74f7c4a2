"""The streamer's message, as recorded and as anybody could send it."""

import csv
import json
import struct
from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.yahoo.pricing import Pricing, PricingError, decode, read_frame
from testkit.data import RECORDED, require
from testkit.yahoo_frames import frame, message, varint

RECORDINGS = RECORDED / "providers" / "yahoo_ws"
CHARACTERS = st.sampled_from('aZ09+/= {}":,\\\x00\x1bé€😀')
STRINGS = st.text(CHARACTERS, max_size=20)
SINT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def said(pricing: Pricing) -> dict[str, object]:
    """What is not None."""
    return {name: value for name, value in msgspec.structs.asdict(pricing).items() if value is not None}


@pytest.mark.parametrize("name", ["AAPL-premarket-2026-05-22", "BTC-USD-2025-01-10"])
@pytest.mark.parametrize("enveloped", [False, True])
def test_recorded_messages(name: str, enveloped: bool) -> None:
    text = require(RECORDINGS / f"{name}.b64").read_text().strip()
    expected = json.loads(require(RECORDINGS / f"{name}.expected.json").read_text())
    pricing = read_frame(json.dumps({"type": "pricing", "message": text}) if enveloped else text)
    assert pricing is not None
    found = said(pricing)
    assert found.keys() == expected.keys()
    for field, value in expected.items():
        assert found[field] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), field


def test_the_fields_are_those_of_the_recorded_description() -> None:
    with require(RECORDINGS / "fields.csv").open(newline="") as file:
        rows = [(row["name"], row["type"]) for row in csv.DictReader(file)]
    assert [name for name, _ in rows] == list(Pricing.__struct_fields__)
    wires = {"string": (2, b"\x01x"), "float": (5, struct.pack("<f", 2)), "double": (1, struct.pack("<d", 2))}
    values = {"string": "x", "float": 2.0, "double": 2.0, "int32": 2, "sint64": 1}
    for number, (name, kind) in enumerate(rows, 1):
        wire_type, raw = wires.get(kind, (0, b"\x02"))
        assert said(decode(varint(number << 3 | wire_type) + raw)) == {name: values[kind]}


def test_recorded_good_and_bad_frames() -> None:
    found = []
    for line in require(RECORDINGS / "frames-good-and-bad.made.ndjson").read_text().splitlines():
        try:
            pricing = read_frame(line)
        except PricingError as error:
            found.append(str(error))
        else:
            found.append(None if pricing is None else pricing.id)
    assert found == [
        "AAPL",
        "BTC-USD",
        "its message is not base64",
        "it ends within a number",
        "it has no message",
        None,
    ]


def test_a_message_of_our_own() -> None:
    pricing = read_frame(frame(id="AAPL", price=1.5, time=-3, currency="USD", market_hours=2, price_hint=2))
    expected = {"id": "AAPL", "price": 1.5, "time": -3, "currency": "USD", "market_hours": 2, "price_hint": 2}
    assert pricing is not None and said(pricing) == expected


def test_int32_has_a_sign() -> None:
    assert decode(varint(7 << 3) + varint((1 << 64) - 1)).market_hours == -1


def test_the_last_of_two_is_taken_and_unknown_fields_are_skipped() -> None:
    unknown = b"".join(
        [
            varint(99 << 3) + varint(1 << 63),
            varint(100 << 3 | 1) + b"12345678",
            varint(101 << 3 | 2) + b"\x03abc",
            varint(102 << 3 | 5) + b"1234",
            varint(2 << 3 | 2) + b"\x01x",  # the price, as a text
        ]
    )
    assert said(decode(unknown + message(price=1.0) + unknown + message(price=2.0))) == {"price": 2.0}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x0a\x04AAP", "it ends within field 1"),
        (b"\x15\x00\x00", "it ends within field 2"),
        (b"\x18", "it ends within a number"),
        (b"\x18" + b"\xff" * 11, "a number is too long"),
        (b"\x0a\x02\xff\xff", "a text is not UTF-8"),
        (b"\x0b", "field 1 is of wire type 3"),
        (b"\x00\x00", "there is no field 0"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "it ends within field 1"),
    ],
)
def test_what_is_no_protobuf_is_an_error(data: bytes, why: str) -> None:
    with pytest.raises(PricingError, match=why):
        decode(data)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"type": 5}',
        '{"message": "CgA="}',
        '{"type": "pricing", "message": 5}',
        "é",
        "[" * 100_000,
        "\ud800",
    ],
)
def test_what_is_no_frame_is_an_error(text: str) -> None:
    with pytest.raises(PricingError):
        read_frame(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    for attempt in (lambda: decode(data), lambda: read_frame(data), lambda: read_frame(b64encode(data))):
        try:
            result = attempt()
        except PricingError:
            continue
        assert result is None or isinstance(result, Pricing)


@given(st.text(CHARACTERS, max_size=200))
def test_any_text_is_a_message_or_an_error(text: str) -> None:
    for attempt in (text, json.dumps({"type": "pricing", "message": text})):
        try:
            read_frame(attempt)
        except PricingError:
            continue


@given(id=STRINGS, currency=STRINGS, time=SINT64, day_volume=SINT64, price=st.floats(width=32, allow_nan=False))
def test_what_is_written_is_read(id: str, currency: str, time: int, day_volume: int, price: float) -> None:  # noqa: A002
    fields = {"id": id, "currency": currency, "time": time, "day_volume": day_volume, "price": price}
    assert said(decode(message(**fields))) == fields


def test_a_large_message_takes_no_longer_than_its_size() -> None:
    assert said(decode(message(price=1.0) * 100_000)) == {"price": 1.0}
