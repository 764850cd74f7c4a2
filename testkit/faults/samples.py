"""What a long run takes, looked at twice a second from outside: memory, handles, threads, lag, files. Linux only."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PERIOD = 0.5
MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """`at` in seconds since the run began; `life` counts the pipeline's processes. Sizes in bytes; None is unknown."""

    at: float
    life: int
    lag: int | None
    memory: int
    handles: int
    threads: int
    databases: int
    logs: int
    screen: int | None


def resident(pid: int) -> int:
    """Bytes in memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def entries(pid: int, what: str) -> int:
    """How many handles (`fd`) or threads (`task`) a process has."""
    return len(os.listdir(f"/proc/{pid}/{what}"))  # noqa: PTH208 - half the price, twice a second


def size_of(directory: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in directory.glob(pattern))


@dataclass(frozen=True)
class Memory:
    """Of one process: bytes when it had caught up, medians of the second and the last third of its life, the most."""

    first: float
    second_third: float
    last_third: float
    most: float

    @property
    def growth(self) -> float:
        """Of the last third over the second, as a share."""
        return self.last_third / self.second_third - 1

    @classmethod
    def of(cls, values: Sequence[float]) -> "Memory":
        third = len(values) // 3
        return cls(
            values[0], statistics.median(values[third : 2 * third]), statistics.median(values[-third:]), max(values)
        )
