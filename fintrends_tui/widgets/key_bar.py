"""The line at the bottom: the keys that work now, as many as there is room for."""

from typing import Any, Final, NamedTuple, Self

from textual import events
from textual.app import App, RenderResult
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from fintrends_tui.commands import SECTIONS

_KEPT: Final = frozenset({"quit", "help"})
"""The way out and the command that shows all the others are always there."""
_NAMES: Final = [command.name for _, commands in SECTIONS for command in commands]
_ORDER: Final = {name: _NAMES.index(name) for name in _NAMES}
_LINES: Final = 2
"""As many as it takes where the terminal is wide."""


class _Hint(NamedTuple):
    key: str
    shown: str
    label: str

    @classmethod
    def of(cls, binding: Binding, app: App[Any]) -> Self:
        return cls(binding.key, app.get_key_display(binding), binding.description)

    @property
    def width(self) -> int:
        return len(self.shown) + len(self.label) + 2


class KeyBar(Widget, can_focus=False):
    """Key and label of every command that has a label; a click presses the key.

    Those that do not fit are left out from the end, but for the last two, quit and help.
    """

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._lines: list[list[_Hint]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh(layout=True))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        return len(self._arrange(width, _LINES))

    def render(self) -> RenderResult:
        self._lines = self._arrange(self.size.width, self.size.height)
        lines = []
        for line in self._lines:
            parts: list[str | tuple[str, str]] = []
            for hint in line:
                parts += [(hint.shown, "bold $footer-key-foreground"), f" {hint.label} "]
            lines.append(Content.assemble(*parts))
        return Content("\n").join(lines)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y >= len(self._lines):
            return
        end = 0
        for hint in self._lines[offset.y]:
            end += hint.width
            if offset.x < end:
                self.app.simulate_key(hint.key)
                return

    def _arrange(self, width: int, height: int) -> list[list[_Hint]]:
        bindings: dict[str, Binding] = {}
        for _, binding, enabled, _ in self.screen.active_bindings.values():
            if binding.show and enabled:
                bindings.setdefault(binding.action, binding)
        # A key of the user's own stands where the command's usual one did.
        shown = sorted(bindings.values(), key=lambda binding: _ORDER.get(binding.id or "", len(_ORDER)))
        last = [_Hint.of(b, self.app) for b in shown if b.id in _KEPT]
        room_for_last = sum(hint.width for hint in last)
        lines: list[list[_Hint]] = [[]]
        for hint in (_Hint.of(b, self.app) for b in shown if b.id not in _KEPT):
            on_last = len(lines) == height
            kept = room_for_last if on_last else 0
            if sum(other.width for other in lines[-1]) + hint.width + kept > width + 1:
                if on_last:
                    continue
                lines.append([])
            lines[-1].append(hint)
        lines[-1] += last
        return lines
