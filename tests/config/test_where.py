"""Flags that are read without the command line's library are read as that does, or left to it."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui import __main__ as program
from fintrends_tui import entry
from fintrends_tui.cli import app, dashboard
from pipeline.config.cli_options import RUN_DEFAULTS
from pipeline.config.where import Where, plainly
from pipeline.model.tickers import parse_tickers

_FLAGS = ("--config", "--data-dir", "--log-level", "--kafka", "--mongodb", "--namespace", "--json", "--help", "-h", "x")
_VALUES = ("a", "./b/../c", "~/d", "info", "warning", "INFO", "localhost:9092", "", "-1", "--config", "a=b", "é x")


def test_all_flags() -> None:
    words = [
        "--config",
        "c.toml",
        "--data-dir",
        "d",
        "--log-level",
        "debug",
        "--kafka",
        "k:1",
        "--mongodb",
        "mongodb://m",
        "--namespace",
        "n",
    ]
    assert plainly(words) == Where(
        config=Path("c.toml"),
        data_dir=Path("d"),
        log_level="debug",
        kafka="k:1",
        mongodb="mongodb://m",
        namespace="n",
    )
    assert plainly([]) == Where()


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--data-dir"],
        ["--data-dir", "--help"],
        ["--data-dir=d"],
        ["--data-dir", "a", "--data-dir", "b"],
        ["--log-level", "loud"],
        ["AAPL", "MSFT"],
        ["--data-dir", "d", "AAPL"],
    ],
)
def test_whatever_is_not_plain_is_left_to_the_library(words: list[str]) -> None:
    assert plainly(words) is None


@given(st.lists(st.one_of(st.sampled_from(_FLAGS), st.sampled_from(_VALUES)), max_size=6))
def test_what_is_read_is_what_the_library_reads(words: list[str]) -> None:
    where = plainly(words)
    if where is not None:
        _, bound, _ = app.parse_args(["status", *words], exit_on_error=False, print_error=False)
        assert bound.arguments.get("where", Where()) == where


_TICKERS = (
    "AAPL",
    "BRK.B",
    "^GSPC",
    "aapl",
    "status",
    "STATUS",
    "AAPL,MSFT",
    "$AAPL",
    "BTC-USD",
    "7203.T",
    "--no-ui",
    "x",
)


@given(st.lists(st.sampled_from(_TICKERS), max_size=4), st.lists(st.sampled_from((*_FLAGS, *_VALUES)), max_size=4))
def test_a_plain_dashboard_is_the_one_that_the_library_reads(tickers: list[str], words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry, "no_terminal", lambda: "")
        shown: list[tuple[object, ...]] = []

        def show(_: object, *given: object) -> int:
            shown.append(given)
            return 0

        patch.setattr(entry, "show", show)
        patch.setattr(program, "load", lambda config, layer: (config, layer))
        patch.setattr(program, "hand_over", lambda where: shown.append((where,)))
        plain = program._plain_dashboard([*tickers, *words])
        if plain is None:
            return
        plain()
    command, bound, _ = app.parse_args([*tickers, *words], exit_on_error=False, print_error=False)
    assert command is dashboard
    assert set(bound.arguments) <= {"tickers", "flags"}
    flags = bound.arguments.get("flags", RUN_DEFAULTS)
    assert flags.run_arguments() == [], "nothing that it does not read"
    (where,), (symbols, arguments) = shown
    assert Where(**asdict(where)) == Where(**{name: getattr(flags, name) for name in asdict(where)})
    assert symbols == parse_tickers(bound.arguments.get("tickers", ()))
    assert arguments == Where.arguments(flags)


def test_a_plain_dashboard_does_not_load_the_library() -> None:
    code = """
import sys
from fintrends_tui import __main__ as program, entry
entry.no_terminal = lambda: ""
assert program._plain_dashboard(["AAPL", "--data-dir", "d"]) is not None
import fintrends_tui.run
sys.exit("cyclopts" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
