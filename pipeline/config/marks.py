"""What the type of a setting says beyond what msgspec checks: that it is a path, and what else must hold. Pure."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints
from urllib.parse import quote, unquote

from msgspec import Struct

from pipeline.system.addresses import (
    MONGODB_FILES,
    check_bootstrap,
    check_host,
    check_mongodb_uri,
    check_stream_url,
    check_url,
)

REPLAY: Final = "replay:"
MAY_BE_SECRET: Final = frozenset({"api_key", "client_id", "client_secret", "key_id", "sasl_password", "secret", "uri"})
"""Names of settings in any section. A URI may hold a password."""
Base = Callable[[], Path]
"""The directory that relative paths are meant relative to; asked for where there is one. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Mark:
    """`place` makes the paths in a value absolute, `check` raises ValueError with what is wrong with it."""

    place: Callable[[str, Base], str] | None = None
    check: Callable[[str], None] | None = None


def placed(text: str, base: Base, *, after: str = "") -> str:
    """The path that follows `after`, absolute, with the user's home for ~. Anything else is left alone.

    Raises:
        ValueError: if there is no such home, or no directory that the path could be relative to.
    """
    given = text.removeprefix(after)
    if not text.startswith(after) or not given:
        return text
    try:
        path = Path(given).expanduser()
        return after + str(path if path.is_absolute() else base() / path)
    except RuntimeError:
        raise ValueError(f"{given!r}: there is no such home directory; write the whole path") from None
    except OSError:
        raise ValueError(f"{given!r}: the working directory no longer exists; write an absolute path") from None


def _program_placed(text: str, base: Base) -> str:
    """A name without a slash is looked for on PATH."""
    return placed(text, base) if "/" in text else text


def _uri_placed(uri: str, base: Base) -> str:
    """The files that options of the URI name."""

    def in_option(match: re.Match[str]) -> str:
        return match[1] + quote(placed(unquote(match[2]), base))

    return re.sub(rf"([?&;](?:{'|'.join(MONGODB_FILES)})=)([^&;]+)", in_option, uri, flags=re.IGNORECASE)


FilePath = Annotated[str, Mark(place=placed)]
SourceName = Annotated[str, Mark(place=partial(placed, after=REPLAY))]
Program = Annotated[list[str], Mark(place=_program_placed)]
"""Of which the first word is the program."""
Bootstrap = Annotated[str, Mark(check=check_bootstrap)]
Host = Annotated[str, Mark(check=check_host)]
MongoUri = Annotated[str, Mark(place=_uri_placed, check=check_mongodb_uri)]
BaseUrl = Annotated[str, Mark(check=check_url)]
StreamUrl = Annotated[str, Mark(check=check_stream_url)]
"""Empty where there is to be no stream."""


def place(layer: Mapping[str, Any], settings: type[Struct], base: Base) -> None:
    """Make the paths of a layer absolute, as yet unchecked: what is of a wrong type is left for the check to find.

    Raises:
        ValueError: naming the key.
    """
    for section, key, mark in _marks(settings):
        values = layer.get(section)
        value = values.get(key) if isinstance(values, dict) else None
        if mark.place is None or not isinstance(values, dict):
            continue
        try:
            if isinstance(value, str):
                values[key] = mark.place(value, base)
            elif isinstance(value, list) and value and isinstance(value[0], str):
                values[key] = [mark.place(value[0], base), *value[1:]]
        except ValueError as error:
            raise ValueError(f"{section}.{key}: {error}") from None


def check(settings: Struct) -> None:
    """What msgspec has not checked.

    Raises:
        ValueError: naming the key.
    """
    for where, value in _values(settings, ()):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{where}: must be a finite number, not {value}")
        if isinstance(value, str) and (found := re.search(r"[\x00-\x1f\x7f]", value)):
            raise ValueError(f"{where}: it holds a line break or another control character ({found[0]!r})")
    for section, key, mark in _marks(type(settings)):
        if mark.check is not None:
            try:
                mark.check(getattr(getattr(settings, section), key))
            except ValueError as error:
                raise ValueError(f"{section}.{key}: {error}") from None


def _values(value: Any, where: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """All single values with the names of their keys, and these names themselves."""
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _values(getattr(value, name), (*where, name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield ".".join(where), name
            yield from _values(item, (*where, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _values(item, where)
    else:
        yield ".".join(where), value


@cache
def _marks(settings: type[Struct]) -> list[tuple[str, str, Mark]]:
    """Section, key and mark of every setting that has one."""
    sections = {s: t for s, t in get_type_hints(settings).items() if isinstance(t, type) and issubclass(t, Struct)}
    return [
        (section, key, mark)
        for section, type_ in sections.items()
        for key, hint in get_type_hints(type_, include_extras=True).items()
        if get_origin(hint) is Annotated
        for mark in get_args(hint)[1:]
        if isinstance(mark, Mark)
    ]


def masked(section: Struct) -> str:
    """How a section of the settings shows in logs and tracebacks: without the values that may be secret."""
    values = ((name, getattr(section, name)) for name in section.__struct_fields__)
    shown = (f"{name}={'***' if value and name in MAY_BE_SECRET else repr(value)}" for name, value in values)
    return f"{type(section).__name__}({', '.join(shown)})"
