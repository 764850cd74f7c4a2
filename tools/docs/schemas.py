"""JSON Schema, as msgspec makes it of our types, in words."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec


def schema_of(type_: Any) -> dict[str, Any]:
    """The schemas of the type and of all that it refers to, by name."""
    _, components = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    return components


def type_of(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a value may be, such as "number or null"."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(type_of(option, definitions) for option in field["anyOf"])
    match field.get("type"):
        case "array":
            items = field.get("items") or {}
            inner = type_of(items, definitions) if items else "values"
            return f"list of {inner}"
        case "object":
            values = field.get("additionalProperties")
            return f"table of {type_of(values, definitions)}" if isinstance(values, dict) and values else "table"
        case "string" if field.get("format") == "date-time":
            return "time (RFC 3339, UTC)"
        case str(name):
            return name
    return "any"


def bounds_of(field: dict[str, Any]) -> str:
    """The bounds of a value, such as "> 0, ≤ 4"."""
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    found = [f"{sign} {field[name]:g}" for name, sign in signs.items() if name in field]
    found += [f"at most {field['maxLength']} characters"] if "maxLength" in field else []
    found += [f"as `{field['pattern']}`"] if "pattern" in field else []
    for option in field.get("anyOf", ()):
        found += filter(None, [bounds_of(option)])
    return ", ".join(found)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"
