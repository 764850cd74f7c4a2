"""A picture of how often closes lay within their bands, over time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

WINDOW: Final = 200
"""Forecasts in each mean."""
WIDTH, HEIGHT = 900, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 76, 40, 40
LOW, HIGH = 0.65, 0.95
TITLE: Final = f"Closes within their {{level:.0%}} band, of the last {WINDOW} one-minute forecasts"
INKS: Final = ("#2563eb", "#059669", "#d97706", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")


class Course(NamedTuple):
    """Whether each close lay within its band, oldest first."""

    name: str
    inside: Sequence[bool]

    def means(self) -> list[float]:
        """Over the last 200 forecasts, at every tenth."""
        return [sum(self.inside[end - WINDOW : end]) / WINDOW for end in range(WINDOW, len(self.inside) + 1, 10)]


def drawn(courses: Sequence[Course], level: float) -> str:
    """The picture as SVG."""
    longest = max(len(course.means()) for course in courses)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{TITLE.format(level=level)}</text>',
    ]
    for percent in range(round(100 * LOW), round(100 * HIGH) + 1, 5):
        y = _y(percent / 100)
        ink = ' stroke="#111827" stroke-dasharray="5 3"' if percent == round(100 * level) else ' stroke="#e5e7eb"'
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"{ink}/>')
        lines.append(_text(LEFT - 8, y + 4, f"{percent} %", "end"))
    for number, course in enumerate(courses):
        ink = INKS[number % len(INKS)]
        step = (WIDTH - LEFT - RIGHT) / max(1, longest - 1)
        points = " ".join(f"{LEFT + i * step:.1f},{_y(value):.1f}" for i, value in enumerate(course.means()))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="1.5"/>')
        lines.append(_text(WIDTH - RIGHT + 12, TOP + 20 + 18 * number, course.name, "start", ink))
    lines.append(_text((WIDTH - RIGHT + LEFT) / 2, HEIGHT - 12, "forecasts →", "middle"))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, anchor: str, ink: str = "#374151") -> str:
    return f'<text x="{x:.0f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}" fill="{ink}">{text}</text>'


def _y(value: float) -> float:
    part = (min(max(value, LOW), HIGH) - LOW) / (HIGH - LOW)
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
