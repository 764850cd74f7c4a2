"""What a provider of a stream adds to a `MessageStream`: the frames to send, and what those that come mean. No I/O."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from pipeline.model.messages import AnyMessage

SymbolOf = Callable[[str], str | None]
"""The provider's symbol of a ticker; None if it does not serve it."""


class StreamProtocol(Protocol):
    """What a provider speaks. No I/O. It may remember what it has received; `opening` begins a new connection."""

    def opening(self) -> Sequence[str]:
        """The frames that come first, such as a key; there may be none."""

    def subscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        """The frames that ask for these symbols, which are the provider's own."""

    def unsubscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        """The frames that say that these are no longer wanted."""

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        """What a frame tells: none for one that only concerns the connection. What does not fit is a dead letter.

        Raises:
            StreamRefusedError: if the provider says in it that it does not serve us.
        """


@runtime_checkable
class Greeted(Protocol):
    """What a protocol also has if the provider must answer `opening` before anything can be subscribed to."""

    def ready(self) -> bool:
        """Whether it has; asked after every frame."""


def identity(ticker: str) -> str | None:
    """For a provider that writes symbols as we do."""
    return ticker
