"""The recorded week of 1-minute bars, replayed through the product, and what must then be stored."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.messages import INDICATOR_FIELDS, Bar
from pipeline.series import Series
from tests.data import NEW_YORK, recorded_bars
from tests.e2e.run import Product

COUNTS = {"AAPL": 1948, "MSFT": 1948, "TSLA": 1946}
TICKERS = tuple(COUNTS)


def replay(product: Product, directory: Path) -> subprocess.CompletedProcess[str]:
    return product.run(*TICKERS, "--no-ui", "--source", f"replay:{directory}", "--speed", "max", "--until-idle")


def check_store(product: Product) -> None:
    """Every bar once, with its values; one row of indicators for each, equal to the batch over the whole series."""
    for ticker, count in COUNTS.items():
        truth = recorded_bars(ticker)
        assert len(truth) == count
        check_ticker(product, truth)


def check_ticker(product: Product, truth: list[Bar]) -> None:
    """The same of one ticker's 1-minute bars; `truth` is all of them, oldest first."""
    ticker = truth[0].ticker
    bars = product.query("stock_data", ticker, "--last", 0, "--interval", "1min")
    assert len(bars) == len(truth)
    for document, bar in zip(bars, truth, strict=True):
        assert document["_id"] == f"{ticker}|1min|{document['ts']}"
        assert all(document[field] == getattr(bar, field) for field in ("open", "high", "low", "close", "volume"))
    check_rows(product.query("indicators", ticker, "--last", 0, "--interval", "1min"), truth)


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
