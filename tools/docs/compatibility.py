"""Whether programs written for the messages of an earlier version still read and write those of today."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline import __version__
from pipeline.contract.schemas import KINDS, MessageKind, schema_of_one

RECORDED: Final = Path(__file__).parents[2] / "tests" / "contract" / "schemas"
"""A file for each version, named by it."""

_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_ALTERED: Final = ("pattern", "format")
_NONE: Final = object()
_KINDS: Final = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


ADVICE: Final = """\
Programs downstream would break. Keep what they rely on: add a field with a default instead, beside the old one. If it
has to be, raise VERSION of the message's class, say in CHANGELOG.md and docs/downstream.md what readers and writers
must change, and run `uv run python -m tools.docs`."""


class IncompatibleError(Exception):
    """The messages of today break programs written for those recorded; the text says how, and what to do."""


def earlier_schemas() -> dict[str, dict[str, Any]]:
    """What was recorded, by version."""
    return {path.stem: msgspec.json.decode(path.read_bytes()) for path in sorted(RECORDED.glob("*.json"))}


def schemas_of_today() -> dict[str, Any]:
    """The messages of the code by name: version, topic, collection and JSON Schema without its words."""
    return {name: _recorded(kind) for name, kind in KINDS.items()}


def record() -> None:
    """Keep the schemas of today as those of this version.

    Raises:
        IncompatibleError: if they break what is recorded of any version, this one included.
    """
    today = schemas_of_today()
    check(today)
    path = RECORDED / f"{__version__}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(today), indent=1) + b"\n")


def check(today: Mapping[str, Any]) -> None:
    """Hold the messages of today against all that is recorded.

    Raises:
        IncompatibleError: see `record`.
    """
    for version, earlier in earlier_schemas().items():
        if changes := broken(earlier, today):
            raise IncompatibleError("\n".join([f"Since {version}:", *changes, "", ADVICE]))


def broken(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What breaks programs that were written for the earlier messages, a sentence each.

    Both are as of `schemas_of_today`. A message whose version is higher now may differ in everything but its name.
    """
    found: list[str] = []
    for name, old in earlier.items():
        new = now.get(name)
        if new is None:
            found.append(f"{name}: there is no such message any more")
        elif new["version"] == old["version"]:
            found += [
                f"{name}: its {what} was {old[what]} and is {new[what]}"
                for what in ("topic", "collection")
                if new[what] != old[what]
            ]
            found += _changes(old["schema"], new["schema"], name)
        elif new["version"] < old["version"]:
            found.append(f"{name}: its version has gone back")
    return found


def _recorded(kind: MessageKind) -> dict[str, Any]:
    whole = schema_of_one(kind)
    schema = _without_words({key: whole[key] for key in ("type", "properties", "required") if key in whole})
    where = {"topic": kind.address, "collection": kind.collection}
    return {"version": kind.type.VERSION, **where, "schema": schema}


def _without_words(schema: Mapping[str, Any]) -> dict[str, Any]:
    bare = {key: value for key, value in schema.items() if key not in ("title", "description")}
    if "properties" in bare:
        bare["properties"] = {name: _without_words(field) for name, field in bare["properties"].items()}
    if isinstance(bare.get("items"), dict):
        bare["items"] = _without_words(bare["items"])
    if "anyOf" in bare:
        bare["anyOf"] = [_without_words(option) for option in bare["anyOf"]]
    return bare


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    """Of one value. Readers may meet no more kinds of values than before, writers may use all that they could use."""
    before, after = _alternatives(old), _alternatives(new)
    for kind in before.keys() - after.keys():
        yield f"{where}: a {kind} is not taken any more"
    for kind in after.keys() - before.keys():
        yield f"{where}: it may be a {kind} now, which readers do not expect"
    if old.get("default", _NONE) != new.get("default", _NONE):
        yield f"{where}: what it means to leave it out has changed"
    for kind in before.keys() & after.keys():
        yield from _narrowed(before[kind], after[kind], where)
        if kind == "object":
            yield from _fields(before[kind], after[kind], where)
        if kind == "array":
            yield from _items(before[kind], after[kind], where)


def _narrowed(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    if "enum" in new and (gone := set(old["enum"]) - set(new["enum"]) if "enum" in old else {"others"}):
        yield f"{where}: {', '.join(sorted(map(str, gone)))} not taken any more"
    for bound in (*_LOWER, *_UPPER):
        if bound in new and (bound not in old or _is_tighter(bound, old[bound], new[bound])):
            yield f"{where}: {bound} was {old.get(bound, 'not there')} and is {new[bound]}"
    for what in _ALTERED:
        if old.get(what) != new.get(what):
            yield f"{where}: its {what} was {old.get(what)} and is {new.get(what)}"


def _is_tighter(bound: str, old: float, new: float) -> bool:
    return new > old if bound in _LOWER else new < old


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in before.keys() - after.keys():
        yield f"{where}.{name}: there is no such field any more"
    for name in sorted(needed_after - needed_before):
        yield f"{where}.{name}: it is required now, and writers leave it out"
    for name in sorted((needed_before - needed_after) & after.keys()):
        yield f"{where}.{name}: it may be left out now, and readers expect it"
    for name in before.keys() & after.keys():
        yield from _changes(before[name], after[name], f"{where}.{name}")


def _items(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    before, after = old.get("prefixItems"), new.get("prefixItems")
    if before is None and after is None:
        yield from _changes(old.get("items", {}), new.get("items", {}), f"{where}[]")
    elif before is None or after is None or len(before) != len(after):
        yield f"{where}: its length was fixed otherwise"
    else:
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(one, other, f"{where}[{place}]")


def _alternatives(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The schema by the kind of value: string, number, null and so on."""
    if "anyOf" in schema:
        return {kind: one for option in schema["anyOf"] for kind, one in _alternatives(option).items()}
    if "type" in schema:
        return {schema["type"]: schema}
    return {_KINDS[type(value)]: schema for value in schema.get("enum", ())}
