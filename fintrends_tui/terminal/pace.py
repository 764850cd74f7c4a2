"""How often a terminal can be painted. Pure; knows no terminal."""

from typing import Final

_SLOWEST: Final = 4.0
"""Seconds between two paints of a terminal that barely keeps up."""
_SLOW: Final = 1.0
"""Seconds between two paints from which on a terminal is called slow."""
_LOST: Final = 10.0
"""Seconds after which an answer is taken to be lost."""
_RECOVERY: Final = 5
"""Paints in time, one after the other, that allow for twice as many."""


class FramePacer:
    """Lets one paint at a time be under way: the next is not due before the terminal has shown the last.

    A paint is followed by a question, which a terminal answers when it has come that far; so what lies in the buffers
    of a slow connection counts, too. Each time one is still under way when the next would be due, the interval doubles;
    after some in time it halves. A terminal that never answers is judged by whether it takes output at all.
    """

    def __init__(self, interval: float) -> None:
        """`interval`: the least seconds between two paints."""
        self._least = interval
        self._interval = interval
        self._painted_at = float("-inf")
        self._asked_at: float | None = None
        self._answers = False
        self._in_time = 0
        self._held = False
        self.is_slow = False
        """Whether the terminal is painted once a second or less, or has been and does not keep up again yet: one that
        is about as fast as that would else be called slow every other moment."""

    def due(self, now: float, *, writable: bool) -> bool:
        """Whether to paint now."""
        if now - self._painted_at < self._interval - 1e-3:
            return False
        waiting = self._answers and self._asked_at is not None and now - self._asked_at < _LOST
        if waiting or not writable:
            if not self._held:
                self._held = True
                self._in_time = 0
                self._interval = min(max(_SLOWEST, self._least), self._interval * 2)
                self.is_slow = self.is_slow or self._interval >= _SLOW
            return False
        return True

    def painted(self, now: float) -> bool:
        """A paint was sent; whether to send the question, too: there is one under way at most."""
        if self._held:
            self._held = False
        else:
            self._in_time += 1
            if self._in_time >= _RECOVERY:
                self._in_time = 0
                self._interval = max(self._least, self._interval / 2)
                self.is_slow = self.is_slow and self._interval > self._least
        self._painted_at = now
        if self._asked_at is not None and now - self._asked_at < _LOST:
            return False
        self._asked_at = now
        return True

    def answered(self) -> None:
        """The terminal has answered: the paint is seen."""
        self._answers = True
        self._asked_at = None
