"""The contract for programs downstream: what each message is called, where it goes, and its JSON Schema.

Imports nothing heavy.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_args

import msgspec

from pipeline.model import topics
from pipeline.model.documents import collection_of
from pipeline.model.messages import AnyMessage, schema_name, topic_kind_of

_FIRST_WORDS: Final = re.compile(r"[^.:;]+")
_IN_JSON: Final = {"None": "null", "True": "true", "False": "false"}
_PYTHON_ONLY: Final = re.compile(rf"\b({'|'.join(_IN_JSON)})\b")

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class MessageKind(NamedTuple):
    """One kind of message. `name` is the value of its field `type`, `schema` that of the record header."""

    name: str
    type: type[AnyMessage]
    schema: str
    topic: str
    """Up to the ticker, which follows after `_` where there is one."""
    collection: str

    @property
    def per_ticker(self) -> bool:
        """Whether each ticker has a topic of its own."""
        return self.topic in topics.PER_TICKER

    @property
    def address(self) -> str:
        """The name of the topic, such as ``stock_data_{ticker}``."""
        return f"{self.topic}_{{ticker}}" if self.per_ticker else self.topic

    @property
    def description(self) -> str:
        """What its type says of itself, in the words of JSON."""
        return in_json(self.type.__doc__ or "")


def in_json(docstring: str) -> str:
    """What it says, in the words of JSON."""
    return _PYTHON_ONLY.sub(lambda match: _IN_JSON[match[0]], inspect.cleandoc(docstring))


def _kind(type_: type[AnyMessage]) -> MessageKind:
    name = str(type_.__struct_config__.tag)
    return MessageKind(name, type_, schema_name(type_), topic_kind_of(type_), collection_of(type_))


KINDS: Final[dict[str, MessageKind]] = {kind.name: kind for kind in map(_kind, get_args(AnyMessage))}
"""By name."""


def schema_of_one(kind: MessageKind) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one kind of message: an object that refers to nothing else."""
    _, definitions = msgspec.json.schema_components([kind.type])
    schema: dict[str, Any] = _inlined(definitions[kind.type.__name__], definitions)
    return {"$schema": DIALECT, **schema, "title": kind.schema, "description": kind.description}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """With what it refers to in the places where it does."""
    match schema:
        case {"$ref": str(where), **_rest}:
            nested = _inlined(definitions[where.rpartition("/")[2]], definitions)
            return nested | {"description": in_json(nested["description"])}
        case dict():
            return {name: _inlined(value, definitions) for name, value in schema.items()}
        case list():
            return [_inlined(value, definitions) for value in schema]
    return schema


def schema_of_all() -> dict[str, Any]:
    """The JSON Schema (2020-12) of any message; those of each kind are its definitions, by name."""
    definitions = {kind.name: schema_of_one(kind) for kind in KINDS.values()}
    for definition in definitions.values():
        del definition["$schema"]
    return {
        "$schema": DIALECT,
        "title": "fintrends-tui",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
        "$defs": definitions,
    }


def as_table() -> str:
    """The kinds of messages, a line each, under a line of headings."""
    rows = [("MESSAGE", "SCHEMA", "TOPIC", "COLLECTION", "WHAT IT IS")]
    for kind in KINDS.values():
        first = _FIRST_WORDS.match(kind.description)
        address = kind.address.replace("{ticker}", "<ticker>")
        rows.append((kind.name, kind.schema, address, kind.collection, first[0] if first else ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)
