"""Kafka's requests and answers as bytes, by aiokafka's own schemas.

aiokafka calls several functions for each number of a message, and an answer about a thousand topics has ten thousand.
Here each schema becomes one function, of straight code, when it is first met. What few messages hold, such as numbers
of variable length, is left to aiokafka.
"""

import struct
from collections.abc import Callable
from functools import cache
from io import BytesIO
from itertools import count
from typing import Any, Final

import aiokafka.protocol.struct
from aiokafka.protocol.types import (
    Array,
    Boolean,
    Bytes,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    UInt32,
)

_FORMATS: Final = {Int8: "b", Int16: "h", Int32: "i", UInt32: "I", Int64: "q", Float64: "d", Boolean: "?"}

_Read = Callable[[bytes, int], tuple[tuple[Any, ...], int]]
"""The fields of a schema from a position in the bytes, and the position after them."""
_Write = Callable[[Any, list[bytes]], None]
"""Append the bytes of the fields of a schema."""


def install() -> None:
    """Have aiokafka decode and encode by this module."""
    aiokafka.protocol.struct.Struct.decode = classmethod(decode)
    aiokafka.protocol.struct.Struct.encode = encode


def decode(message: type[Any], data: BytesIO | bytes) -> Any:
    """The message of that type that the data begin with; a stream stands behind it then.

    Raises:
        ValueError: if they end before it does, or are not like that.
    """
    stream = BytesIO(data) if isinstance(data, bytes) else data
    received = stream.getvalue()
    try:
        values, end = _reader(message.SCHEMA)(received, stream.tell())
    except struct.error as error:
        raise ValueError(f"{message.__name__} cannot be decoded: {error}") from error
    if end > len(received):
        raise ValueError(f"{message.__name__} is cut short")
    stream.seek(end)
    return message(*values)


def encode(message: Any) -> bytes:
    """
    Raises:
        ValueError: if a value is not of its type.
    """
    parts: list[bytes] = []
    schema = message.SCHEMA
    try:
        _writer(schema)([message.__dict__[name] for name in schema.names], parts)
    except struct.error as error:
        raise ValueError(f"{type(message).__name__} cannot be encoded: {error}") from error
    return b"".join(parts)


@cache
def _reader(schema: Schema) -> _Read:
    code = _Code("def read(data, at):")
    fields = code.read_fields(schema, 1)
    code.add(1, f"return ({fields}), at")
    found: _Read = code.compiled("read")
    return found


@cache
def _writer(schema: Schema) -> _Write:
    code = _Code("def write(values, parts):")
    code.add(1, "add = parts.append")
    code.write_fields(schema, "values", 1)
    found: _Write = code.compiled("write")
    return found


class _Code:
    """The source of one function."""

    def __init__(self, head: str) -> None:
        self._lines = [head]
        self._names: dict[str, Any] = {"unpack_from": struct.unpack_from}
        self._numbers = count()

    def add(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    def compiled(self, name: str) -> Any:
        exec("\n".join(self._lines), self._names)  # noqa: S102 - of schemas, which hold nothing from outside
        return self._names[name]

    def read_fields(self, schema: Schema, depth: int) -> str:
        """Add what reads the fields; their variables, as in a tuple."""
        fields = []
        for formats, kind in _runs(schema):
            names = [self._new() for _ in formats or "x"]
            if formats:
                self._unpack(formats, ", ".join(names) + ",", depth)
            else:
                self._read(kind, names[0], depth)
            fields += names
        return "".join(f"{field}, " for field in fields)

    def _unpack(self, formats: str, target: str, depth: int) -> None:
        unpack = self._constant(struct.Struct(">" + formats).unpack_from)
        self.add(depth, f"{target} = {unpack}(data, at)")
        self.add(depth, f"at += {struct.calcsize('>' + formats)}")

    def _read(self, kind: Any, target: str, depth: int) -> None:
        if type(kind) is Schema:
            self.add(depth, f"{target} = ({self.read_fields(kind, depth)})")
        elif type(kind) is Array or type(kind) is String or kind is Bytes:
            size = self._new()
            self._unpack("h" if type(kind) is String else "i", f"{size},", depth)
            self.add(depth, f"if {size} < 0:")
            self.add(depth + 1, f"{target} = None")
            self.add(depth, "else:")
            if type(kind) is Array:
                self._read_items(kind.array_of, size, target, depth + 1)
            else:
                text = f".decode({kind.encoding!r})" if type(kind) is String else ""
                self.add(depth + 1, f"{target} = data[at : at + {size}]{text}")
                self.add(depth + 1, f"at += {size}")
        else:
            self.add(depth, f"{target}, at = {self._constant(_by_aiokafka(kind))}(data, at)")

    def _read_items(self, kind: Any, size: str, target: str, depth: int) -> None:
        if (number := _format(kind)) is not None:
            self.add(depth, f"{target} = list(unpack_from(f'>{{{size}}}{number}', data, at))")
            self.add(depth, f"at += {size} * {struct.calcsize('>' + number)}")
            return
        item = self._new()
        self.add(depth, f"{target} = []")
        self.add(depth, f"for _ in range({size}):")
        self._read(kind, item, depth + 1)
        self.add(depth + 1, f"{target}.append({item})")

    def write_fields(self, schema: Schema, source: str, depth: int) -> None:
        """Add what writes the fields that the variable `source` holds."""
        names = []
        steps: list[tuple[str, Any, list[str]]] = []
        for formats, kind in _runs(schema):
            fields = [self._new() for _ in formats or "x"]
            names += fields
            steps.append((formats, kind, fields))
        self.add(depth, f"[{', '.join(names)}] = {source}")
        for formats, kind, fields in steps:
            if formats:
                self.add(depth, f"add({self._packer(formats)}({', '.join(fields)}))")
            else:
                self._write(kind, fields[0], depth)

    def _packer(self, formats: str) -> str:
        return self._constant(struct.Struct(">" + formats).pack)

    def _write(self, kind: Any, source: str, depth: int) -> None:
        if type(kind) is Schema:
            self.write_fields(kind, source, depth)
        elif type(kind) is Array:
            item = self._new()
            self.add(depth, f"add({self._packer('i')}(-1 if {source} is None else len({source})))")
            self.add(depth, f"for {item} in {source} or ():")
            self._write(kind.array_of, item, depth + 1)
        else:
            self.add(depth, f"add({self._constant(kind.encode)}({source}))")

    def _new(self) -> str:
        return f"v{next(self._numbers)}"

    def _constant(self, value: Any) -> str:
        name = f"c{next(self._numbers)}"
        self._names[name] = value
        return name


def _by_aiokafka(kind: Any) -> Callable[[bytes, int], tuple[Any, int]]:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        stream = BytesIO(data)
        stream.seek(at)
        return kind.decode(stream), stream.tell()

    return read


def _format(kind: Any) -> str | None:
    return _FORMATS.get(kind) if isinstance(kind, type) else None


def _runs(schema: Schema) -> list[tuple[str, Any]]:
    """The fields in order: the formats of numbers that follow each other together, anything else alone and without."""
    runs: list[tuple[str, Any]] = []
    for kind in schema.fields:
        number = _format(kind)
        if number is not None and runs and runs[-1][0]:
            runs[-1] = (runs[-1][0] + number, kind)
        else:
            runs.append((number or "", kind))
    return runs
