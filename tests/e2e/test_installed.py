"""The program as people install it: a wheel, in an environment that holds nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fintrends_tui import __version__

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's directory."""
    if UV is None:
        pytest.skip("uv is not on the PATH")
    directory = tmp_path_factory.mktemp("installed")
    run(UV, "build", "--wheel", "--out-dir", directory / "wheels", ROOT)
    (wheel,) = (directory / "wheels").glob("*.whl")
    run(UV, "venv", "--python", sys.executable, directory / "env")
    run(UV, "pip", "install", "--python", directory / "env", wheel)
    return directory / "env"


def run(*command: object, **environment: str) -> str:
    """What it printed; it has to end with 0."""
    result = subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | environment,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_it_says_its_version(installed: Path) -> None:
    assert run(installed / "bin" / "fintrends-tui", "--version").strip() == __version__


def test_it_runs_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    program, where = installed / "bin" / "fintrends-tui", ("--data-dir", tmp_path / "data")
    simulated = ("--source", "simulator", "--speed", "max")
    run(program, "AAPL", "--no-ui", *simulated, "--initial-load", "--until-idle", *where, HOME=str(tmp_path))
    rows = run(program, "query", "indicators", "AAPL", "--last", "5", "--format", "json", *where, HOME=str(tmp_path))
    assert rows.count('"rsi_14"') == 5


def test_it_brings_its_man_page_and_its_types(installed: Path) -> None:
    assert "fintrends" in (installed / "share" / "man" / "man1" / "fintrends-tui.1").read_text("utf-8")
    (packages,) = installed.glob("lib/python*/site-packages")
    assert all((packages / package / "py.typed").exists() for package in ("pipeline", "fintrends_tui"))
    assert not (packages / "tests").exists()


def test_it_brings_what_the_demo_and_the_server_for_browsers_read(installed: Path) -> None:
    (packages,) = installed.glob("lib/python*/site-packages")
    assert (packages / "pipeline" / "sources" / "demo" / "hour.jsonl.gz").exists()
    assert {path.name for path in (packages / "fintrends_tui" / "web" / "static").iterdir()} == {"web.css", "web.js"}
    said = run(installed / "bin" / "python", "-c", "import fintrends_tui.cli as c; print(c.web())")
    assert "pip install 'fintrends-tui[web]'" in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_completes_words_in_the_shell(installed: Path, tmp_path: Path, shell: str) -> None:
    program = installed / "bin" / "fintrends-tui"
    run(program, "--install-completion", "--shell", shell, HOME=str(tmp_path), SHELL=f"/bin/{shell}")
    scripts = [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert any("until-idle" in script and "doctor" in script for script in scripts)
    if shell == "bash":
        for path in tmp_path.rglob("fintrends-tui"):
            run("bash", "-n", path)
