"""Lint, format, types and import contracts are part of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
    ],
    ids=lambda command: " ".join(command),
)
def test_check(command: list[str]) -> None:
    tool = Path(sys.executable).with_name(command[0])
    result = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        # What the first paint waits for.
        ("fintrends_tui.cli", ["textual", "pandas", "numpy", "talib", "aiokafka", "motor", "sqlite3", "httpx"]),
        ("fintrends_tui.app", ["pandas", "numpy", "talib", "aiokafka", "motor", "httpx"]),
        # What `fintrends-tui schema` waits for.
        ("pipeline.contract.schemas", ["textual", "pandas", "numpy", "talib", "aiokafka", "motor", "sqlite3", "httpx"]),
        # What the first stored bar waits for.
        ("pipeline.runtime", ["textual", "rich", "pandas", "pandas_ta", "numba", "aiokafka", "motor"]),
    ],
)
def test_importing_it_does_not_load_what_is_not_needed_yet(module: str, forbidden: list[str]) -> None:
    script = f"import {module}, sys; print(*sorted(m for m in {forbidden!r} if m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_the_status_of_no_pipeline_waits_for_no_library_of_screens_commands_or_engines(tmp_path: Path) -> None:
    forbidden = ["textual", "rich", "cyclopts", "attrs", "asyncio", "sqlite3", "pipeline.contract.protocol", "pandas"]
    script = (
        "import atexit, sys; from fintrends_tui.__main__ import main; "
        f"atexit.register(lambda: print('loaded:', *(m for m in {forbidden!r} if m in sys.modules))); main()"
    )
    command = [sys.executable, "-c", script, "status", "--data-dir", str(tmp_path / "data")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stderr
    assert result.stdout.split("\n") == [
        "no pipeline is running",
        f"there is no {tmp_path}/data/store.sqlite yet; a pipeline creates it when it runs",
        "loaded:",
        "",
    ]


def test_nothing_of_a_secret_or_generated_kind_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = listed.stdout.split()
    assert not [n for n in names if n.endswith((".lock", ".pyc", ".sqlite", ".env")) or n.startswith(".venv/")]
