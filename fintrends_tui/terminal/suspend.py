"""Ctrl+Z: into the background and back, as terminal programs do it."""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

SUSPEND_KEY: Final = "ctrl+z"


class Suspension:
    """Gives the terminal back before the process stops, and takes it again when that goes on.

    In place of the driver's own handlers (Textual 8.2). Those stop the process for good where no shell is there to
    continue it, stop it alone where it was started by another program (`uv run`), which the shell would go on waiting
    for, and take the terminal a second time after a SIGSTOP that they did not see.
    """

    def __init__(self, driver: Any, on_resumed: Callable[[], object]) -> None:
        """`driver` is Textual's for Unix terminals; `on_resumed` is called once the terminal is taken again."""
        self._driver = driver
        self._on_resumed = on_resumed
        self._away = False
        self._is_to_stop = False

    def install(self) -> None:
        """Handle the signals from now on; in the main thread only."""
        signal.signal(signal.SIGTSTP, self._stop)
        signal.signal(signal.SIGCONT, self._continue)

    def ask(self) -> None:
        """Suspend the process and those that it was started with, as the terminal does for Ctrl+Z."""
        self._give_back()  # first: as soon as the program that started this one has stopped, the shell writes to it
        os.killpg(os.getpgrp(), signal.SIGTSTP)

    def _give_back(self) -> None:
        if self._away:
            return
        self._away = True
        # The shell may have the terminal already, and who changes it from the background is stopped for that.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        self._driver.suspend_application_mode()
        signal.signal(signal.SIGTTOU, before)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_to_stop = True
        self._give_back()
        if self._is_to_stop:  # and was not continued meanwhile
            # By the signal itself, not by SIGSTOP: the kernel ignores it where no process could continue this one.
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._stop)
        if self._in_foreground:
            self._come_back()

    def _continue(self, _number: int, _frame: FrameType | None) -> None:
        self._is_to_stop = False
        if not self._in_foreground:  # `bg`: the terminal is not ours to take
            os.kill(os.getpid(), signal.SIGTSTP)
            return
        self._give_back()  # after a SIGSTOP the shell has changed the terminal as it likes
        self._come_back()

    def _come_back(self) -> None:
        if self._away:
            self._away = False
            self._driver.resume_application_mode()
            self._on_resumed()

    @property
    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._driver.fileno) == os.getpgrp()
        except OSError:
            return True  # there is no terminal to be in the background of
