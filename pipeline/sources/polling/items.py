"""What a provider of items is, and what its answers are made of. No I/O."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import Article, DeadLetter, Post
from pipeline.net.errors import HttpError

Kind = Literal["social", "news"]
"""What is polled for, by the name of its feed."""
BLOCKED_PAUSE: Final = 1800.0
"""Seconds to leave a provider alone that refuses to talk and does not say for how long."""


class ReplyError(HttpError):
    """The provider answered with something else than what it promises."""


class BlockedError(HttpError):
    """The provider refuses all our requests for now; `retry_after` says when to try again."""

    def __init__(self, provider: str, cause: str, *, retry_after: float | None = None) -> None:
        super().__init__(provider, cause, retry_after=BLOCKED_PAUSE if retry_after is None else retry_after)


class UnknownTickerError(HttpError):
    """The provider does not know the ticker."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a ticker's items, newest first, each with its number; None in place of one that is of no interest.

    `older` is the cursor of the next page, None on the last.
    """

    items: Sequence[tuple[int, Post | Article | None]]
    misfits: Sequence[DeadLetter] = ()
    older: str | None = None


def web_page(provider: str) -> BlockedError:
    """The error for an answer that is a web page, as those give that keep programs away."""
    return BlockedError(provider, "it shows a web page instead of its data, so it blocks programs")


def decoded[T](decoder: msgspec.json.Decoder[T], body: bytes, provider: str) -> T:
    """The answer as its provider documents it.

    Raises:
        BlockedError: if it is a web page. ReplyError: if it is anything else.
    """
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
        if body.lstrip().startswith(b"<"):
            raise web_page(provider) from error
        raise ReplyError(provider, f"the answer is not as documented: {error}") from error


class ItemProvider(Protocol):
    """Where items come from. Each has a number of its own, of the kind that the source's `SeenItems` remembers."""

    name: str

    async def page(self, ticker: str, older: str | None) -> Page:
        """The newest items on the ticker, or those that the cursor stands for.

        Raises:
            UnknownTickerError: if the provider does not know it.
            BlockedError: if the provider does not talk to us for now.
            SourceError: if the settings keep it from working.
            HttpError: for everything else; only this ticker may be concerned.
        """


class SeenItems(Protocol):
    """Which items have been handed out already."""

    def knows(self, ticker: str) -> bool:
        """Whether anything of the ticker has ever been seen."""

    def is_new(self, ticker: str, number: int) -> bool: ...

    def add(self, ticker: str, numbers: Iterable[int]) -> None:
        """Count these as seen. To be called once they are published."""


def digest_of(item: bytes) -> int:
    """A number for what has none of its own: 48 bits, the same for the same bytes."""
    return int.from_bytes(hashlib.blake2b(item, digest_size=6).digest())


def misfit(provider: str, ticker: str, item: bytes, reason: str, clock: Clock) -> DeadLetter:
    """A dead letter for an item that is not what the provider promises; the same item always has the same offset."""
    return DeadLetter(
        ts=clock.now(),
        topic=f"{provider}:{ticker}",
        partition=0,
        offset=digest_of(item),
        reason=reason,
        payload=item[:4096].decode("utf-8", "replace"),
    )
