"""Terminals that stop reading or die, and a watchlist of a thousand: the pipeline goes on, the screen is right."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fintrends_tui.state import format as fmt
from pipeline.contract.protocol import MAX_FRAME, SetReplay, encode_frame
from pipeline.contract.snapshot import MAX_TOPICS
from testkit.faults.ledger import Ledger
from testkit.faults.recording import Recording, record
from testkit.faults.replays import replaying
from testkit.faults.watching import STOP_SECONDS, audit, settled, watch
from testkit.forked import ForkedProduct
from testkit.product import Product, written
from testkit.terminal import Terminal

MANY = 1000
UNHURRIED = 30
"""The speed of a replay that outlasts the start of a screen."""

Attach = Callable[..., Terminal]


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return ForkedProduct(tmp_path)


@pytest.fixture
def attach(product: Product) -> Iterator[Attach]:
    """A screen on the running pipeline."""
    opened: list[Terminal] = []

    def open_(**size: int) -> Terminal:
        opened.append(Terminal(product.directory, "--data-dir", product.data_dir, **size))
        return opened[-1]

    yield open_
    for terminal in opened:
        terminal.close()


def last_price(recording: Recording, ticker: str) -> str:
    """The price of the ticker after the whole recording, as the watchlist writes it."""
    return fmt.price([bar.close for bar in recording.live if bar.ticker == ticker][-1])


def test_a_terminal_that_stops_reading_for_a_while(product: Product, attach: Attach, ledger: Ledger) -> None:
    recording = record(product.directory / "recording", ["AAPL", "TSLA"], minutes=900)
    with replaying(product, recording, UNHURRIED) as process:
        terminal = attach()
        terminal.wait_for(lambda text: "AAPL" in text and "▶" in text)
        before = written(product.wait_for(lambda status: True, process))
        product.ask(SetReplay(speed=3600))
        # Nothing is read from here on: its pty fills, and its writes wait.
        product.wait_for(lambda status: written(status) > before + 500, process)
        product.wait_for(lambda status: status["pipeline"]["idle"], process, patience=90)
        terminal.wait_for(lambda text: all(last_price(recording, ticker) in text for ticker in recording.tickers))
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        terminal.check_restored()
        product.stop()
        process.communicate(timeout=STOP_SECONDS)
    ledger.enter("terminal that stops reading", audit(product, recording.live))


def test_one_of_two_screens_is_killed(product: Product, attach: Attach, ledger: Ledger) -> None:
    recording = record(product.directory / "recording", ["AAPL", "TSLA"], minutes=500)
    source = ("--source", f"replay:{recording.directory}", "--speed", UNHURRIED)
    with product.running(*recording.tickers, *source) as process:
        screens = [attach(), attach(columns=80, lines=24)]
        for screen in screens:
            screen.wait_for(lambda text: "AAPL" in text and "▶" in text)
        product.ask(SetReplay(speed=3600))
        screens[0].process.send_signal(signal.SIGKILL)
        screens[0].process.wait()
        screens[1].wait_for(lambda text: all(last_price(recording, ticker) in text for ticker in recording.tickers))
        assert watch(product, process, settled)
        product.stop()
        process.communicate(timeout=STOP_SECONDS)
    ledger.enter("one of two screens killed", audit(product, recording.live))


def test_a_thousand_tickers(product: Product, attach: Attach, ledger: Ledger) -> None:
    recording = record(product.directory / "recording", [f"T{number:03}" for number in range(MANY)], minutes=5)
    source = ("--source", f"replay:{recording.directory}", "--speed", "max")
    with product.running(*recording.tickers, *source) as process:
        snapshot = watch(product, process, settled, patience=120, pause=0.2)
        assert snapshot
        assert len(snapshot.tickers) == MANY
        assert snapshot.topics_total > len(snapshot.topics) == MAX_TOPICS
        assert {group.lag for topic in snapshot.topics for group in topic.groups} == {0}
        assert len(encode_frame(snapshot)) < MAX_FRAME / 4
        terminal = attach()
        terminal.wait_for(lambda text: last_price(recording, "T000") in text)
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        product.stop()
        process.communicate(timeout=STOP_SECONDS)
    ledger.enter(f"{MANY:,} tickers", audit(product, recording.live))
