"""Running the screen in a terminal that may be taken away at any time."""

import asyncio
import os
import select
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

from fintrends_tui import keys
from fintrends_tui.app import FintrendsApp
from fintrends_tui.link.port import Link
from fintrends_tui.state.access import OWNER, Access
from fintrends_tui.state.memory import ScreenMemory
from fintrends_tui.state.positions import PositionKeeper
from fintrends_tui.terminal.browser import open_in_browser
from fintrends_tui.terminal.charset import speaks_utf8
from pipeline.config.settings import Loaded
from pipeline.storage.datadir import DataDir

_GONE_SECONDS: Final = 3.0
"""What a screen has to end in once its terminal has gone."""
_QUIT_SECONDS: Final = 75.0
"""What a quit by signal may take: the pipeline drains meanwhile."""


def dashboard_app(link: Link, loaded: Loaded, tickers: Sequence[str], access: Access = OWNER) -> FintrendsApp:
    """The dashboard as the settings, the user's last choices and this terminal want it.

    Who may change nothing sees the last choices, and leaves no other ones behind.

    Raises:
        SettingsError: for an unknown theme, or keys that cannot be.
    """
    settings = loaded.settings
    where = str(loaded.path) if loaded.path else "the environment"
    return FintrendsApp(
        link,
        tickers=tickers,
        settings=settings.screen,
        keymap=keys.keymap(settings.keys, where),
        memory=ScreenMemory(DataDir(loaded.data_dir).screen, keeps=not access.reads_only),
        positions=PositionKeeper(
            loaded.positions if access.shows_positions else None,
            settings.positions.currency,
            settings.indicators.zone,
            sample=access.sample,
        ),
        ascii_only=settings.screen.characters == "ascii"
        or (settings.screen.characters == "auto" and not speaks_utf8(os.environ)),
        access=access,
        writable=_is_writable,
        terminal_size=shutil.get_terminal_size,  # which Textual asks, too
        browse=open_in_browser,
    )


def run_app(
    app: FintrendsApp, where: Sequence[str] | None = None, *, throw_away: Callable[[], None] | None = None
) -> int:
    """Run the screen until it is left; the exit status. `where` are the flags that say which pipeline it is about, for
    whoever can come back to it by them.

    `throw_away` is for one that leaves nothing behind: it is called where the screen has to be ended by force.

    A dropped terminal (SIGHUP) detaches, a SIGTERM quits as the key does. Textual restores the terminal only when its
    event loop ends by itself, so both have to go through the app. A terminal that has gone can leave that loop waiting
    for a write for ever, so a deadline stands behind both.
    """

    async def main() -> int:
        loop = asyncio.get_running_loop()

        # Not the loop's own handlers: those wait for the loop, and it may be the loop that waits.
        def on_signal(number: int, _: FrameType | None) -> None:
            gone = number == signal.SIGHUP
            _end_after(_GONE_SECONDS if gone else _QUIT_SECONDS, 128 + number, throw_away)
            loop.call_soon_threadsafe(app.call_later, app.action_detach if gone else app.action_quit)

        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, on_signal)
        reason = await app.run_async()
        if app.failure:
            print(f"fintrends-tui: {app.failure}", file=sys.stderr)
            return app.return_code or 1
        if where is not None and (reason == "detach" or (reason == "quit" and app.leaves_pipeline)):
            again, stop = shlex.join(["fintrends-tui", *where]), shlex.join(["fintrends-tui", "stop", *where])
            how = "detached" if reason == "detach" else "left"
            print(f"{how}; the pipeline runs on. `{again}` attaches again, `{stop}` stops it.")
        return app.return_code or 0

    return asyncio.run(main())


def _end_after(seconds: float, status: int, last: Callable[[], None] | None) -> None:
    def end() -> None:
        if last is not None:
            last()
        os._exit(status)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _is_writable() -> bool:
    """Whether the terminal takes output now; one whose other end has stopped reading does not."""
    # Textual draws on the standard error stream.
    return sys.__stderr__ is None or bool(select.select([], [sys.__stderr__.fileno()], [], 0)[1])
