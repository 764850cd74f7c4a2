"""Rates and latencies over a sliding window, cheap enough to be fed by every batch."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW: Final = 5
"""Seconds that a rate looks back on."""
HISTORY: Final = 60
"""Seconds that a sparkline shows."""


class RateMeter:
    """Events a second, counted by whole seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._started = monotonic()
        self._seconds: deque[tuple[int, int]] = deque(maxlen=HISTORY + 1)
        self.total = 0

    def add(self, count: int) -> None:
        if not count:
            return
        self.total += count
        second = int(self._monotonic())
        if self._seconds and self._seconds[-1][0] == second:
            count += self._seconds.pop()[1]
        self._seconds.append((second, count))

    def per_second(self) -> float:
        """The mean over the last `WINDOW` whole seconds, or over the time since the start where that is shorter."""
        now = self._monotonic()
        events = 0
        for second, count in reversed(self._seconds):
            if second < int(now) - WINDOW:
                break
            events += count
        elapsed = min(WINDOW + now % 1, now - self._started)
        return events / max(elapsed, 1.0)

    def history(self) -> list[float]:
        """Events in each of the last `HISTORY` whole seconds, oldest first."""
        now = int(self._monotonic())
        counts = dict(self._seconds)
        return [float(counts.get(second, 0)) for second in range(now - HISTORY, now)]


class Latency:
    """Quantiles of the last 1,024 measurements, in seconds."""

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=1024)

    def add(self, seconds: float) -> None:
        self._samples.append(seconds)

    def quantile(self, q: float) -> float | None:
        """The nearest-rank quantile, 0 ≤ q ≤ 1; None before the first measurement."""
        if not self._samples:
            return None
        ordered = sorted(self._samples)
        return ordered[min(int(q * len(ordered)), len(ordered) - 1)]
