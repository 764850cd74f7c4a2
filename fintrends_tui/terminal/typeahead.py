"""Keys that come faster than they are handled."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from textual.events import Key, Paste
from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from textual.app import App

Typed = Key | Paste


class TypeAhead:
    """Hands on one key at a time, each to the widget that has the focus once the key before has had its effect.

    Textual hands keys on as they come. Of a burst such as ``anvda`` the letters after the command would be on their
    way to the list while the dialog that they are meant for is being built, and what follows an Enter would still
    reach the field it closed.
    """

    def __init__(self, app: "App[Any]", deliver: Callable[[Typed], Awaitable[None]]) -> None:
        self._app = app
        self._deliver = deliver
        self._waiting: deque[Typed] = deque()

    def add(self, event: Typed) -> None:
        """Take the key in turn."""
        self._waiting.append(event)
        if len(self._waiting) == 1:
            self._app.run_worker(self._run(), group="keys")

    async def _run(self) -> None:
        while self._waiting:
            screen = self._app.screen
            focused = screen.focused or screen
            await self._deliver(self._waiting[0])
            # The key goes up from the widget to the application, which runs its command; then what the command
            # sent (a field's text, say) goes the same way.
            for _ in range(2):
                for node in focused.ancestors_with_self:
                    await _has_caught_up(node)
            if self._app.screen is not screen:
                await _has_caught_up(self._app.screen)  # it is built, and has put the focus where it belongs
            self._waiting.popleft()


async def _has_caught_up(node: MessagePump) -> None:
    """Wait until the node has handled all messages it has now; one that is closing handles no more."""
    reached = asyncio.Event()
    if node.call_later(reached.set):
        await reached.wait()
