"""Terminals that can do less, or are slow, with a real pipeline behind the dashboard."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.run import COMMAND, Product, environment
from tests.e2e.terminal import Terminal

COLOUR = re.compile(rb"\x1b\[(?:[0-9]+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9]+)*m")
STYLED = re.compile(rb"\x1b\[[0-9;]*[147](?:;[0-9;]*)?m")


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path)
    yield product
    product.run("stop")


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
    assert b"stdin, stdout and stderr must be" in result.stderr


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


def _can_be_written(terminal: Terminal) -> bool:
    return bool(select.select([], [terminal._slave], [], 0)[1])
