"""What is sent to a terminal in fewer bytes: a style is set where it changes, and of it what changes.

Textual sets each piece of text in all its style and resets it after. Neighbours have mostly the same ground, and a
colour of 24 bits takes twenty bytes to say: of a dashboard whose prices change that is more than half of what is sent.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from textual.drivers.linux_driver import LinuxDriver

_STYLE: Final = re.compile(r"\x1b\[([0-9;]*)m")
_MOVES: Final = re.compile(r"(?:\x1b\[\d+;\d+H)*")
"""Moves of the cursor, which show nothing: whatever the style is."""

_UNSEEN: Final = frozenset({"1", "2", "3"})
"""Bold, dim and italic, which a space does not show."""


class _Style(NamedTuple):
    """Parameters of SGR (ECMA-48) by what they set; "" is the terminal's own."""

    text: str
    ground: str
    attributes: frozenset[str]


_PLAIN: Final = _Style("", "", frozenset())


def in_fewer_bytes(data: str) -> str:
    """The same for the eye. It begins and ends in the terminal's own style, as all that is written at once does."""
    written: list[str] = []
    is_set = wanted = ""
    for index, piece in enumerate(_STYLE.split(data)):
        if index % 2:
            wanted = _added(wanted, piece)
        elif piece:
            if wanted != is_set and not (_is_blank(piece, is_set, wanted) or _MOVES.fullmatch(piece)):
                written.append(_change(is_set, wanted))
                is_set = wanted
            written.append(piece)
    if is_set != wanted:
        written.append(_change(is_set, wanted))
    return "".join(written)


class SparingDriver(LinuxDriver):
    """Textual's driver for Unix terminals, over a connection that may be slow."""

    def write(self, data: str) -> None:
        super().write(in_fewer_bytes(data))


def _added(style: str, parameters: str) -> str:
    """The style that parameters lead to from another."""
    return ";".join(filter(None, (style, parameters))) if parameters.strip("0;") else ""


def _is_blank(piece: str, is_set: str, wanted: str) -> bool:
    """Whether the piece looks the same in both styles, because it is but spaces."""
    return not piece.strip(" ") and _alike(is_set, wanted)


@lru_cache(4096)
def _alike(before: str, after: str) -> bool:
    """Whether a space looks the same in both styles."""
    old, new = _parsed(before), _parsed(after)
    return old.ground == new.ground and old.attributes | new.attributes <= _UNSEEN


@lru_cache(4096)
def _change(before: str, after: str) -> str:
    """The sequence that leads from one style to another."""
    old, new = _parsed(before), _parsed(after)
    if old.attributes - new.attributes:  # there are none that end one of them alone and all terminals know
        whole = ";".join(filter(None, (new.text, new.ground, *sorted(new.attributes))))
        return f"\x1b[0;{whole}m" if whole else "\x1b[0m"
    if new == _PLAIN:
        return "\x1b[0m" if old != _PLAIN else ""
    changes = [*sorted(new.attributes - old.attributes)]
    changes += [new.text or "39"] if new.text != old.text else []
    changes += [new.ground or "49"] if new.ground != old.ground else []
    return f"\x1b[{';'.join(changes)}m" if changes else ""


def _parsed(style: str) -> _Style:
    found = _PLAIN
    parts = iter(style.split(";") if style else ())
    for part in parts:
        match part:
            case "38" | "48":
                kind = next(parts, "")
                values = [next(parts, "") for _ in range(3 if kind == "2" else 1)]
                colour = ";".join((part, kind, *values))
                found = found._replace(text=colour) if part == "38" else found._replace(ground=colour)
            case "0" | "":
                found = _PLAIN
            case "39":
                found = found._replace(text="")
            case "49":
                found = found._replace(ground="")
            case _ if part[:-1] in ("3", "9"):
                found = found._replace(text=part)
            case _ if part[:-1] in ("4", "10"):
                found = found._replace(ground=part)
            case _:
                found = found._replace(attributes=found.attributes | {part})
    return found
