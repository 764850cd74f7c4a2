"""The README's recording: the first minute of a real session on the simulator, in asciinema's format (version 2).

uv run python -m bench.recording docs/first-minute.cast
"""

import json
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.frames import Frames
from testkit.product import Product
from testkit.terminal import Terminal

COLUMNS, LINES = 110, 32
TICKERS = ("AAPL", "MSFT", "TSLA")
LIMIT = 400_000
BEGIN, END = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J", "\x1b[0m\x1b[?25h\x1b[?1049l"
"""The alternate screen without a cursor, and back."""


class Session:
    """The product in a terminal, and what that shows, with its time in seconds from the start.

    The output itself would be ten times as long, and it asks the terminal questions that nobody waits for when it is
    played.
    """

    def __init__(self, terminal: Terminal, private: list[str]) -> None:
        """`private` are words that must not be seen."""
        self.events: list[tuple[float, str]] = [(0.0, BEGIN)]
        self._terminal = terminal
        self._frames = Frames(terminal.screen)
        self._private = private
        self._begun = time.monotonic()

    def press(self, *keys: str, pause: float = 1.0) -> None:
        """Press the keys, with a pause after each."""
        for key in keys:
            self._terminal.press(key)
            self.watch(pause)

    def watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._record(left)

    def watch_until(self, condition: Callable[[str], object], patience: float = 60) -> None:
        deadline = time.monotonic() + patience
        while not condition(self._terminal.text):
            assert time.monotonic() < deadline, self._terminal.text
            self._record(0.1)

    def quit(self) -> None:
        """Press q; what the terminal shows after the screen has gone is not recorded."""
        self._terminal.press("q")
        self.watch(1)
        self._terminal.wait_for_end()
        self.events.append((time.monotonic() - self._begun, END))

    def _record(self, seconds: float) -> None:
        self._terminal.read(seconds)
        for word in self._private:
            assert word not in self._terminal.text, f"{word} can be seen"
        if frame := self._frames.next():
            self.events.append((time.monotonic() - self._begun, frame))


def play(session: Session) -> None:
    """What somebody does who sees it for the first time."""
    session.watch_until(re.compile(r"TSLA~? +[\d,]+\.\d+").search)
    session.watch(6)
    session.press("j", "j", "k", pause=1.5)
    session.press("\r", pause=4)
    session.press("c", pause=4)
    session.press("m", "b", pause=2)
    session.press("+", "+", "-", pause=1.2)
    session.press("\x1b", pause=2)
    session.press("a", pause=1)
    session.press(*"nvda", pause=0.25)
    session.press("\r")
    session.watch_until(re.compile(r"NVDA~? +[\d,]+\.\d+").search)
    session.watch(4)
    session.press("\t", "\t", "\t", "\t", pause=2)
    session.press("?", pause=4)
    session.press("\x1b", pause=3)
    session.quit()


def cast(events: list[tuple[float, str]]) -> str:
    """The file: a line of header, and one for each event."""
    header = {
        "version": 2,
        "width": COLUMNS,
        "height": LINES,
        "title": f"fintrends-tui {' '.join(TICKERS)}",
        "env": {"TERM": "xterm-256color"},
    }
    lines = [header, *([round(at, 3), "o", text] for at, text in events)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="fintrends-") as name:
        product = Product(Path(name))
        flags = ("--source", "simulator", "--data-dir", product.data_dir)
        terminal = Terminal(Path(name), *TICKERS, *flags, columns=COLUMNS, lines=LINES, HOME=name)
        try:
            session = Session(terminal, [name, str(Path.home()), platform.node()])
            play(session)
        finally:
            terminal.close()
            product.run("stop")
    text = cast(session.events)
    assert len(text.encode()) < LIMIT, f"{len(text.encode()):,} bytes are too many"
    target.write_text(text, "utf-8")
    print(f"{target}: {session.events[-1][0]:.0f} s, {len(session.events)} events, {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
