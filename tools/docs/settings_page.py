"""The settings: types, defaults and bounds from the code, meanings from the comments in `config.toml`."""

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.config.settings import Settings
from tools.docs.schemas import bounds_of, schema_of, table, type_of

_SECTION: Final = re.compile(r"\[([\w.]+)\]")
_KEY: Final = re.compile(r"(\w+) = ")
_INTRODUCTION: Final = """# Settings

Made from the code and from the comments in `config.toml`, which names every key with its default. What is not set is
as listed here. The environment overrides the file (`FINTRENDS_<SECTION>__<KEY>`), flags override both. An unknown
key, a wrong type or an impossible value is refused with the key, the file and what is allowed.
"""


def settings_page(config: Path) -> str:
    """The page as Markdown.

    Raises:
        ValueError: if `config` lacks a key that the code has, or has one that it lacks.
    """
    meanings = comments_of(config.read_text("utf-8"))
    definitions = schema_of(Settings)
    parts = [_INTRODUCTION]
    documented = set()
    for section, reference in definitions["Settings"]["properties"].items():
        parts.append(f"## `[{section}]`\n")
        if meaning := meanings.get((section, "")):
            parts.append(meaning + "\n")
        fields = definitions.get(reference.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
        rows = []
        for key, field in fields.items():
            documented.add((section, key))
            if (section, key) not in meanings and f"{section}.{key}" not in {name for name, _ in meanings}:
                raise ValueError(f"{config.name} does not name {section}.{key}")
            default = msgspec.json.encode(field.get("default", {})).decode()
            rows.append(
                (
                    f"`{key}`",
                    f"`{default}`",
                    _allowed(field, definitions),
                    meanings.get((section, key)) or meanings.get((f"{section}.{key}", ""), ""),
                )
            )
        if rows:
            parts.append(table(("key", "default", "allowed", "meaning"), rows))
    unknown = {where for where in meanings if where[1] and "." not in where[0]} - documented
    if unknown:
        raise ValueError(f"{config.name} names keys that there are not: {sorted(unknown)}")
    return "\n".join(parts)


def _allowed(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    return " ".join(filter(None, (type_of(field, definitions), bounds_of(field))))


def comments_of(text: str) -> dict[tuple[str, str], str]:
    """The comment above each section and key, by section and key ("" for the section itself)."""
    found: dict[tuple[str, str], str] = {}
    section, comment = "", list[str]()
    for line in text.splitlines():
        if line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
            continue
        if match := _SECTION.match(line):
            section = match[1]
            found[section, ""] = _joined(comment)
        elif match := _KEY.match(line):
            found[section, match[1]] = _joined(comment)
        comment = []
    return found


def _joined(lines: list[str]) -> str:
    """As one paragraph; lines of a list (a word, then two spaces) stay lines."""
    return "<br>".join(lines) if any(re.match(r"\S+ {2,}", line) for line in lines) else " ".join(lines)
