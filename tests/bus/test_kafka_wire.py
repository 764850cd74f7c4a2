"""Messages of Kafka's protocol: the same bytes and values as by aiokafka's own hand."""

import importlib
import pkgutil
import random
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import aiokafka.protocol
import pytest
from aiokafka.protocol import types
from aiokafka.protocol.metadata import MetadataResponse_v5
from aiokafka.protocol.struct import Struct

from pipeline.bus.kafka import wire

for _module in pkgutil.iter_modules(aiokafka.protocol.__path__):
    importlib.import_module(f"aiokafka.protocol.{_module.name}")


def kinds(of: type[Any] = Struct) -> Iterator[type[Any]]:
    for kind in of.__subclasses__():
        if isinstance(kind.__dict__.get("SCHEMA"), types.Schema):
            yield kind
        yield from kinds(kind)


MESSAGES = sorted({*kinds()}, key=lambda kind: (kind.__module__, kind.__name__))
_BITS = {types.Int8: 8, types.Int16: 16, types.Int32: 32, types.Int64: 64}


def value(kind: Any, chance: random.Random) -> Any:
    """One that the type can hold."""
    match kind:
        case types.Schema():
            return tuple(value(field, chance) for field in kind.fields)
        case types.Array():
            length = chance.choice([None, 0, 1, 3])
            return None if length is None else [value(kind.array_of, chance) for _ in range(length)]
        case types.String():
            return chance.choice([None, "", "topic", "Ünïcödé"])
        case types.Bytes | types.CompactBytes:
            return chance.choice([None, b"", b"\x00\xff" * 9])
        case types.TaggedFields:
            return {}
        case types.Boolean:
            return chance.random() < 0.5
        case types.Float64:
            return chance.random()
        case _ if kind in _BITS:
            return chance.randrange(-(1 << _BITS[kind] - 1), 1 << _BITS[kind] - 1)
        case _:
            return chance.randrange(1 << 20)


def encoded(schema: types.Schema, values: list[Any]) -> bytes:
    return bytes(schema.encode(values))


def message(kind: type[Any], values: list[Any]) -> Any:
    made = kind.__new__(kind)
    made.__dict__.update(zip(kind.SCHEMA.names, values, strict=True))
    return made


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_every_message_is_as_aiokafka_has_it(kind: type[Any]) -> None:
    chance = random.Random(kind.__name__)
    for _ in range(10):
        values = [value(field, chance) for field in kind.SCHEMA.fields]
        data = encoded(kind.SCHEMA, values)
        assert wire.encode(message(kind, values)) == data
        stream = BytesIO(b"before" + data + b"behind")
        stream.seek(6)
        fields, end = wire._reader(kind.SCHEMA)(stream.getvalue(), 6)
        assert list(fields) == [field.decode(stream) for field in kind.SCHEMA.fields]
        assert end == stream.tell() == 6 + len(data)


def test_what_is_cut_short_is_said() -> None:
    partitions = [(0, number, 1, [1, 2], [1], []) for number in range(3)]
    values = [0, [(1, "host", 9092, None)], "cluster", 1, [(0, "news_aapl", False, partitions)]]
    data = encoded(MetadataResponse_v5.SCHEMA, values)
    assert wire.decode(MetadataResponse_v5, data).topics == values[-1]
    for length in range(len(data)):
        with pytest.raises(ValueError, match="MetadataResponse_v5"):
            wire.decode(MetadataResponse_v5, data[:length])


@pytest.mark.parametrize("topics", ["news", [(0, "news_aapl")], [(0, "news_aapl", False, [("x", 0, 1, [], [], [])])]])
def test_what_is_of_another_type_is_not_sent(topics: Any) -> None:
    values = [0, [], None, 1, topics]
    with pytest.raises(ValueError, match=r"values to unpack|cannot be encoded"):
        wire.encode(message(MetadataResponse_v5, values))
