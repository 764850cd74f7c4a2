"""What may be done from a screen. Pure; knows no widget."""

from dataclasses import dataclass
from typing import Final

CHANGING: Final = frozenset(
    {
        "add",
        "add_lot",
        "add_rule",
        "indices",
        "load",
        "pause",
        "purge",
        "remove",
        "remove_lot",
        "remove_rule",
        "replay",
        "replay_speed",
        "replay_step",
        "reset",
        "restart",
        "restart_all",
        "retry",
        "retry_alike",
        "retry_all",
    }
)
"""The actions that would change the pipeline or its data. To leave them out is a courtesy to the reader: what refuses
them is `fintrends_tui.link.reading`."""
_POSITIONS: Final = frozenset({"positions", "add_lot", "remove_lot", "hide_amounts"})
"""What is about the positions of the user, who does not show readers what is held."""
_ELSEWHERE: Final = frozenset({"detach", "write", "screenshot"})
"""What means nothing, or another machine's files, to somebody who looks in by a browser."""


@dataclass(frozen=True)
class Access:
    """`without` are the names of actions that are not there; `badge` is shown in the header. A screen that is looked at
    from `elsewhere` neither stops with its terminal's job control nor opens a browser. The positions of a `sample` are
    nobody's, and said to be."""

    without: frozenset[str] = frozenset()
    badge: str = ""
    elsewhere: bool = False
    sample: bool = False

    @property
    def reads_only(self) -> bool:
        """Whether nothing may be changed, neither of the pipeline nor of what the screen remembers."""
        return self.without >= CHANGING

    @property
    def shows_positions(self) -> bool:
        return not self.without >= _POSITIONS


OWNER: Final = Access()
DEMO: Final = Access(without=frozenset({"detach"}), sample=True)
READER: Final = Access(_ELSEWHERE | CHANGING | _POSITIONS | {"note"}, " READ-ONLY ", elsewhere=True)
WRITER: Final = Access(_ELSEWHERE, elsewhere=True)
