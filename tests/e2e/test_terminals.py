"""Terminals that can do less, or are slow, with a real pipeline behind the dashboard."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fintrends_tui.link.client import NotRunningError
from testkit.product import COMMAND, Product, environment
from testkit.terminal import Terminal

COLOUR = re.compile(rb"\x1b\[(?:[0-9]+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9]+)*m")
STYLED = re.compile(rb"\x1b\[[0-9;]*[147](?:;[0-9;]*)?m")


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path)
    yield product
    with suppress(NotRunningError):
        product.stop()


def open_terminal(product: Product, *arguments: str, **options: object) -> Terminal:
    where = ("--data-dir", str(product.data_dir), "--source", "simulator")
    return Terminal(product.directory, *arguments, *where, **options)  # type: ignore[arg-type]


def priced(text: str) -> re.Match[str] | None:
    return re.search(r"AAPL~? +([\d,]+\.\d+)", text)


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LANG": "", "LC_ALL": "POSIX"}], ids=["LANG=C", "LC_ALL=POSIX"])
def test_without_utf8_every_byte_is_ascii(product: Product, locale: dict[str, str]) -> None:
    terminal = open_terminal(product, "AAPL", **locale)
    try:
        terminal.wait_for(priced)
        terminal.press("?")
        terminal.wait_for(lambda text: "Open the selected ticker" in text)
        terminal.press("\x1b")
        terminal.wait_for(lambda text: "Open the selected ticker" not in text)
        terminal.press("a")
        terminal.wait_for(lambda text: "Add tickers" in text)
        assert terminal.output.isascii()
        assert "+- Watchlist" in terminal.text
    finally:
        terminal.close()


def test_a_redirected_stderr_is_refused_and_not_a_blank_screen(product: Product) -> None:
    """Where the screen is drawn."""
    master, slave = pty.openpty()
    try:
        result = subprocess.run(
            [COMMAND, "AAPL", "--data-dir", product.data_dir],
            env=environment(TERM="xterm-256color"),
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(master)
        os.close(slave)
    assert result.returncode == 2
    assert b"the dashboard needs a terminal" in result.stderr


def test_without_colours_none_is_sent(product: Product) -> None:
    terminal = open_terminal(product, "AAPL", NO_COLOR="1")
    try:
        terminal.wait_for(priced)
        assert not COLOUR.search(terminal.output)
        assert STYLED.search(terminal.output)  # bold and reverse still tell things apart
    finally:
        terminal.close()


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_can_show_nothing_is_told_so_in_one_sentence(product: Product, term: str) -> None:
    terminal = open_terminal(product, "AAPL", TERM=term)
    try:
        assert terminal.wait_for_end() == 2
        words = " ".join(terminal.text.split())
        assert "this terminal cannot show a screen" in words
        assert "--no-ui" in words
        assert b"\x1b" not in terminal.output
    finally:
        terminal.close()


def test_a_terminal_that_stops_reading_holds_nothing_up(product: Product) -> None:
    terminal = open_terminal(product, "AAPL", "MSFT", "TSLA")
    try:
        terminal.wait_for(priced)
        before = product.wait_for(lambda _: True)["seq"]
        deadline = time.monotonic() + 60
        while _can_be_written(terminal):  # nobody reads until its buffer is full
            assert time.monotonic() < deadline
            terminal.resize(140 - int(time.monotonic()) % 2, 45)
            time.sleep(0.05)
        product.wait_for(lambda status: status["seq"] > before + 4)  # the pipeline runs on
        terminal.resize(140, 45)
        terminal.press("?")
        terminal.wait_for(lambda text: "Open the selected ticker" in text)
        terminal.press("\x1bq")
    finally:
        terminal.close()


def test_a_storm_of_sizes_ends_with_a_whole_screen(product: Product) -> None:
    terminal = open_terminal(product, "AAPL")
    try:
        terminal.wait_for(priced)
        for number in range(200):
            terminal.resize(20 + 7 * number % 180, 4 + 5 * number % 60)
        terminal.resize(80, 24)
        terminal.wait_for(lambda text: priced(text) and "? Help q Quit" in text and "Watchlist 1" in text)
    finally:
        terminal.close()


def test_a_burst_of_keys_arrives_whole(product: Product) -> None:
    terminal = open_terminal(product, "AAPL", columns=80, lines=24)
    try:
        terminal.wait_for(priced)
        terminal.press("anvda\rj")
        product.wait_for(lambda status: [t["ticker"] for t in status["tickers"]] == ["AAPL", "NVDA"])
    finally:
        terminal.close()


# As `uv run` does: a program that starts the dashboard and waits for it, in the same job of the shell.
STARTER = f"{sys.executable} -c 'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))'"


def in_a_shell(product: Product, starter: str = "") -> Terminal:
    """The dashboard as somebody starts it who can suspend it, by the `starter`."""
    terminal = Terminal(product.directory, command=["/bin/bash", "--norc", "--noprofile", "-i"], PS1="shell> ")
    terminal.wait_for(lambda text: "shell>" in text)
    terminal.press(f"{starter} {COMMAND} AAPL --source simulator --data-dir {product.data_dir}\r")
    terminal.wait_for(priced)
    return terminal


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes as Linux shows them")
@pytest.mark.parametrize("how", ["ctrl+z", "ctrl+z in a dialog", "ctrl+z by a starter", "SIGTSTP", "SIGSTOP"])
def test_suspended_and_back_the_whole_screen_is_painted(product: Product, how: str) -> None:
    is_started = how == "ctrl+z by a starter"
    terminal = in_a_shell(product, STARTER if is_started else "")
    try:
        pid = child_of(terminal.process.pid)
        pid = child_of(pid) if is_started else pid
        if how == "ctrl+z in a dialog":
            terminal.press("a")
            terminal.wait_for(lambda text: "Add tickers" in text)
        if how.startswith("ctrl+z"):
            terminal.press("\x1a")
        else:
            os.kill(pid, getattr(signal, how))
        deadline = time.monotonic() + 30
        while not is_stopped(pid):
            assert time.monotonic() < deadline
            terminal.read()
        terminal.read(1, again=0.2)
        if how != "SIGSTOP":  # of which no process hears
            assert b"\x1b[?1049l" in terminal.output
        product.wait_for(lambda status: status["pipeline"]["state"] == "running")  # goes on meanwhile
        terminal.screen.reset()
        terminal.resize(100, 30)
        terminal.press("fg\r")
        terminal.wait_for(lambda text: "Watchlist 1" in text and "Topics" in text and "? Help" in text and "╭" in text)
        if how == "ctrl+z in a dialog":
            terminal.wait_for(lambda text: "Add tickers" in text)
            terminal.press("\x1b")
            terminal.wait_for(lambda text: "Add tickers" not in text)
        terminal.press("?")
        terminal.wait_for(lambda text: "Open the selected ticker" in text)  # keys arrive, each once
        terminal.press("\x1b")
        terminal.wait_for(lambda text: "Open the selected ticker" not in text)
    finally:
        terminal.close()


def test_without_a_shell_to_come_back_from_ctrl_z_stops_nothing(product: Product) -> None:
    terminal = open_terminal(product, "AAPL")
    try:
        terminal.wait_for(priced)
        before = len(terminal.output)
        terminal.press("\x1a")
        # Left, taken again and painted; what is typed meanwhile is dropped with the terminal's input.
        terminal.wait_for(lambda _text: b"Watchlist" in terminal.output[before:].partition(b"\x1b[?1049h")[2])
        terminal.press("?")
        terminal.wait_for(lambda text: "Open the selected ticker" in text)
    finally:
        terminal.close()


@pytest.mark.parametrize(("columns", "lines"), [(0, 0), (0, 24), (80, 0)])
def test_a_terminal_that_does_not_say_its_size_gets_a_screen(product: Product, columns: int, lines: int) -> None:
    terminal = open_terminal(product, "AAPL")
    try:
        fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        terminal.wait_for(lambda text: "Watchlist" in text and "AAPL" in text)
        assert "Traceback" not in terminal.text
        product.wait_for(bool)  # a pipeline that has not come up yet could not be stopped, and would run on
    finally:
        terminal.close()


def _can_be_written(terminal: Terminal) -> bool:
    return bool(select.select([], [terminal._slave], [], 0)[1])
