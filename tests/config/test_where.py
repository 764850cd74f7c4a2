"""Flags that are read without the command line's library are read as that does, or left to it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.cli import app
from pipeline.config.where import Where, plainly

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
