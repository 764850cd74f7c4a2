"""A process in a terminal whose other end is a browser's."""

import asyncio
import os
import sys

from fintrends_tui.web.terminal import PtyProcess, TerminalSize, environment

_CONTROLLING = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
_SIZES = f"""{_CONTROLLING}
import os
line = "begin"
while line != "end":
    os.write(1, "{{}} {{}} {{}}.\\n".format(line, *os.get_terminal_size()).encode())
    line = input()
"""
_DEAF = f"""{_CONTROLLING}
import signal, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
import os; os.write(1, b"ready.")
while True: time.sleep(9)
"""


async def start(program: str) -> PtyProcess:
    command = (sys.executable, "-c", program)
    return await PtyProcess.start(command, TerminalSize(100, 30), environment(os.environ))


async def until(process: PtyProcess, text: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(20):
        while text not in seen:
            data = await process.read()
            assert data, seen
            seen += data
    return seen


async def test_it_has_the_browsers_size_and_hears_of_another() -> None:
    process = await start(_SIZES)
    await until(process, b"begin 100 30.")
    process.resize(TerminalSize(120, 40))
    await process.write(b"again\n")
    await until(process, b"again 120 40.")
    await process.write(b"end\n")
    async with asyncio.timeout(20):
        while await process.read():
            pass
    assert await process.close() == 0


async def test_it_ends_when_the_browser_has_gone() -> None:
    process = await start(_SIZES)
    await until(process, b"begin 100 30.")
    async with asyncio.timeout(5):
        assert await process.close() == -1  # by SIGHUP


async def test_what_will_not_end_is_killed() -> None:
    process = await start(_DEAF)
    await until(process, b"ready.")
    assert await process.close(patience=0.2) == -9


def test_the_servers_own_terminal_says_nothing_of_the_browsers() -> None:
    found = environment({"PATH": "/bin", "LANG": "C", "LC_ALL": "C", "NO_COLOR": "1", "COLUMNS": "40", "TERM": "dumb"})
    assert found == {
        "PATH": "/bin",
        "LANG": "C",
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    assert TerminalSize.within_reason(10**9, -5) == (500, 5)
