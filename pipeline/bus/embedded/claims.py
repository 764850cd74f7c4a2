"""Claims on the embedded bus."""

import asyncio
from collections.abc import Callable, Collection

from pipeline.bus.base import BusError


class EmbeddedClaims:
    """Implements the port `Claims`. One process at a time works on a data directory, so all that is claimed is held."""

    def __init__(self, leave: Callable[[], object]) -> None:
        self.held: frozenset[str] = frozenset()
        self._leave = leave
        self._told: frozenset[str] | None = None
        self._changed = asyncio.Event()
        self._closed = False

    async def claim(self, topics: Collection[str]) -> None:
        self.held = frozenset(topics)
        if self.held != self._told:
            self._changed.set()

    async def poll(self, timeout: float) -> frozenset[str]:  # noqa: ASYNC109 - as in the port
        """As in the port; BusError also when it is closed."""
        if self._told is not None:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                pass
        self._changed.clear()
        if self._closed:
            raise BusError("the claims are closed")
        self._told = self.held
        return self.held

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.held = frozenset()
            self._changed.set()
            self._leave()
