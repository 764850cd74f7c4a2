"""What may be done from a screen. Pure; knows no widget."""

from dataclasses import dataclass
from typing import Final

CHANGING: Final = frozenset(
    {
        "add",
        "add_rule",
        "indices",
        "load",
        "pause",
        "purge",
        "remove",
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
_ELSEWHERE: Final = frozenset({"detach", "write", "screenshot"})
"""What means nothing, or another machine's files, to somebody who looks in by a browser."""


@dataclass(frozen=True)
class Access:
    """`without` are the names of actions that are not there; `badge` is shown in the header. A screen that is looked at
    from `elsewhere` neither stops with its terminal's job control nor opens a browser."""

    without: frozenset[str] = frozenset()
    badge: str = ""
    elsewhere: bool = False

    @property
    def reads_only(self) -> bool:
        """Whether nothing may be changed, neither of the pipeline nor of what the screen remembers."""
        return self.without >= CHANGING


OWNER: Final = Access()
DEMO: Final = Access(without=frozenset({"detach"}))
READER: Final = Access(_ELSEWHERE | CHANGING | {"note"}, " READ-ONLY ", elsewhere=True)
WRITER: Final = Access(_ELSEWHERE, elsewhere=True)
