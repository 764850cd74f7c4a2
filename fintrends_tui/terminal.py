"""Running the screen in a terminal that may be taken away at any time."""

import asyncio
import os
import signal
import threading
from types import FrameType
from typing import Final

from fintrends_tui.app import FintrendsApp

_GONE_SECONDS: Final = 3.0
"""What a screen has to end in once its terminal has gone."""
_QUIT_SECONDS: Final = 75.0
"""What a quit by signal may take: the pipeline drains meanwhile."""


def run_app(app: FintrendsApp) -> int:
    """Run the screen until it is left; the exit status.

    A dropped terminal (SIGHUP) detaches, a SIGTERM quits as the key does. Textual restores the terminal only when its
    event loop ends by itself, so both have to go through the app. A terminal that has gone can leave that loop waiting
    for a write for ever, so a deadline stands behind both.
    """

    async def main() -> int:
        loop = asyncio.get_running_loop()

        # Not the loop's own handlers: those wait for the loop, and it may be the loop that waits.
        def on_signal(number: int, _: FrameType | None) -> None:
            gone = number == signal.SIGHUP
            _end_after(_GONE_SECONDS if gone else _QUIT_SECONDS, 128 + number)
            loop.call_soon_threadsafe(app.call_later, app.action_detach if gone else app.action_quit)

        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, on_signal)
        reason = await app.run_async()
        if reason == "detach":
            print("detached; the pipeline runs on. `fintrends-tui` attaches again, `fintrends-tui stop` stops it.")
        return app.return_code or 0

    return asyncio.run(main())


def _end_after(seconds: float, status: int) -> None:
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()
