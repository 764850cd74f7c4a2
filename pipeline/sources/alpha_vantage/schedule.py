"""What to ask a provider next, and when, so that a budget is spent where it matters. Pure.

With a limit per day requests are rationed: what a ticker needs at first sight now, one end-of-day series a ticker
after each close, and the rest evenly over the hours of trading. Without one, everything is asked again at its pace,
slower where the rate does not carry it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.sources.base import FeedName
from pipeline.sources.market_hours import Session
from pipeline.sources.situation import LIVE_QUOTES, SETTLE, Kind, Situation, Slot, Task, key_of

BULK: Final = 100
"""Tickers that one request for quotes may name."""

LATE: Final = timedelta(hours=12)
"""Until a daily series is asked for again that should have had a newer bar."""
FINAL: Final = timedelta(minutes=1)
"""After the open or the close, until live data shows it."""
ECONOMIC_A_DAY: Final = 2
"""Economic series asked for on one day of a rationed budget."""
LOOKS_A_PERIOD: Final = 10
"""How often in its period a rationed budget looks for an economic series' next value: monthly ones every three days."""
LIVE_SHARE: Final = 0.8
"""The part of a rate that live data may be planned to take; the rest is for retries and initial loads."""
LOAD_SHARE: Final = 1 / 3
"""The part of a day's requests that initial loads may take while the market has not closed yet."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from one answer to the next question for the same."""

    stock: float
    news: float
    economy: float


