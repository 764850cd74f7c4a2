"""Quotes by the thousand from one stream: what the pipeline and a screen beside it cost, and whether they keep up.

    uv run python -m bench.quotes [QUOTES A SECOND] [TICKERS] [SECONDS] [stream|own]

A server in a process of its own speaks as Yahoo does: charts by HTTP, and a websocket that sends so many quotes a
second, evenly over the tickers. The real pipeline and a real screen of 140x45 listen. By default 5,000 a second over
500 tickers for a minute. With `own` they are made by a source in the pipeline's process (bench.quote_source), which
shows what they cost from there on. Linux only.
"""

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import monotonic
from time import time as now_in_seconds
from typing import Any

from bench import quote_source
from bench.processes import usage
from bench.screen import read_for
from pipeline.clock import SystemClock
from testkit.fake_yahoo import FakeYahoo, Instrument
from testkit.http_server import serve
from testkit.product import ROOT, Product, documents
from testkit.terminal import Terminal
from testkit.websocket_server import Behaviour, Client, serve_websocket
from testkit.yahoo_frames import frame

PERIOD = 0.05
"""Seconds between two bursts of the server."""
WARM_UP = 600.0
"""Seconds at most until every ticker has a price, and its first chart is worked off."""
WINDOW = 5.0


def symbols(count: int) -> list[str]:
    return [f"Q{number:03d}" for number in range(count)]


async def _provide(a_second: int, tickers: list[str], urls: Any, sent: Any) -> None:
    count = round(a_second * PERIOD)

    async def session(client: Client) -> None:
        await client.receive()
        number = 0
        due = monotonic()
        while True:
            now = int(now_in_seconds() * 1000)
            burst = range(number, number + count)
            await client.send(*(_quote(tickers[i % len(tickers)], i, now) for i in burst))
            number += count
            sent.value += count
            due += PERIOD
            await asyncio.sleep(max(0.0, due - monotonic()))

    async with serve() as http, serve_websocket() as websocket:
        websocket.on(Behaviour(session))
        # The day has only begun: what is measured are quotes, not the bars of the first charts.
        began = datetime.now(UTC) - timedelta(minutes=15)
        hours = (began.time(), began.time(), time(23, 59), time(23, 59))
        instruments = tuple(Instrument(ticker, 100.0, hours=hours, zone="UTC") for ticker in tickers)
        FakeYahoo(SystemClock(), instruments).serve_on(http)
        urls.put((http.url, websocket.url))
        await asyncio.Event().wait()


def _quote(ticker: str, number: int, now: int) -> str:
    return frame(id=ticker, price=100.0 + number % 100 / 100, time=now, market_hours=1, price_hint=2)


def _serve(a_second: int, tickers: list[str], urls: Any, sent: Any) -> None:
    asyncio.run(_provide(a_second, tickers, urls, sent))


@contextmanager
def provider(a_second: int, tickers: list[str]) -> Iterator[tuple[dict[str, str], Any]]:
    """The environment of a pipeline that listens to it, and the count of quotes sent, as `value`."""
    context = multiprocessing.get_context("spawn")
    urls, sent = context.Queue(), context.Value("q", 0)
    process = context.Process(target=_serve, args=(a_second, tickers, urls, sent), daemon=True)
    process.start()
    try:
        http, websocket = urls.get(timeout=60)
        addresses = {"BASE_URL": http, "FALLBACK_URL": http, "STREAM_URL": websocket}
        variables = {f"FINTRENDS_YAHOO__{key}": url for key, url in addresses.items()}
        yield variables | {"FINTRENDS_PIPELINE__SOURCE": "yahoo", "FINTRENDS_STOCKTWITS__ENABLED": "false"}, sent
    finally:
        process.kill()
        process.join()


@contextmanager
def own(a_second: int, tickers: list[str]) -> Iterator[tuple[dict[str, str], Any]]:
    """The environment of a pipeline that makes them itself; what it has made is not known."""
    del tickers
    yield (
        {
            "FINTRENDS_PIPELINE__SOURCE": quote_source.NAME,
            "FINTRENDS_SOURCES__BENCH": f"{quote_source.__name__}:create",
            quote_source.RATE: str(a_second),
            "PYTHONPATH": str(ROOT),
        },
        None,
    )


def main(a_second: int = 5_000, count: int = 500, seconds: int = 60, source: str = "stream") -> None:
    tickers = symbols(count)
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{a_second:,} quotes a second over {count} tickers, by {source}\n")
    print("s     sent/s   taken in/s   published/s   lag   CPU %  screen %   MiB  GiB/h  KiB/s to the terminal")
    quotes = own if source == "own" else provider
    with tempfile.TemporaryDirectory() as name, quotes(a_second, tickers) as (variables, sent):
        product = Product(Path(name), **variables)
        terminal = Terminal(Path(name), *tickers, "--data-dir", product.data_dir, **variables)  # type: ignore[arg-type]
        try:
            status = product.wait_for(lambda s: _priced(s) == count and _lag(s) < 2 * count, patience=WARM_UP)
            pid = status["pipeline"]["pid"]
            for passed in range(0, seconds, int(WINDOW)):
                _report(passed, product, terminal, pid, sent)
        finally:
            terminal.close()
            product.run("stop")


def _size(directory: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _lag(status: dict[str, Any]) -> int:
    return sum(group["lag"] or 0 for topic in status["topics"] for group in topic["groups"])


def _priced(status: dict[str, Any]) -> int:
    return sum(ticker["price"] is not None for ticker in status["tickers"])


def _report(passed: int, product: Product, terminal: Terminal, pid: int, sent: Any) -> None:
    """One line, of the next few seconds."""

    def figures() -> tuple[float, int, int, float, float, int, int]:
        status = product.status()
        assert status is not None
        cpu = usage(pid).seconds
        screen = usage(terminal.process.pid).seconds - cpu  # which has started the pipeline
        made = 0 if sent is None else sent.value
        size = _size(product.data_dir)
        return monotonic(), made, documents(status, "stock_data"), cpu, screen, size, len(terminal.output)

    before = figures()
    read_for(WINDOW, terminal)
    after = figures()
    took = after[0] - before[0]
    rates = [(new - old) / took for old, new in zip(before[1:], after[1:], strict=True)]
    status = product.status()
    assert status is not None
    market = next(service for service in status["services"] if service["name"].startswith("market"))
    lag = _lag(status)
    resident = usage(pid).resident
    print(
        f"{passed:<4} {rates[0]:>7,.0f} {market['rate']:>12,.0f} {rates[1]:>13,.0f} {lag:>5,} {100 * rates[2]:>7.1f} "
        f"{100 * rates[3]:>9.1f} {resident:>5.0f} {rates[4] * 3600 / 2**30:>6.2f} {rates[5] / 1024:>6.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), *sys.argv[4:])
