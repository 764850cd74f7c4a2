"""The messages of one topic, as far as a screen has read them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pipeline.contract.protocol import Command, GetMessages, MessagePage, TopicMessage

KEPT: Final = 2000
"""Messages that are kept; what is older can be looked for by a text."""


class MessageFeed:
    """Holds a stretch of the topic without gaps: `messages`, newest first, of which all contain `contains`.

    Every method raises `LinkError` if the pipeline does not answer, and changes nothing then.
    """

    def __init__(self, ask: Callable[[Command], Awaitable[Any]], topic: str) -> None:
        self._ask = ask
        self.topic = topic
        self.contains = ""
        self.messages: list[TopicMessage] = []
        self.loaded = False
        self._start: dict[int, int] = {}
        self._stop: dict[int, int] = {}
        self._older = False

    @property
    def older(self) -> bool:
        """Whether there is more to read further back."""
        return self._older and len(self.messages) < KEPT

    @property
    def looked_through(self) -> int:
        """The records between the oldest and the newest that were looked at."""
        return sum(stop - self._start.get(partition, stop) for partition, stop in self._stop.items())

    async def load(self, contains: str) -> None:
        """Read the newest messages that contain the text."""
        page = await self._page(contains=contains)
        self.contains = contains
        self._replace(page)

    async def read_newer(self) -> None:
        """Read what has come in; where that is more than a page, only the newest of it and nothing that was before."""
        if not self.loaded:
            await self.load(self.contains)
            return
        page = await self._page(contains=self.contains, after=self._stop)
        if page.older:
            self._replace(page)
            return
        self._stop = page.stop
        self._start = page.start | self._start
        self.messages = [*page.messages, *self.messages]
        for message in self.messages[KEPT:]:  # they can be read again, and each partition from where it was cut
            self._start[message.partition] = max(self._start[message.partition], message.offset + 1)
            self._older = True
        del self.messages[KEPT:]

    async def read_older(self) -> None:
        """Read on where the oldest message was."""
        if self.older:
            page = await self._page(contains=self.contains, before=self._start)
            self._start = page.start
            self._older = page.older
            self.messages = [*self.messages, *page.messages]

    async def _page(
        self, *, contains: str, before: Mapping[int, int] | None = None, after: Mapping[int, int] | None = None
    ) -> MessagePage:
        command = GetMessages(
            self.topic, last=100, before=dict(before or {}), after=dict(after or {}), contains=contains
        )
        page: MessagePage = await self._ask(command)
        return page

    def _replace(self, page: MessagePage) -> None:
        self.loaded = True
        self.messages = page.messages
        self._start, self._stop, self._older = page.start, page.stop, page.older
