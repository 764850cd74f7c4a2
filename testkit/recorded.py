"""The recorded week of 1-minute bars, replayed through the product, and what must then be stored."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.analytics.series import Series
from pipeline.model.messages import INDICATOR_FIELDS, Bar
from testkit.data import BARS, NEW_YORK, recorded_bars, require
from testkit.product import Product

COUNTS = {"AAPL": 1948, "MSFT": 1948, "TSLA": 1946}
TICKERS = tuple(COUNTS)
MINUTES = 600


def replay(product: Product, directory: Path) -> subprocess.CompletedProcess[str]:
    return product.run(*TICKERS, "--no-ui", "--source", f"replay:{directory}", "--speed", "max", "--until-idle")


def last_minutes(directory: Path, count: int = MINUTES) -> Path:
    """A directory with the last so many bars of each ticker: two sessions, for what takes long with all of them."""
    directory.mkdir(exist_ok=True)
    for ticker in TICKERS:
        header, *rows = require(BARS / f"{ticker}_1min.csv").read_text().splitlines(keepends=True)
        rows.sort()  # by their times
        (directory / f"{ticker}_1min.csv").write_text("".join([header, *rows[-count:]]))
    return directory


def check_store(product: Product, count: int | None = None) -> None:
    """Every bar once, with its values; one row of indicators for each, equal to the batch over the whole series. Of the
    last `count` bars of each ticker, by default of all."""
    for ticker, of_all in COUNTS.items():
        truth = recorded_bars(ticker)
        assert len(truth) == of_all
        check_ticker(product, truth[-(count or of_all) :])


def check_ticker(product: Product, truth: list[Bar]) -> None:
    """The same of one ticker's 1-minute bars; `truth` is all of them, oldest first."""
    ticker = truth[0].ticker
    bars = product.query("stock_data", ticker, interval="1min")
    assert len(bars) == len(truth)
    for document, bar in zip(bars, truth, strict=True):
        assert document["_id"] == f"{ticker}|1min|{document['source']}|{document['ts']}"
        assert all(document[field] == getattr(bar, field) for field in ("open", "high", "low", "close", "volume"))
    check_rows(product.query("indicators", ticker, interval="1min"), truth)


def check_rows(rows: list[dict[str, Any]], truth: list[Bar]) -> None:
    expected = Series(truth[0].ticker, truth[0].interval, NEW_YORK).merge(truth)
    assert len(rows) == len(expected)
    for row, reference in zip(rows, expected, strict=True):
        for field in INDICATOR_FIELDS:
            value, wanted = row[field], getattr(reference, field)
            if wanted is None:
                assert value is None, (row["_id"], field)
            else:
                assert value == pytest.approx(wanted, rel=1e-9, abs=1e-12), (row["_id"], field)
