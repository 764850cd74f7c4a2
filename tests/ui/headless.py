"""A screen that runs without a terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from unittest.mock import patch

from rich.console import RenderableType
from textual._compositor import Compositor
from textual.pilot import Pilot

from fintrends_tui.app import ExitReason, FintrendsApp

_RENDER_UPDATE: Final = Compositor.render_update
_MOST_TURNS: Final = 2000
"""Of the event loop after one key. A start of the dashboard takes some hundred."""


@asynccontextmanager
async def headless(app: FintrendsApp, size: tuple[int, int]) -> AsyncIterator[Pilot[ExitReason]]:
    """The app as `run_test` runs it, in half the time.

    Textual renders every frame also where there is no terminal to write it to, and takes the app to be idle once the
    process has hardly used the CPU for 20 ms, twice a key. Here `paint` renders what has changed, and the app is idle
    when its event loop has nothing left to run.
    """
    with (
        patch.object(Compositor, "render_update", _render_update),
        patch("textual.pilot.wait_for_idle", _wait_for_idle),
        patch("textual.app.wait_for_idle", _wait_for_idle),
    ):
        async with app.run_test(size=size, notifications=True) as pilot:
            yield pilot


def paint(app: FintrendsApp) -> None:
    """Render what has changed since the last time."""
    _RENDER_UPDATE(app.screen._compositor, screen_stack=app._background_screens)


def _render_update(compositor: Compositor, full: bool = False, **options: Any) -> RenderableType | None:
    """Screenshots alone, which are rendered in full."""
    return _RENDER_UPDATE(compositor, full, **options) if full else None


async def _wait_for_idle(_least: float = 0, _most: float = 0) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(_MOST_TURNS):
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]
            return
    raise AssertionError("the screen does not come to rest: what it does leads to more of the same")
