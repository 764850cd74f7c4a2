"""What one repaint shows: a snapshot and the few things that only the screen knows."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from fintrends_tui.link.port import LinkStatus
from fintrends_tui.state.positions import NO_HOLDINGS, Holdings
from pipeline.contract.snapshot import ReplayView, Snapshot, TickerDetail
from pipeline.contract.updates import differ


@dataclass(frozen=True)
class View:
    """The input of every panel. `now` is in whole seconds since the epoch, so that ages change once a second at most;
    `requested` are the tickers to show before the first snapshot comes; `is_slow` says that the terminal
    does not keep up; `badge` is what may be done from this screen, where that is not all; `holdings` is what the user
    holds."""

    status: LinkStatus
    snapshot: Snapshot | None = None
    selected: str | None = None
    now: int = 0
    requested: tuple[str, ...] = ()
    is_slow: bool = False
    badge: str = ""
    holdings: Holdings = NO_HOLDINGS

    @property
    def detail(self) -> TickerDetail | None:
        """The detail of the selected ticker; None while the pipeline still sends that of another."""
        if self.snapshot is None or self.snapshot.detail is None or self.snapshot.detail.ticker != self.selected:
            return None
        return self.snapshot.detail

    @property
    def replay(self) -> ReplayView | None:
        return self.snapshot.pipeline.replay if self.snapshot is not None else None

    @property
    def clock(self) -> int:
        """The time of what is shown: that of a replay is its own."""
        at = self.replay.at if self.replay is not None else None
        return self.now if at is None else int(at)

    @property
    def stale(self) -> bool:
        """The snapshot is one from before the connection was lost."""
        return self.snapshot is not None and self.status.state != "connected"

    def looks_like(self, other: "View") -> bool:
        """Whether there is nothing to be painted after the other: only its snapshot is a later one, if that."""
        if self.snapshot is None or other.snapshot is None:
            return self == other
        return replace(self, snapshot=other.snapshot) == other and not differ(other.snapshot, self.snapshot)

    def waiting(self, sentence: str) -> str:
        """What an empty panel says: `sentence` while snapshots arrive, else why none do."""
        if self.snapshot is None:
            return self.status.note
        return f"{sentence} The producers are paused (p)." if self.snapshot.pipeline.paused else sentence


@runtime_checkable
class Shows(Protocol):
    """A screen or a widget that shows views."""

    def update_view(self, view: View) -> None: ...
