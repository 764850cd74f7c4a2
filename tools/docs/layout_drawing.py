"""The floors of a package as a picture: from the `layers` contract that holds them, and each room's own first line."""

import ast
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Final, NamedTuple

_WIDTH: Final = 960
_MARGIN: Final = 34
"""Left of the rooms, where an arrow says which way they import."""
_GAP: Final = 10
_PADDING: Final = 12
_NAME: Final = 20
"""Pixels from the upper edge of a room to the base of its name."""
_LINE: Final = 15
_CHARACTER: Final = 6.6
"""Pixels of a character of the small text, in the widest of the usual fonts."""
_STYLE: Final = (
    "text{font-family:system-ui,sans-serif;fill:#1f2328}.name{font-size:14px;font-weight:600}"
    ".says,.arrow{font-size:11px;fill:#59636e}.folder{fill:#eaf2fb;stroke:#a9c4e4}.file{fill:#fff;stroke:#d1d9e0}"
    "path{stroke:#59636e;fill:none;stroke-width:1.5}svg{background:#fff}"
)


class _Room(NamedTuple):
    name: str
    is_folder: bool
    says: list[str]
    """Lines."""


def layout_drawing(root: Path, package: str) -> str:
    """The drawing as SVG. Each row imports from rows below it only; folders are tinted, files are white.

    Raises:
        ValueError: if no contract of `pyproject.toml` has the layers of that package.
    """
    parts: list[str] = []
    y = _GAP
    for layer in _layers(root, package):
        names = [name.strip() for name in layer.split("|")]
        width = (_WIDTH - _MARGIN) / len(names) - _GAP
        rooms = [_room(root / package, name, width) for name in names]
        height = _NAME + _LINE * max(len(room.says) for room in rooms) + _PADDING
        for place, room in enumerate(rooms):
            parts += _drawn(room, _MARGIN + place * (width + _GAP), y, width, height)
        y += height + _GAP
    parts += _arrow(y)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}">'
    return "".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>\n"])


def _drawn(room: _Room, x: float, y: int, width: float, height: int) -> list[str]:
    kind, name = ("folder", f"{room.name}/") if room.is_folder else ("file", f"{room.name}.py")
    left = x + _PADDING
    return [
        f'<rect class="{kind}" x="{x:.0f}" y="{y}" width="{width:.0f}" height="{height}" rx="6"/>',
        f'<text class="name" x="{left:.0f}" y="{y + _NAME}">{escape(name)}</text>',
        *(
            f'<text class="says" x="{left:.0f}" y="{y + _NAME + _LINE * number}">{escape(line)}</text>'
            for number, line in enumerate(room.says, start=1)
        ),
    ]


def _arrow(bottom: int) -> list[str]:
    """Down along the left edge."""
    x, middle, end = _MARGIN // 2 + 3, bottom // 2, bottom - _GAP
    return [
        f'<path d="M{x} {_GAP}V{end}M{x - 4} {end - 7}L{x} {end}L{x + 4} {end - 7}"/>',
        f'<text class="arrow" transform="translate({x - 7} {middle}) rotate(-90)" text-anchor="middle">imports</text>',
    ]


def _room(package: Path, name: str, width: float) -> _Room:
    is_folder = (package / name).is_dir()
    path = package / name / "__init__.py" if is_folder else package / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = docstring.partition("\n")[0].partition(". ")[0].replace("`", "").rstrip(".")
    return _Room(name, is_folder, wrap(first, int((width - 2 * _PADDING) / _CHARACTER)))


def _layers(root: Path, package: str) -> list[str]:
    contracts = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        if contract["type"] == "layers" and contract.get("containers") == [package]:
            layers: list[str] = contract["layers"]
            return layers
    raise ValueError(f"no contract has the layers of {package}")
