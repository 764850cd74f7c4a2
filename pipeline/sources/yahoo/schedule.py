"""Which question is asked next, of which ticker. No I/O. Times in seconds of a clock that never goes back."""

import math
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from pipeline.sources.yahoo.history import Part

MAX_AGE: Final = 10.0
"""Seconds that Yahoo's caches keep a reply: to ask earlier gives the same."""
FOCUS: Final = 15.0
"""From one answer to the next question about the ticker that is looked at, where the others wait longer."""
CLOSED: Final = 300.0
"""As much while the exchange is closed."""
DAILY: Final = 6 * 3600.0
"""From one look at the daily bars to the next."""

Kind = Literal["live", "daily", "again"]


class Question(NamedTuple):
    """A question: for the day's bars and price, for the newest daily bars, or for a part of the history once more."""

    ticker: str
    kind: Kind
    part: Part | None = None


@dataclass(slots=True)
class _Plan:
    """Of one ticker: when it is due, by kind."""

    live: float = -math.inf
    live_in_focus: float = -math.inf
    """As `live`, while it is the ticker that is looked at."""
    daily: float = math.inf
    again: float = math.inf
    parts: deque[Part] = field(default_factory=deque)
    asking: bool = False

    def due(self, focused: bool) -> float:
        """When the first question is due."""
        return min(self.live_in_focus if focused else self.live, self.daily, self.again)

    def kind(self, focused: bool) -> Kind:
        """Which that is; of two at the same time the one that stands before."""
        at = self.due(focused)
        if at == (self.live_in_focus if focused else self.live):
            return "live"
        return "daily" if at == self.daily else "again"


class Schedule:
    """The longest due first, and the focus before all. A ticker is asked one question at a time."""

    def __init__(self, period: float) -> None:
        """`period` is from one answer to the next question about a ticker whose exchange is open."""
        self._period = max(period, MAX_AGE)
        self._plans: dict[str, _Plan] = {}

    def watch(self, tickers: Collection[str]) -> None:
        """Follow these and no others. A new one is due at once."""
        for gone in self._plans.keys() - set(tickers):
            del self._plans[gone]
        for ticker in tickers:
            self._plans.setdefault(ticker, _Plan())

    def next(self, focus: str | None, now: float) -> tuple[Question | None, float]:
        """The question that is due, or None and the time until one is (infinite while all are being asked)."""
        first, at = None, math.inf
        for ticker, plan in self._plans.items():
            if plan.asking:
                continue
            due = plan.due(ticker == focus)
            if due < at or first is None:
                first, at = ticker, due
            if ticker == focus and due <= now:
                first, at = ticker, due
                break
        if first is None or at > now:
            return None, at - now
        plan = self._plans[first]
        kind = plan.kind(first == focus)
        return Question(first, kind, plan.parts[0] if kind == "again" else None), 0.0

    def asking(self, question: Question, asks: bool = True) -> None:
        """Say that the question is being asked, or no longer is."""
        if question.ticker in self._plans:
            self._plans[question.ticker].asking = asks

    def answered(self, question: Question, now: float, *, is_open: bool = True, opens_in: float | None = None) -> None:
        """Plan the next question of that kind. `opens_in` is when the exchange opens, where that is known."""
        plan = self._plans.get(question.ticker)
        if plan is None:
            return
        match question.kind:
            case "live":
                pause = self._period if is_open else max(MAX_AGE, min(CLOSED, opens_in or CLOSED))
                plan.live, plan.live_in_focus = now + pause, now + (min(FOCUS, pause) if is_open else pause)
                if plan.daily == math.inf:
                    plan.daily = now
            case "daily":
                plan.daily = now + DAILY
            case "again":
                if plan.parts and plan.parts[0] == question.part:
                    plan.parts.popleft()
                plan.again = now if plan.parts else math.inf

    def put_off(self, question: Question, now: float, seconds: float) -> None:
        """Ask the same again later."""
        plan = self._plans.get(question.ticker)
        if plan is None:
            return
        match question.kind:
            case "live":
                plan.live = plan.live_in_focus = now + seconds
            case "daily":
                plan.daily = now + seconds
            case "again":
                plan.again = now + seconds

    def daily_at(self, ticker: str, at: float) -> None:
        """Look at the daily bars then, if not earlier."""
        if ticker in self._plans:
            self._plans[ticker].daily = min(self._plans[ticker].daily, at)

    def again(self, ticker: str, parts: Iterable[Part], now: float) -> None:
        """Ask for these parts of its history."""
        if ticker in self._plans:
            self._plans[ticker].parts = deque(parts)
            self._plans[ticker].again = now

    def parts_left(self, ticker: str) -> Sequence[Part]:
        return tuple(self._plans[ticker].parts) if ticker in self._plans else ()
