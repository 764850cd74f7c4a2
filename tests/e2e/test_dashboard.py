"""The dashboard in a real terminal, with a real pipeline behind it."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fintrends_tui.link.client import NotRunningError
from testkit.forked import ForkedProduct
from testkit.product import Product
from testkit.terminal import Terminal

SIZES = pytest.mark.parametrize(
    ("columns", "lines"),
    [pytest.param(80, 24, id="80x24"), pytest.param(140, 45, id="140x45", marks=pytest.mark.daily)],
)
Open = Callable[..., Terminal]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = ForkedProduct(tmp_path)
    yield product
    with suppress(NotRunningError):
        product.stop()


@pytest.fixture
def open_terminal(product: Product) -> Iterator[Open]:
    opened: list[Terminal] = []

    def open_(*arguments: object, **size: int) -> Terminal:
        terminal = Terminal(
            product.directory, *arguments, "--data-dir", product.data_dir, "--source", "simulator", **size
        )
        opened.append(terminal)
        return terminal

    yield open_
    for terminal in opened:
        terminal.close()


def price_of(ticker: str) -> Callable[[str], str | None]:
    def price(text: str) -> str | None:
        match = re.search(rf"{re.escape(ticker)}~? +([\d,]+\.\d+)", text)
        return match and match[1]

    return price


@SIZES
def test_a_session_from_start_to_quit(product: Product, open_terminal: Open, columns: int, lines: int) -> None:
    terminal = open_terminal("AAPL", "MSFT", columns=columns, lines=lines)
    terminal.wait_for(lambda text: "Watchlist" in text and "AAPL" in text)  # painted before the pipeline is up
    terminal.wait_for(price_of("AAPL"))
    assert "SIMULATED" in terminal.text
    before = price_of("AAPL")(terminal.text)
    terminal.wait_for(lambda text: price_of("AAPL")(text) not in (None, before))  # prices move

    terminal.press("a")
    terminal.wait_for(lambda text: "Add" in text)
    terminal.press("nvda brk.b\r")
    terminal.wait_for(price_of("BRK.B"))
    terminal.wait_for(price_of("NVDA"))

    terminal.wait_for(lambda text: "▌NVDA" in text)  # the first of those added is selected
    terminal.press("gj")
    terminal.wait_for(lambda text: "▌MSFT" in text)
    terminal.press("x")
    terminal.wait_for(lambda text: "Remove MSFT" in text)
    terminal.press("\r")
    terminal.wait_for(lambda text: not price_of("MSFT")(text))

    terminal.press("i")
    terminal.wait_for(lambda text: "Load the history" in text)
    terminal.press("\r")
    terminal.wait_for(lambda text: "100%" in text or "100 %" in text or "done" in text)

    terminal.press("\r")
    terminal.wait_for(lambda text: "· 1D" in text and "▸" in text)  # the chart of what is stored
    terminal.press("8")
    terminal.wait_for(lambda text: "· MAX" in text and "▸" in text)
    terminal.press("\x1b")
    terminal.wait_for(lambda text: "Watchlist" in text)

    terminal.press("r")
    terminal.wait_for(lambda text: "all services" in text)
    terminal.press("\r")
    product.wait_for(lambda status: all(service["restarts"] for service in status["services"]))

    status = product.status()
    assert status is not None
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    terminal.check_restored()
    assert product.status() is None
    with pytest.raises(ProcessLookupError):
        os.kill(status["pipeline"]["pid"], 0)


def test_detached_and_attached_again_it_is_the_same_pipeline(product: Product, open_terminal: Open) -> None:
    terminal = open_terminal("AAPL")
    terminal.wait_for(price_of("AAPL"))
    terminal.press("d")
    assert terminal.wait_for_end() == 0
    terminal.check_restored()
    assert "detached" in terminal.text
    status = product.status()
    assert status is not None

    again = open_terminal("TSLA", columns=80, lines=24)
    again.wait_for(lambda text: "The pipeline runs already" in text)  # from the source it was started with
    again.wait_for(price_of("TSLA"))
    assert price_of("AAPL")(again.text)
    again.press("q")  # found running, so only left
    assert again.wait_for_end() == 0
    assert "left; the pipeline runs on" in again.text
    after = product.status()
    assert after is not None
    assert after["pipeline"]["pid"] == status["pipeline"]["pid"]


def test_two_screens_look_at_one_pipeline(product: Product, open_terminal: Open) -> None:
    first = open_terminal("AAPL")
    first.wait_for(price_of("AAPL"))
    second = open_terminal(columns=80, lines=24)
    second.wait_for(price_of("AAPL"))
    assert product.run("add", "NVDA").returncode == 0
    for terminal in (first, second):
        terminal.wait_for(price_of("NVDA"))


def test_a_dropped_terminal_detaches(product: Product, open_terminal: Open) -> None:
    terminal = open_terminal("AAPL")
    terminal.wait_for(price_of("AAPL"))
    pid = product.wait_for(lambda _: True)["pipeline"]["pid"]
    terminal.hang_up()
    terminal.process.wait(20)
    assert product.wait_for(lambda _: True)["pipeline"]["pid"] == pid


def test_sigterm_quits_and_leaves_the_terminal_whole(product: Product, open_terminal: Open) -> None:
    terminal = open_terminal("AAPL")
    terminal.wait_for(price_of("AAPL"))
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.wait_for_end() == 0
    terminal.check_restored()
    assert product.status() is None


def test_a_pipeline_that_is_killed_is_started_again(product: Product, open_terminal: Open) -> None:
    terminal = open_terminal("AAPL")
    terminal.wait_for(price_of("AAPL"))
    pid = product.wait_for(lambda _: True)["pipeline"]["pid"]
    os.kill(pid, signal.SIGKILL)
    terminal.wait_for(lambda _: b"signal 9" in terminal.output)  # for a second only
    again = product.wait_for(lambda status: status["tickers"] and status["tickers"][0]["price"])
    assert again["pipeline"]["pid"] != pid
    terminal.wait_for(lambda text: "signal 9" not in text)


def test_a_pipeline_that_cannot_start_says_why(product: Product, open_terminal: Open) -> None:
    product.data_dir.mkdir(mode=0o700)
    (product.data_dir / "bus.sqlite").write_text("this is not a database, and long enough to be seen as none" * 50)
    terminal = open_terminal("AAPL")
    terminal.wait_for(lambda text: "not a database" in " ".join(text.replace("│", " ").split()))
    terminal.press("d")
    assert terminal.wait_for_end() == 1
    terminal.check_restored()
    assert "not a database" in " ".join(terminal.text.split())
    assert "detached" not in terminal.text


@pytest.mark.parametrize("arguments", [(), ("--no-ui",)])
def test_a_start_that_fails_leaves_no_directory_behind(product: Product, arguments: tuple[str, ...]) -> None:
    where = ("--data-dir", str(product.data_dir), "--source", "replay:nowhere")
    terminal = Terminal(product.directory, "AAPL", *arguments, *where)
    try:
        terminal.wait_for(lambda text: "no directory" in " ".join(text.replace("│", " ").split()))
        terminal.press("q")
        assert terminal.wait_for_end() != 0
        assert "no directory nowhere to replay from" in " ".join(terminal.text.split())
    finally:
        terminal.close()
    assert not product.data_dir.exists()


def test_the_screen_survives_being_resized(open_terminal: Open) -> None:
    terminal = open_terminal("AAPL")
    terminal.wait_for(price_of("AAPL"))
    for columns, lines in ((80, 24), (200, 60), (20, 5), (140, 45), (80, 24)):
        terminal.resize(columns, lines)
        terminal.read(0.2)
    terminal.wait_for(price_of("AAPL"))
