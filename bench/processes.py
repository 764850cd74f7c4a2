"""What a process and its children have used, by Linux's /proc."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """Seconds of CPU, user and system, of a process and all it has started; the MiB that they have, and had at their
    most."""

    seconds: float
    resident: float
    peak: float


def usage(pid: int) -> Usage:
    """Of the process, which runs."""
    ticks = resident = peak = 0
    for process in _tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # its own, and of children that have ended
        match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
        peak += int(match[1]) if match else 0
        resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), resident / 2**20, peak / 1024)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _tree(int(child))
