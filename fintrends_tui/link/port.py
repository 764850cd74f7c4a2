"""The port between the screen and the pipeline, and what travels over it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pipeline.contract.protocol import Command
from pipeline.contract.snapshot import Snapshot

LinkState = Literal["starting", "connecting", "connected", "lost", "failed"]


class LinkError(Exception):
    """A command did not take effect; the message is a sentence for the user."""


@dataclass(frozen=True)
class LinkStatus:
    """The state of the link between screen and pipeline; `note` is a sentence for the user.

    `warning` is shown once: what the user asked for and does not get.
    """

    state: LinkState
    note: str
    warning: str = ""


class Link(Protocol):
    """The pipeline as the screen sees it. `started_here` means that this screen started it, so quitting stops it."""

    started_here: bool

    async def run(self, on_status: Callable[[LinkStatus], None], on_snapshot: Callable[[Snapshot], None]) -> None:
        """Connect, starting the pipeline if need be, and reconnect for ever with backoff. Returns when closed."""

    async def ask(self, command: Command) -> Any:
        """The result of a command, of the type `pipeline.contract.protocol` documents for it.

        Raises:
            LinkError: if there is no connection, or the pipeline refuses.
        """

    async def stop_pipeline(self) -> None:
        """Drain and stop the pipeline; returns when its process has ended.

        Raises:
            LinkError: if it cannot be stopped.
        """

    async def close(self) -> None:
        """Disconnect; the pipeline stays as it is."""
