"""The file of positions, where there is one."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.finding import Finding, ok, warning
from pipeline.storage.positions_file import PositionsFile


def positions(path: Path | None) -> Iterator[Finding]:
    """What is wrong with it keeps nothing from working but what it is about."""
    if path is None or not os.path.lexists(path):
        return
    book = PositionsFile(path).current()
    yield ok(f"{path} has {len(book.lots)} of your lots")
    for problem in book.problems:
        yield warning("not all positions are counted", problem, "correct it in the file; it is read again at once")
    if book.advice:
        said, _, fix = book.advice.partition("; ")
        yield warning("your positions are not private", said, fix)
