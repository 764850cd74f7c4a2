"""The recorded bars through the whole pipeline: each stored once, each with its indicators, whatever happens."""

import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.data import BARS, require
from tests.e2e.recorded import COUNTS, TICKERS, check_store, replay
from tests.e2e.run import Product


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def test_every_bar_is_stored_once_with_its_indicators_and_again_changes_nothing(product: Product) -> None:
    require(BARS)
    for _ in range(2):
        result = replay(product, BARS)
        assert result.returncode == 0, result.stderr
        check_store(product)
    assert product.query("dead_letter", "--last", 0) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffled_doubled_cut_and_killed_gives_the_same(product: Product, tmp_path: Path, seed: int) -> None:
    """The recordings are cut into runs of shuffled and doubled rows, and the pipeline is killed at random points."""
    rng = random.Random(seed)
    runs = _disturbed(tmp_path, rng)
    for directory in runs[:-1]:
        process = product.start(
            *TICKERS, "--no-ui", "--source", f"replay:{directory}", "--speed", "max", "--until-idle"
        )
        try:
            process.communicate(timeout=rng.uniform(1.0, 6.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    # What a killed run had not published yet is given again, as a live source would after a restart.
    for directory in runs:
        result = replay(product, directory)
        assert result.returncode == 0, result.stderr
    check_store(product)


def _disturbed(tmp_path: Path, rng: random.Random) -> list[Path]:
    runs = [tmp_path / f"run{number}" for number in range(3)]
    for run in runs:
        run.mkdir()
    for ticker in TICKERS:
        header, *rows = require(BARS / f"{ticker}_1min.csv").read_text().split("\n")
        rows += rng.sample(rows, len(rows) // 5)
        rng.shuffle(rows)
        cuts = sorted(rng.sample(range(len(rows)), 2))
        for run, part in zip(runs, (rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]), strict=True):
            (run / f"{ticker}_1min.csv").write_text("\n".join([header, *part]))
    return runs


def test_topics_and_offsets_are_as_promised(product: Product) -> None:
    require(BARS)
    assert replay(product, BARS).returncode == 0
    result = product.run("status")
    assert result.returncode == 3
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if " records" in line}
    for ticker, count in COUNTS.items():
        assert f" {count} records  lag: indicator-processor 0  sink 0" in lines[f"stock_data_{ticker.lower()}"]
        assert "lag: sink 0" in lines[f"indicators_{ticker.lower()}"]
    assert Counter(line.split()[-1] for line in lines.values()) == {"0": len(lines)}
