"""A rectangle of cells, each with a glyph, a tone and a ground; and dots finer than cells."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

Tone = str
"""The name of a colour, which the screen's theme knows; "" is that of the background."""

_BRAILLE: Final = 0x2800
_DOT_BITS: Final = (0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80)
"""Within a cell: four from the top of its first column, four of its second."""
DOTS_ACROSS: Final = 2
DOTS_DOWN: Final = 4


class Run(NamedTuple):
    """Neighbouring cells of one look."""

    text: str
    tone: Tone
    ground: Tone


class Canvas:
    """`width` × `height` cells; what is put outside of them is left out. Later puts cover earlier ones."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._glyphs = [[" "] * width for _ in range(height)]
        self._tones = [[""] * width for _ in range(height)]
        self._grounds = [[""] * width for _ in range(height)]

    def put(self, x: int, y: int, glyph: str, tone: Tone, ground: Tone | None = None) -> None:
        """One cell; without a `ground` it keeps its own."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self._glyphs[y][x] = glyph
            self._tones[y][x] = tone
            if ground is not None:
                self._grounds[y][x] = ground

    def behind(self, x: int, y: int, glyph: str, tone: Tone) -> None:
        """One cell, if it is still empty."""
        if 0 <= x < self.width and 0 <= y < self.height and self._glyphs[y][x] == " ":
            self._glyphs[y][x] = glyph
            self._tones[y][x] = tone

    def rule(self, left: int, right: int, y: int, glyph: str, tone: Tone) -> None:
        """The cells of a line from `left` to before `right`, whatever they show."""
        left, right = max(0, left), min(self.width, right)
        if right > left and 0 <= y < self.height:
            self._glyphs[y][left:right] = glyph * (right - left)
            self._tones[y][left:right] = [tone] * (right - left)

    def write(self, x: int, y: int, text: str, tone: Tone, ground: Tone | None = None) -> None:
        """A text of one cell a character, cut at the edges."""
        for index, glyph in enumerate(text):
            self.put(x + index, y, glyph, tone, ground)

    def shade(self, left: int, right: int, top: int, bottom: int, ground: Tone) -> None:
        """Give the cells from `left` to before `right`, and from `top` to before `bottom`, a ground."""
        left, right = max(0, left), min(self.width, right)
        if right > left:
            for y in range(max(0, top), min(self.height, bottom)):
                self._grounds[y][left:right] = [ground] * (right - left)

    def shade_below(self, tops: Mapping[int, int], bottom: int, ground: Tone) -> None:
        """Give in each column the cells from its line in `tops` to before `bottom` a ground."""
        columns = {x: max(0, top) for x, top in tops.items() if 0 <= x < self.width}
        for y in range(min(columns.values(), default=0), min(self.height, bottom)):
            line = self._grounds[y]
            for x, top in columns.items():
                if top <= y:
                    line[x] = ground

    def cut_out(self, x: int, y: int, glyph: str, tone: Tone) -> None:
        """One cell in which the tone fills what the glyph leaves free: the glyph shows the ground that was there."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self.put(x, y, glyph, self._grounds[y][x], tone)

    def rows(self) -> list[tuple[Run, ...]]:
        """The lines from the top, each in as few runs as it has looks."""
        return [
            tuple(_runs(glyphs, tones, grounds))
            for glyphs, tones, grounds in zip(self._glyphs, self._tones, self._grounds, strict=True)
        ]


class Dots:
    """Lines of braille: two dots across a cell and four down. Each tone is a layer of its own."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._layers: dict[Tone, dict[int, int]] = {}
        """The dots of each cell, by its number from the upper left corner."""

    def polyline(self, points: Iterable[tuple[int, int] | None], tone: Tone) -> None:
        """Join neighbouring points, in dots from the upper left corner; None interrupts the line."""
        layer = self._layers.setdefault(tone, {})
        columns, width, height = self._width, DOTS_ACROSS * self._width, DOTS_DOWN * self._height
        before: tuple[int, int] | None = None
        for point in points:
            if point is None:
                before = None
                continue
            x0, y0 = before or point
            across, down = point[0] - x0, point[1] - y0
            steps = max(abs(across), abs(down), 1)
            all_inside = 0 <= x0 < width and 0 <= y0 < height and 0 <= point[0] < width and 0 <= point[1] < height
            for step in range(0 if before is None else 1, steps + 1):
                x, y = x0 + across * step // steps, y0 + down * step // steps
                if all_inside or (0 <= x < width and 0 <= y < height):
                    # In shifts and not divisions: there are thousands of dots.
                    cell = (y >> 2) * columns + (x >> 1)
                    layer[cell] = layer.get(cell, 0) | _DOT_BITS[(x & 1) << 2 | y & 3]
            before = point

    def floors(self, tone: Tone) -> dict[int, int]:
        """The lowest line that the tone reaches, by column."""
        found: dict[int, int] = {}
        for cell in self._layers.get(tone, ()):
            y, x = divmod(cell, self._width)
            if y > found.get(x, -1):
                found[x] = y
        return found

    def onto(self, canvas: Canvas, left: int, top: int) -> None:
        """Put what was drawn there, the tone drawn first at the back."""
        for tone, layer in self._layers.items():
            for cell, bits in layer.items():
                y, x = divmod(cell, self._width)
                canvas.put(left + x, top + y, chr(_BRAILLE + bits), tone)


def _runs(glyphs: Sequence[str], tones: Sequence[Tone], grounds: Sequence[Tone]) -> Iterable[Run]:
    start = 0
    tone, ground = tones[0] if tones else "", grounds[0] if grounds else ""
    for x, (glyph, its_tone, its_ground) in enumerate(zip(glyphs, tones, grounds, strict=True)):
        # The tone of a space cannot be seen.
        if its_ground != ground or (its_tone != tone and glyph != " "):
            if x > start:
                yield Run("".join(glyphs[start:x]), tone, ground)
            start, tone, ground = x, its_tone, its_ground
    if start < len(glyphs):
        yield Run("".join(glyphs[start:]), tone, ground)
