"""The messages: fields, types and bounds from the structs that encode and validate them."""

from typing import Any, Final

from pipeline.contract.schemas import KINDS, in_json
from pipeline.model.messages import AnyMessage
from tools.docs.schemas import bounds_of, schema_of, table, type_of

_INTRODUCTION: Final = """# Messages

Made from the code. Every record's value is one JSON object; its field `type` says which of these it is. The record's
key is the ticker (of an economic value the series), its timestamp the event's time. The headers are `schema` (type
and version) and `ingested` (nanoseconds since the epoch, when the record was published). Unknown fields are ignored,
so that fields can be added; a missing field without a default, a wrong type or a value out of bounds makes the record
a dead letter.

A collection's documents have the same fields, with `_id` (the natural key) and `ts` as a date.
"""


def messages_page() -> str:
    """The page as Markdown."""
    definitions = schema_of(AnyMessage)
    parts = [_INTRODUCTION]
    for kind in KINDS.values():
        schema = definitions[kind.type.__name__]
        parts.append(f"## `{kind.name}`\n\n{kind.description}\n")
        parts.append(_fields(schema, definitions))
        for name in _nested_in(schema, definitions):
            parts.append(f"### {name}\n\n{in_json(definitions[name]['description'])}\n")
            parts.append(_fields(definitions[name], definitions))
    return "\n".join(parts)


def _fields(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    rows = []
    for name, field in schema["properties"].items():
        if name == "type":
            continue
        what = " ".join(filter(None, (type_of(field, definitions), bounds_of(field))))
        needed = "required" if name in schema["required"] else f"`{field.get('default')!r}`".replace("None", "null")
        rows.append((f"`{name}`", what, needed))
    return table(("field", "type", "default"), rows)


def _nested_in(schema: Any, definitions: dict[str, Any]) -> list[str]:
    """The objects that it refers to, and those that they refer to."""
    match schema:
        case {"$ref": str(where)}:
            name = where.rpartition("/")[2]
            return [name, *_nested_in(definitions[name], definitions)]
        case dict():
            return [name for value in schema.values() for name in _nested_in(value, definitions)]
        case list():
            return [name for value in schema for name in _nested_in(value, definitions)]
    return []
