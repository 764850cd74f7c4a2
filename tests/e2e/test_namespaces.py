"""The first days of a user: the simulator, then a key, then no key again, all in one place. What is made up is never
shown or stored for real, nor the other way round."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fintrends_tui.link.client import NotRunningError
from pipeline.model.messages import Bar
from testkit.data import recorded_bars
from testkit.engines.fixtures import bootstrap, mongodb_uri
from testkit.engines.kafka import KRaftKafka
from testkit.forked import ForkedProduct
from testkit.http_server import HttpServer, serve
from testkit.product import Product, documents
from testkit.recorded import MINUTES, check_ticker, last_minutes
from testkit.terminal import Terminal
from tests.e2e.recorded_provider import replay_recordings
from tests.sources.alpha_vantage import replies as data

CONFIG = """
[alpha_vantage]
plan = "premium"
base_url = "{url}"

[stocktwits]
enabled = false
"""
COLLECTIONS = ("stock_data", "indicators", "economic")
KEY = {"ALPHA_VANTAGE_API_KEY": data.KEY}
Engines = Callable[[], tuple[str, ...]]


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as local:
        replay_recordings(local)
        yield local


def embedded() -> tuple[str, ...]:
    return ()


def real_engines() -> tuple[str, ...]:
    name = uuid4().hex[:12]
    return (
        "--kafka",
        bootstrap(KRaftKafka),
        "--mongodb",
        f"{mongodb_uri()}/journey_{name}",
        "--namespace",
        f"t-{name}",
    )


ENGINES = pytest.mark.parametrize(
    "engines",
    [pytest.param(embedded, id="embedded"), pytest.param(real_engines, id="kafka-mongodb", marks=pytest.mark.daily)],
)


class Journey:
    """One data directory, with a key in the environment or without. Real prices are those of the recording."""

    def __init__(self, directory: Path, url: str, flags: tuple[str, ...]) -> None:
        (directory / "config.toml").write_text(CONFIG.format(url=url))
        self._directory = directory
        self.flags = flags

    def product(self, **key: str) -> Product:
        return ForkedProduct(self._directory, *self.flags, **key)

    @contextmanager
    def watched(self, **key: str) -> Iterator[tuple[Terminal, list[str]]]:
        """The dashboard, and every screen that it has shown; quit in the end."""
        product = self.product(**key)
        terminal = Terminal(
            self._directory, "IBM", "--data-dir", product.data_dir, *self.flags, columns=200, LANG="C.UTF-8", **key
        )
        seen: list[str] = []
        try:
            yield terminal, seen
            seen.append(terminal.text)
            terminal.press("q")
            assert terminal.wait_for_end() == 0
        finally:
            terminal.close()
            with suppress(NotRunningError):
                product.stop()


def price(text: str) -> str | None:
    match = re.search(r"IBM~? +([\d,]+\.\d+)", text)
    return match and match[1]


def shown(seen: list[str]) -> set[str]:
    """Every price that was on a screen."""
    return {found for text in seen if (found := price(text))}


def stored(product: Product) -> set[str]:
    """Every price that is stored, as the screen writes it."""
    found = product.query("stock_data", "IBM")
    return {f"{document.get('price') or document['close']:,.2f}" for document in found}


def look(terminal: Terminal, seen: list[str], condition: Callable[[str], object]) -> str:
    def keep(text: str) -> object:
        seen.append(text)
        return condition(text)

    return terminal.wait_for(keep, patience=90)


def check(product: Product, *, simulated: bool) -> None:
    """What `query` shows is of one origin, and said to be simulated if it is."""
    assert ("SIMULATED" in product.run("query", "stock_data", "--last", 5).stderr) == simulated
    for collection in COLLECTIONS:
        found = product.query(collection)
        assert found, collection
        assert {document["simulated"] for document in found} == {simulated}, collection
    sources = {document["source"] for document in product.query("stock_data", "IBM")}
    assert sources == {"simulator" if simulated else "alpha_vantage"}


def has_all(status: dict[str, Any]) -> bool:
    return all(documents(status, name) for name in COLLECTIONS)


@ENGINES
async def test_made_up_prices_are_never_shown_for_real_ones(
    tmp_path: Path, server: HttpServer, engines: Engines
) -> None:
    journey = Journey(tmp_path, server.url, engines())

    def simulator() -> None:
        with journey.watched() as (terminal, seen):
            look(terminal, seen, price)
            journey.product().wait_for(has_all)
            look(terminal, seen, price)
            assert all("SIMULATED" in text for text in seen if price(text))
        check(journey.product(), simulated=True)
        assert shown(seen) <= stored(journey.product())

    def real() -> None:
        product = journey.product(**KEY)
        with journey.watched(**KEY) as (terminal, seen):
            look(terminal, seen, price)
            product.wait_for(has_all)
            look(terminal, seen, price)
            for text in seen:
                assert "SIMULATED" not in text and "IBM~" not in text
        check(product, simulated=False)
        assert shown(seen) <= stored(product)
        rows = product.query("indicators", "IBM", interval="daily")
        bars = product.query("stock_data", "IBM", interval="daily")
        assert len(rows) == len(bars)
        if len(bars) >= 20:
            assert rows[-1]["sma_20"] == pytest.approx(sum(bar["close"] for bar in bars[-20:]) / 20)

    for part in (simulator, real, simulator):
        await asyncio.to_thread(part)
    # What is looked up with a key, while nothing runs, is what ran last; the other is where it was.
    await asyncio.to_thread(check, journey.product(**KEY), simulated=True)
    if not journey.flags:
        result = await asyncio.to_thread(journey.product().run, "query", "stock_data", "--namespace", "", "--last", 1)
        assert "SIMULATED" not in result.stderr and "IBM" in result.stdout


class TestTwoStores:
    """Two users of one Kafka, each with the embedded store of their own machine."""

    def test_each_gets_all_of_it(self, tmp_path: Path) -> None:
        recording = last_minutes(tmp_path / "recording")
        namespace = f"t-{uuid4().hex[:12]}"
        products = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            products.append(ForkedProduct(tmp_path / name, "--kafka", bootstrap(KRaftKafka), "--namespace", namespace))
        first, second = products
        source = ("--source", f"replay:{recording}", "--speed", "max")
        with second.running("MSFT", *source) as process:
            result = first.run("AAPL", "--no-ui", *source, "--until-idle")
            assert result.returncode == 0, result.stderr
            second.wait_for(lambda s: documents(s, "indicators") >= 2 * MINUTES and s["pipeline"]["idle"], process, 120)
            truth: dict[str, list[Bar]] = {ticker: recorded_bars(ticker)[-MINUTES:] for ticker in ("AAPL", "MSFT")}
            for product in (first, second):
                check_ticker(product, truth["AAPL"])
            check_ticker(second, truth["MSFT"])
            second.stop()
        # What was published while it did not run is waiting for it.
        result = first.run("AAPL", "--no-ui", *source, "--until-idle")
        assert result.returncode == 0, result.stderr
        check_ticker(first, truth["MSFT"])


def test_namespaces_share_engines_without_meeting(tmp_path: Path) -> None:
    name = uuid4().hex[:12]
    flags = ("--kafka", bootstrap(KRaftKafka), "--mongodb", f"{mongodb_uri()}/shared_{name}")
    products = {}
    for namespace in (f"a-{name}", f"a-{name}-b"):
        (tmp_path / namespace).mkdir()
        products[namespace] = ForkedProduct(tmp_path / namespace, *flags, "--namespace", namespace)
        products[namespace].fill("AAPL" if namespace.endswith("b") else "MSFT", "--source", "simulator")
    for namespace, product in products.items():
        own, other = ("AAPL", "MSFT") if namespace.endswith("b") else ("MSFT", "AAPL")
        assert product.query("stock_data", own) and not product.query("stock_data", other)
        table = product.run("topics").stdout
        assert f"{namespace}-simulated-stock_data_{own.lower()}" in table
        assert f"stock_data_{other.lower()}" not in table
        report = product.run("doctor").stdout
        assert f"namespace {namespace}-simulated" in report