class Planner:
    """Makes plans. `series` are the economic series with the time from one value to the next."""

    def __init__(
        self, pace: Pace, series: Mapping[str, timedelta], *, per_minute: int, per_day: int | None, zone: ZoneInfo
    ) -> None:
        self._pace = pace
        self._series = series
        self._per_minute = per_minute
        self._per_day = per_day
        self._zone = zone

    def next(self, situation: Situation, feed: FeedName) -> Slot | None:
        """What a feed shall ask next; what is due bears a time that is not later than now.

        None when there is nothing to ask before the budget's next day.
        """
        slots = self._paced(situation, feed) if self._per_day is None else self._rationed(situation, self._per_day)
        # Of what is due, the focused ticker first, and then what is due longest.
        return min(
            (
                _put_off(slot, situation)
                for slot in slots
                if slot.task.feed == feed and slot.task not in situation.under_way
            ),
            key=lambda s: (max(s.at, situation.now), situation.focus not in s.task.subjects, s.at),
            default=None,
        )

    def loads_left(self, s: Situation) -> int | None:
        """Requests that initial loads may take today; None where no day has a limit."""
        if self._per_day is None or s.left is None:
            return None
        spare = max(0, s.left - len(self._settling(s)))
        if self._market_to_come(s) is None:
            return spare
        share = int(self._per_day * LOAD_SHARE) - s.known.loads.get(self._today(s).date().isoformat(), 0)
        return max(0, min(spare, share))

    # Rationed

    def _rationed(self, s: Situation, per_day: int) -> list[Slot]:
        left = per_day if s.left is None else s.left
        settling = self._settling(s)
        tickers = self._focused_first(s)
        # Its bars first: they show whether there is such a ticker.
        seen = [ticker for ticker in tickers if s.since("daily", ticker) is not None]
        first = [Slot(s.now, Task("daily", (t,))) for t in tickers if t not in seen]
        if "news" not in s.lacking:
            first += [Slot(s.now, Task("news", (t,))) for t in seen if s.since("news", t) is None]
        first = first[: max(0, left - len(settling))]
        rest = left - len(settling) - len(first)
        if s.loading:
            rest -= self.loads_left(s) or 0
        return [*first, *settling[:left], *self._spread(s, rest)]

    def _settling(self, s: Situation) -> list[Slot]:
        """The daily series that are, or will be, due before the budget's day ends, of tickers seen before."""
        midnight = self._today(s) + timedelta(days=1)
        known = [ticker for ticker in self._focused_first(s) if s.since("daily", ticker) is not None]
        slots = [Slot(self._daily_due(s, ticker), Task("daily", (ticker,))) for ticker in known]
        return [slot for slot in slots if slot.at < midnight]

    def _spread(self, s: Situation, count: int) -> Iterator[Slot]:
        """The neediest of what changes all the time, at even distances over what remains of the day that matters."""
        begin, end = self._window(s)
        if count <= 0 or s.now >= end:
            return
        last = datetime.fromtimestamp(s.known.spread_at, s.now.tzinfo)
        begin = max(begin, min(last, s.now))
        step = (end - begin) / (count + 1)
        for number, task in enumerate(self._neediest(s)[:count], 1):
            yield Slot(begin + number * step, task)

    def _neediest(self, s: Situation) -> list[Task]:
        """Each task that may be worth a request, the longest unasked first; the focused ticker ages twice as fast."""
        kinds: list[Kind] = ["news"] if "news" not in s.lacking else []
        if self._market_to_come(s) is not None and LIVE_QUOTES not in s.lacking and "quote" not in s.lacking:
            kinds.append("quote")
        needs: list[tuple[float, Task]] = []
        for kind in kinds:
            for ticker in s.tickers:
                if s.since("daily", ticker) is None:
                    continue
                asked = s.since(kind, ticker)
                age = math.inf if asked is None else (s.now - asked).total_seconds()
                needs.append((age * (2 if ticker == s.focus else 1), Task(kind, (ticker,))))
        needs += [
            ((s.now - due).total_seconds() + self._pace.economy, task)
            for due, task in self._economic(s)
            if due <= s.now
        ][: self._economic_left(s)]
        return [task for _, task in sorted(needs, key=lambda need: -need[0])]

    def _economic_left(self, s: Situation) -> int:
        today = self._today(s)
        times = (s.since("economic", name) for name in self._series)
        return max(0, ECONOMIC_A_DAY - sum(asked is not None and asked >= today for asked in times))

    def _window(self, s: Situation) -> tuple[datetime, datetime]:
        """The session, as long as it is still to close; else what remains of the day."""
        today = self._today(s)
        session = self._market_to_come(s)
        if session is not None:
            return session.open, session.close
        closes = [session.close for session in s.sessions if today <= session.close <= s.now]
        # In UTC: between two times of one zone Python reckons by the face of the clock.
        begin, end = today.astimezone(UTC), (today + timedelta(days=1)).astimezone(UTC)
        return max([begin, *closes]), end

    # Paced

    def _paced(self, s: Situation, feed: FeedName) -> Iterator[Slot]:
        """Of what is due at once, prices come first."""
        pace, count = self._pace, len(s.tickers)
        single: Kind | None = "intraday" if "intraday" not in s.lacking else "quote" if "bulk" in s.lacking else None
        if single in s.lacking:
            single = None
        news = "news" not in s.lacking
        demand = 60 * count * ((1 / pace.stock if single else 0.0) + (1 / pace.news if news else 0.0))
        if "bulk" not in s.lacking:
            demand += 60 * math.ceil(count / BULK) / pace.stock
        slower = max(1.0, demand / (LIVE_SHARE * self._per_minute))
        factors = {ticker: 1.0 if ticker == s.focus else slower for ticker in s.tickers}
        if feed == "economic":
            yield from (Slot(due, task) for due, task in self._economic(s))
        elif feed == "news":
            for ticker, factor in factors.items() if news else ():
                yield Slot(_due(s.since("news", ticker), factor * pace.news, s.now), Task("news", (ticker,)))
        else:
            if "bulk" not in s.lacking:
                yield from self._bulk(s, slower * pace.stock)
            if single is not None:
                for ticker, factor in factors.items():
                    yield Slot(self._market_due(s, single, ticker, factor * pace.stock), Task(single, (ticker,)))
            for ticker in s.tickers:
                yield Slot(self._daily_due(s, ticker), Task("daily", (ticker,)))

    def _bulk(self, s: Situation, period: float) -> Iterator[Slot]:
        dues = sorted((self._market_due(s, "bulk", ticker, period), ticker) for ticker in s.tickers)
        for start in range(0, len(dues), BULK):
            group = dues[start : start + BULK]
            yield Slot(group[0][0], Task("bulk", tuple(ticker for _, ticker in group)))

    def _market_due(self, s: Situation, kind: Kind, ticker: str, period: float) -> datetime:
        """At its pace while there is trading, once more after the close, and then not before the next open."""
        asked = s.since(kind, ticker)
        if asked is None:
            return s.now
        nominal = asked + timedelta(seconds=period)
        for session in s.sessions:
            if asked < session.close + FINAL:
                return min(max(nominal, session.open + FINAL), session.close + FINAL)
        return nominal

    # Both

    def _daily_due(self, s: Situation, ticker: str) -> datetime:
        """When the next final bar can be had; sooner again where the last answer did not have the one it should."""
        asked = s.since("daily", ticker)
        if asked is None:
            return s.now
        settled = [(session.close + SETTLE, session.day) for session in s.sessions]
        due = next((at for at, _ in settled if at > asked), asked + timedelta(days=1))
        expected = [day for at, day in settled if at <= asked]
        newest = datetime.fromtimestamp(s.known.newest.get(key_of("daily", ticker), 0.0), self._zone).date()
        return min(due, asked + LATE) if expected and newest < expected[-1] else due

    def _economic(self, s: Situation) -> list[tuple[datetime, Task]]:
        """When each series can have a new value, or, from then on, when it is time to look again; soonest first.

        The value of a period bears its beginning and is published after its end: after the newest value's period and
        the whole of the next one there is news, not before.
        """
        dues: list[tuple[datetime, Task]] = []
        for name, period in self._series.items() if "economic" not in s.lacking else ():
            asked = s.since("economic", name)
            again = self._pace.economy
            if self._per_day is not None:
                again = max(again, period.total_seconds() / LOOKS_A_PERIOD)
            due = _due(asked, again, s.now)
            newest = s.known.newest.get(key_of("economic", name))
            if asked is not None and newest is not None:
                due = max(due, datetime.fromtimestamp(newest, s.now.tzinfo) + 2 * period)
            dues.append((due, Task("economic", (name,))))
        return sorted(dues, key=lambda item: item[0])

    def _focused_first(self, s: Situation) -> list[str]:
        return sorted(s.tickers, key=lambda ticker: ticker != s.focus)

    def _market_to_come(self, s: Situation) -> Session | None:
        """Today's session, as long as it has not closed."""
        today = self._today(s).date()
        return next((session for session in s.sessions if session.day == today and s.now < session.close), None)

    def _today(self, s: Situation) -> datetime:
        """The beginning of the provider's day."""
        return datetime.combine(s.now.astimezone(self._zone).date(), time(), self._zone)


def _put_off(slot: Slot, s: Situation) -> Slot:
    return Slot(max(slot.at, s.put_off.get(slot.task, slot.at)), slot.task)


def _due(asked: datetime | None, seconds: float, now: datetime) -> datetime:
    return now if asked is None else asked + timedelta(seconds=seconds)
