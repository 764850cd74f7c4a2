"""Bodies of documents as bytes: values by position, whose names stand once in the table of shapes.

A shape is a list of names, in order; the name of what is again a struct, or several of them, is a pair of name and
shape. Whoever adds a field to a message makes a new shape, and what is stored keeps its own. A body that has none of
these shapes, because its document was not made from a message, is kept as JSON: shape 0.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec

from pipeline.model.documents import BESIDE_THE_BODY, COLLECTIONS, collection_of
from pipeline.model.messages import AnyMessage, DueBands, Forecast, HorizonForecast

PLAIN: Final = 0
"""The shape of a body that is JSON."""

Shape = tuple[Any, ...]
"""Of each value its name, or its name and the shape of what it holds."""
Values = Callable[[Any], Sequence[Any]]

NESTED: Final[dict[type, dict[str, type]]] = {
    Forecast: {"horizons": HorizonForecast},
    HorizonForecast: {"due": DueBands},
}
"""The fields of a struct that hold others."""
WITH_TIMES: Final = frozenset({Forecast, DueBands})
"""The structs whose fields may be times, besides the time of the document."""
_TYPES: Final = AnyMessage.__args__

_TO_JSON: Final = msgspec.json.Encoder().encode
_FROM_JSON: Final = msgspec.json.Decoder(dict[str, Any]).decode
_TO_BYTES: Final = msgspec.msgpack.Encoder().encode
_FROM_BYTES: Final = msgspec.msgpack.Decoder(list[Any]).decode
_ARRAY_32: Final = b"\xdd"
"""What an array of msgpack begins with; its length follows in four bytes."""


def shape_of(type_: type) -> Shape:
    """The shape of the bodies that are made from messages of the type."""
    nested = NESTED.get(type_, {})
    names = [name for name in type_.__struct_fields__ if name not in _beside(type_)]  # type: ignore[attr-defined]
    return tuple((name, shape_of(nested[name])) if name in nested else name for name in names)


def _beside(type_: type) -> Sequence[str]:
    return BESIDE_THE_BODY if type_ in _TYPES else ()


def values_in(type_: type) -> Values:
    """A function that gives the values of a struct by the shape of its type. Times within are text, as in JSON."""
    shape = shape_of(type_)
    get = attrgetter(*(name if isinstance(name, str) else name[0] for name in shape))
    holds = {index: values_in(NESTED[type_][name[0]]) for index, name in enumerate(shape) if isinstance(name, tuple)}
    if not holds and type_ not in WITH_TIMES:
        return get

    def values(struct: Any) -> Sequence[Any]:
        found = [msgspec.to_builtins(v) if isinstance(v, datetime) else v for v in get(struct)]
        for index, of_one in holds.items():
            held = found[index]
            if held is not None:
                found[index] = list(map(of_one, held)) if isinstance(held, tuple) else of_one(held)
        return found

    return values


def values_of(body: Mapping[str, Any], shape: Shape) -> list[Any] | None:
    """The values of a body, which is of JSON, by the shape; None where it has not exactly its names."""
    if len(body) != len(shape):
        return None
    found: list[Any] = []
    for name, value in body.items():
        expected = shape[len(found)]
        if name == expected:
            found.append(value)
            continue
        if name != expected[0] or isinstance(expected, str):
            return None
        held = _held(value, expected[1])
        if held is None and value is not None:
            return None
        found.append(held)
    return found


def _held(value: Any, shape: Shape) -> list[Any] | None:
    if isinstance(value, dict):
        return values_of(value, shape)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return None
    found = [values_of(one, shape) for one in value]
    return None if None in found else found


def body_of(values: Sequence[Any], shape: Shape) -> dict[str, Any]:
    """The inverse of `values_of`."""
    parts = zip(shape, values, strict=True)
    return dict(
        (name, value) if isinstance(name, str) else (name[0], _holding(value, name[1])) for name, value in parts
    )


def _holding(value: Any, shape: Shape) -> Any:
    if value is None:
        return None
    several = all(isinstance(one, list) for one in value)  # no struct holds nothing but structs
    return [body_of(one, shape) for one in value] if several else body_of(value, shape)


def flat(shape: Shape) -> Shape:
    """The shape if it is nothing but names, else nothing: what is quicker to make a body with."""
    return shape if all(isinstance(name, str) for name in shape) else ()


def plain(body: Mapping[str, Any]) -> bytes:
    """A body as JSON: a time in it becomes text, and a number that is not finite null.

    Raises:
        msgspec.MsgspecError, TypeError, ValueError, RecursionError: if it has none.
    """
    return _TO_JSON(body)


def from_plain(body: bytes) -> dict[str, Any]:
    """The inverse of `plain`."""
    return _FROM_JSON(body)


def compact(values: Sequence[Any]) -> bytes:
    """Values by position.

    Raises:
        OverflowError: for an integer of more than 64 bits, which only JSON can hold.
        UnicodeEncodeError: for text that has no UTF-8.
    """
    return _TO_BYTES(values)


def from_compact(body: bytes) -> list[Any]:
    """The inverse of `compact`."""
    return _FROM_BYTES(body)


def joined(bodies: Sequence[bytes]) -> bytes:
    """An array of these, which are compact ones: many are read several times as quick as one by one."""
    return b"".join((_ARRAY_32, len(bodies).to_bytes(4), *bodies))


SHAPES: Final[dict[type, Shape]] = {type_: shape_of(type_) for type_ in _TYPES}
VALUES: Final[dict[type, Values]] = {type_: values_in(type_) for type_ in _TYPES}
_BY_COLLECTION: Final = {
    collection: [SHAPES[type_] for type_ in _TYPES if collection_of(type_) == collection] for collection in COLLECTIONS
}


def by_shape(collection: str, body: Mapping[str, Any]) -> tuple[Shape, list[Any]] | None:
    """Shape and values of a body that is of JSON, and has names that messages of the collection have: all of them, or
    fewer, as they had in earlier versions. None where it has others."""
    shapes = _BY_COLLECTION[collection]
    for shape in shapes:
        if (values := values_of(body, shape)) is not None:
            return shape, values
    if any(body.keys() <= {name for name in shape if isinstance(name, str)} for shape in shapes):
        return tuple(body), list(body.values())
    return None
