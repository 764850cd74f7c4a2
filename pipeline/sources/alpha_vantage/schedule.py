"""What to ask a provider next, and when, so that a budget is spent where it matters. Pure.

With a limit per day requests are rationed: what a ticker needs at first sight now, one end-of-day series a ticker
after each close, and the rest evenly over the hours of trading. Without one, everything is asked again at its pace,
slower where the rate does not carry it.
"""

import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.model.sessions import Session
from pipeline.sources.alpha_vantage.plan_state import LIVE_QUOTES, SETTLE, Kind, PlannedRequest, PlanState, Task
from pipeline.sources.base import FeedName

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
class RefreshIntervals:
    """Seconds from one answer to the next question for the same."""

    stock: float
    news: float
    economy: float


class Planner:
    """Makes plans. `series` are the economic series with the time from one value to the next."""

    def __init__(
        self,
        pace: RefreshIntervals,
        series: Mapping[str, timedelta],
        *,
        per_minute: int,
        per_day: int | None,
        zone: ZoneInfo,
    ) -> None:
        self._pace = pace
        self._series = series
        self._per_minute = per_minute
        self._per_day = per_day
        self._zone = zone

    def kinds(self, lacking: AbstractSet[str]) -> list[Kind]:
        """What is asked of a single ticker, as far as the plan includes it; `bulk` is of many."""
        kinds: list[Kind] = ["daily", "intraday", "news"]
        if self._per_day is not None or "bulk" in lacking:
            kinds.append("quote")
        return [kind for kind in kinds if kind not in lacking]

    def next(self, state: PlanState, feed: FeedName) -> PlannedRequest | None:
        """What a feed is to ask next; a request that is due has a time that is not later than now.

        None when there is nothing to ask before the budget's next day.
        """
        requests = self._paced(state, feed) if self._per_day is None else self._rationed(state, self._per_day)
        # Of what is due, what has failed the least: each failure holds up all, and what goes on failing would take all
        # turns. Then the focused ticker, and what is due longest.
        return min(
            (
                _put_off(planned, state)
                for planned in requests
                if planned.task.feed == feed and planned.task not in state.under_way
            ),
            key=lambda s: (
                max(s.at, state.now),
                state.failures.get(s.task, 0),
                state.focus not in s.task.subjects,
                s.at,
            ),
            default=None,
        )

    def loads_left(self, s: PlanState) -> int | None:
        """Requests that initial loads may take today; None where no day has a limit."""
        if self._per_day is None or s.left is None:
            return None
        spare = max(0, s.left - len(self._settling(s)))
        if self._market_to_come(s) is None:
            return spare
        share = int(self._per_day * LOAD_SHARE) - s.known.loads.get(self._today(s).date().isoformat(), 0)
        return max(0, min(spare, share))

    # Rationed

    def _rationed(self, s: PlanState, per_day: int) -> list[PlannedRequest]:
        left = per_day if s.left is None else s.left
        settling = self._settling(s)
        tickers = self._focused_first(s)
        # Its bars first: they show whether there is such a ticker. Where they are refused, what else there is.
        closes = {ticker: _close_kind(s, ticker) for ticker in tickers}
        seen = [t for t, kind in closes.items() if kind is None or s.since(kind, t) is not None]
        first = [
            PlannedRequest(s.now, Task(kind, (t,))) for t, kind in closes.items() if kind is not None and t not in seen
        ]
        first += [
            PlannedRequest(s.now, Task("news", (t,))) for t in seen if s.can("news", t) and s.since("news", t) is None
        ]
        first = first[: max(0, left - len(settling))]
        rest = left - len(settling) - len(first)
        if s.loading:
            rest -= self.loads_left(s) or 0
        return [*first, *settling[:left], *self._spread(s, rest)]

    def _settling(self, s: PlanState) -> list[PlannedRequest]:
        """The final bars that are, or will be, due before the budget's day ends, of tickers seen before."""
        midnight = self._today(s) + timedelta(days=1)
        requests = [
            PlannedRequest(self._final_due(s, kind, ticker), Task(kind, (ticker,)))
            for ticker in self._focused_first(s)
            if (kind := _close_kind(s, ticker)) is not None and s.since(kind, ticker) is not None
        ]
        return [planned for planned in requests if planned.at < midnight]

    def _spread(self, s: PlanState, count: int) -> Iterator[PlannedRequest]:
        """The neediest of what changes all the time, at even distances over what remains of the day that matters."""
        begin, end = self._window(s)
        if count <= 0 or s.now >= end:
            return
        last = datetime.fromtimestamp(s.known.spread_at, s.now.tzinfo)
        begin = max(begin, min(last, s.now))
        step = (end - begin) / (count + 1)
        for number, task in enumerate(self._neediest(s)[:count], 1):
            yield PlannedRequest(begin + number * step, task)

    def _neediest(self, s: PlanState) -> list[Task]:
        """Each task that may be worth a request, the longest unasked first; the focused ticker ages twice as fast."""
        kinds: list[Kind] = ["news"] if "news" not in s.lacking else []
        if self._market_to_come(s) is not None and LIVE_QUOTES not in s.lacking and "quote" not in s.lacking:
            kinds.append("quote")
        needs: list[tuple[float, Task]] = []
        for kind in kinds:
            for ticker in s.tickers:
                close = _close_kind(s, ticker)
                if not s.can(kind, ticker) or (close is not None and s.since(close, ticker) is None):
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

    def _economic_left(self, s: PlanState) -> int:
        today = self._today(s)
        times = (s.since("economic", name) for name in self._series)
        return max(0, ECONOMIC_A_DAY - sum(asked is not None and asked >= today for asked in times))

    def _window(self, s: PlanState) -> tuple[datetime, datetime]:
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

    def _paced(self, s: PlanState, feed: FeedName) -> Iterator[PlannedRequest]:
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
            yield from (PlannedRequest(due, task) for due, task in self._economic(s))
        elif feed == "news":
            for ticker, factor in factors.items() if news else ():
                if s.can("news", ticker):
                    yield PlannedRequest(
                        _due(s.since("news", ticker), factor * pace.news, s.now), Task("news", (ticker,))
                    )
        else:
            if "bulk" not in s.lacking:
                yield from self._bulk(s, slower * pace.stock)
            if single is not None:
                for ticker, factor in factors.items():
                    kind: Kind = single if s.can(single, ticker) else "quote"
                    if s.can(kind, ticker) and (kind == single or "bulk" in s.lacking):
                        yield PlannedRequest(
                            self._market_due(s, kind, ticker, factor * pace.stock), Task(kind, (ticker,))
                        )
            for ticker in s.tickers:
                if s.can("daily", ticker):
                    yield PlannedRequest(self._final_due(s, "daily", ticker), Task("daily", (ticker,)))

    def _bulk(self, s: PlanState, period: float) -> Iterator[PlannedRequest]:
        dues = sorted((self._market_due(s, "bulk", ticker, period), ticker) for ticker in s.tickers)
        for start in range(0, len(dues), BULK):
            group = dues[start : start + BULK]
            yield PlannedRequest(group[0][0], Task("bulk", tuple(ticker for _, ticker in group)))

    def _market_due(self, s: PlanState, kind: Kind, ticker: str, period: float) -> datetime:
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

    def _final_due(self, s: PlanState, kind: Kind, ticker: str) -> datetime:
        """When the next final bar can be had; sooner again where the last answer did not have the one it should."""
        asked = s.since(kind, ticker)
        if asked is None:
            return s.now
        settled = [(session.close + SETTLE, session.day) for session in s.sessions]
        due = next((at for at, _ in settled if at > asked), asked + timedelta(days=1))
        expected = [day for at, day in settled if at <= asked]
        newest = s.newest(kind, ticker)
        late = expected and (newest is None or newest.astimezone(self._zone).date() < expected[-1])
        return min(due, asked + LATE) if late else due

    def _economic(self, s: PlanState) -> list[tuple[datetime, Task]]:
        """When each series can have a new value, or, from then on, when it is time to look again; soonest first.

        The value of a period has its beginning as its time and is published after its end: after the newest value's
        period and the whole of the next one there is news, not before.
        """
        dues: list[tuple[datetime, Task]] = []
        for name, period in self._series.items() if "economic" not in s.lacking else ():
            asked = s.since("economic", name)
            again = self._pace.economy
            if self._per_day is not None:
                again = max(again, period.total_seconds() / LOOKS_A_PERIOD)
            due = _due(asked, again, s.now)
            newest = s.newest("economic", name)
            if asked is not None and newest is not None:
                due = max(due, newest + 2 * period)
            dues.append((due, Task("economic", (name,))))
        return sorted(dues, key=lambda item: item[0])

    def _focused_first(self, s: PlanState) -> list[str]:
        return sorted(s.tickers, key=lambda ticker: ticker != s.focus)

    def _market_to_come(self, s: PlanState) -> Session | None:
        """Today's session, as long as it has not closed."""
        today = self._today(s).date()
        return next((session for session in s.sessions if session.day == today and s.now < session.close), None)

    def _today(self, s: PlanState) -> datetime:
        """The beginning of the provider's day."""
        return datetime.combine(s.now.astimezone(self._zone).date(), time(), self._zone)


def _close_kind(s: PlanState, ticker: str) -> Kind | None:
    """Where the price of a close comes from: the quote, where there are no daily bars of the ticker."""
    kinds: tuple[Kind, ...] = ("daily", "quote")
    return next((kind for kind in kinds if s.can(kind, ticker)), None)


def _put_off(planned: PlannedRequest, s: PlanState) -> PlannedRequest:
    return PlannedRequest(max(planned.at, s.put_off.get(planned.task, planned.at)), planned.task)


def _due(asked: datetime | None, seconds: float, now: datetime) -> datetime:
    return now if asked is None else asked + timedelta(seconds=seconds)
