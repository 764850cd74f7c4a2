"""The recorded bars through the whole pipeline: each stored once, each with its indicators, whatever happens."""

import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from testkit.data import BARS, require
from testkit.forked import ForkedProduct
from testkit.product import Product
from testkit.recorded import COUNTS, MINUTES, TICKERS, check_store, last_minutes, replay


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return ForkedProduct(tmp_path)


def test_every_bar_is_stored_once_with_its_indicators_and_again_changes_nothing(product: Product) -> None:
    require(BARS)
    for _ in range(2):
        result = replay(product, BARS)
        assert result.returncode == 0, result.stderr
        check_store(product)
    assert product.query("dead_letter") == []
    status = product.run("status")
    assert status.returncode == 3
    lines = {line.split()[0]: line for line in status.stdout.splitlines() if " records" in line}
    for ticker, count in COUNTS.items():
        assert (
            f" {2 * count} records  lag: indicator-processor 0  forecast-processor 0  sink 0"
            in lines[f"stock_data_{ticker.lower()}"]
        )
        assert "lag: sink 0" in lines[f"indicators_{ticker.lower()}"]
    assert Counter(line.split()[-1] for line in lines.values()) == {"0": len(lines)}, "topics are as promised"


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.daily) for seed in (2, 3))])
def test_shuffled_doubled_cut_and_killed_gives_the_same(product: Product, tmp_path: Path, seed: int) -> None:
    """The recordings are cut into runs of shuffled and doubled rows, and the pipeline is killed at random points."""
    rng = random.Random(seed)
    runs = _disturbed(tmp_path, rng)
    for directory in runs[:-1]:
        process = product.start(
            *TICKERS, "--no-ui", "--source", f"replay:{directory}", "--speed", "max", "--until-idle"
        )
        try:
            process.communicate(timeout=rng.uniform(1.0, 3.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    # What a killed run had not published yet is given again, as a live source would after a restart.
    for directory in runs:
        result = replay(product, directory)
        assert result.returncode == 0, result.stderr
    check_store(product, MINUTES)


def _disturbed(tmp_path: Path, rng: random.Random) -> list[Path]:
    runs = [tmp_path / f"run{number}" for number in range(3)]
    for run in runs:
        run.mkdir()
    recording = last_minutes(tmp_path / "recording")
    for ticker in TICKERS:
        header, *rows = (recording / f"{ticker}_1min.csv").read_text().rstrip().split("\n")
        rows += rng.sample(rows, len(rows) // 5)
        rng.shuffle(rows)
        cuts = sorted(rng.sample(range(len(rows)), 2))
        for run, part in zip(runs, (rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]), strict=True):
            (run / f"{ticker}_1min.csv").write_text("\n".join([header, *part]))
    return runs


@pytest.mark.parametrize("interval", ["1min", "daily"])
def test_a_file_that_gives_no_bar_is_a_failure_and_the_others_are_stored(
    product: Product, tmp_path: Path, interval: str
) -> None:
    header, good = "Date,Open,High,Low,Close,Volume", "2024-03-04 10:00,10,11,9,10,100"
    for ticker, rows in (("GOOD", [good]), ("BAD", ["04.03.24,10,11,9,10,100"] * 3), ("HTML", [])):
        for name in ("1min", "daily"):
            broken = name == interval and ticker != "GOOD"
            lines = [header if rows or not broken else "<!DOCTYPE html>", *(rows if broken else [good])]
            (tmp_path / f"{ticker}_{name}.csv").write_text("\n".join(lines))
    result = product.run(
        "GOOD", "BAD", "HTML", "--no-ui", "--initial-load", "--source", f"replay:{tmp_path}", "--speed", "max",
        "--until-idle",
    )  # fmt: skip
    assert result.returncode == 1
    assert f"BAD_{interval}.csv" in result.stderr
    assert "line 2: datetime '04.03.24'" in result.stderr
    assert "it is HTML" in result.stderr
    stored = [(bar["ticker"], bar["interval"]) for bar in product.query("stock_data")]
    other = "daily" if interval == "1min" else "1min"
    assert sorted(stored) == sorted([("GOOD", "1min"), ("GOOD", "daily"), ("BAD", other), ("HTML", other)])
    assert len(product.query("dead_letter")) == 3
