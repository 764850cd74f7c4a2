"""A provider that hangs, lies or floods about one ticker: the other's bars are all there, and the truth is told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from pipeline.contract.snapshot import Snapshot
from pipeline.model.messages import Bar, Interval
from testkit.data import NEW_YORK
from testkit.faults.ledger import Ledger, compare
from testkit.faults.watching import STOP_SECONDS, watch
from testkit.faults.watching import total as written
from testkit.http_server import Behaviour, HttpServer, Request, answer, gzipped, hang, serve
from testkit.product import Product
from tests.e2e.recorded_provider import product_at, replay_recordings
from tests.sources.alpha_vantage import replies as data

HONEST, FAULTY = "IBM", "MSFT"
_MIB: Final = 2**20
_MOST_MEMORY: Final = 400 * _MIB
_ROW: Final = {"open": "10", "high": "11", "low": "9", "close": "10", "volume": "100"}


async def endless(_: Request, writer: asyncio.StreamWriter) -> None:
    """A body in chunks that has no end."""
    writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"100000\r\n" + b" " * _MIB + b"\r\n")
        await writer.drain()


async def elsewhere(request: Request, writer: asyncio.StreamWriter) -> None:
    """A redirection to itself."""
    await answer(status=302, headers={"Location": f"{request.path}?symbol={FAULTY}&function=AGAIN"})(request, writer)


def days(*rows: dict[str, str]) -> Behaviour:
    """Daily bars, one for each row, which says what is not as it should be."""
    dated = [_ROW | {"timestamp": f"2026-05-{day:02d}"} | row for day, row in enumerate(rows, 4)]
    return answer(data.series("Daily", dated))


class Case(NamedTuple):
    """`says` is in the ticker's note or a service's error, unless `dead_letters` records are in `dead_letter`."""

    behaviour: Behaviour
    says: str = ""
    dead_letters: int = 0


CASES = {
    "hangs": Case(hang, "silent for"),
    "lies: impossible numbers": Case(
        days({}, {"close": "-1"}, {"high": "NaN"}, {"low": "12"}, {"volume": "-5"}, {"open": "1e999"}, {}),
        dead_letters=5,
    ),
    "lies: impossible times": Case(days({}, {"timestamp": "2026-02-30"}, {"timestamp": ""}, {}), dead_letters=2),
    "lies: half a document": Case(answer(b'{"Time Series (Daily)": {"2026-05-04"'), dead_letters=1),
    "floods: an endless body": Case(endless, "larger than"),
    "floods: a small body that is large once unpacked": Case(gzipped(b" " * (200 * _MIB)), "larger than"),
    "floods: a million characters in a name": Case(answer({"x" * 1_000_000: {}}), dead_letters=1),
    "floods: endless redirections": Case(elsewhere, "redirects"),
}


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as local:
        replay_recordings(local)
        yield local


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_other_ticker_loses_nothing(
    case: Case, server: HttpServer, tmp_path: Path, ledger: Ledger, request: pytest.FixtureRequest
) -> None:
    server.on(case.behaviour, symbol=FAULTY)
    product = product_at(server, tmp_path)
    bars = recorded_bars()
    asked = 0

    def told(snapshot: Snapshot) -> bool:
        notes = [view.note for view in snapshot.tickers] + [view.error or "" for view in snapshot.services]
        spoken = (
            any(case.says in note for note in notes)
            if case.says
            else written(snapshot, "dead_letter") >= case.dead_letters
        )
        return spoken and all(written(snapshot, name) >= len(bars) for name in ("stock_data", "indicators"))

    def run() -> None:
        nonlocal asked
        with product.running(HONEST, FAULTY, "--initial-load") as process:
            assert watch(product, process, told) is not None
            assert _memory(process.pid) < _MOST_MEMORY
            asked = len(server.requests)
            product.stop()
            assert process.wait(STOP_SECONDS) == 0

    await asyncio.to_thread(run)
    assert asked < 75, "the requests that a plan has for a minute"
    stored, rows = [await asyncio.to_thread(_bars_of, product, name) for name in ("stock_data", "indicators")]
    ledger.enter(f"an API that {request.node.callspec.id.partition(':')[0]}", compare(bars, stored, rows))


def recorded_bars() -> list[Bar]:
    """Of the honest ticker, as they were recorded."""
    found = []
    for interval, name in (("daily", "TIME_SERIES_DAILY"), ("1min", "TIME_SERIES_INTRADAY")):
        found += [_bar(interval, row) for row in data.rows_of(f"alpha_vantage/{name}.csv")]
    return found


def _bar(interval: Interval, row: dict[str, str]) -> Bar:
    ts = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=NEW_YORK)
    values = {name: float(row[name]) for name in ("open", "high", "low", "close", "volume")}
    return Bar(ticker=HONEST, interval=interval, ts=ts, source="alpha_vantage", **values)


def _bars_of(product: Product, collection: str) -> list[dict[str, Any]]:
    return [d for d in product.query(collection, HONEST) if d["interval"] != "quote"]


def _memory(pid: int) -> int:
    """Bytes that the process has had in memory at most."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
