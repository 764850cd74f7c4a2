"""What trades before the open and after the close: which of its bars are of the regular session. Pure."""

from bisect import bisect_left
from collections.abc import Callable
from datetime import date
from typing import Literal, NamedTuple

from pipeline.analytics.columns import BarColumns
from pipeline.model.sessions import Session
from pipeline.model.times import microseconds

Part = Literal["pre", "post"]
SessionOf = Callable[[date], Session | None]
"""The regular session of a day; None on a day without one."""


class Extended(NamedTuple):
    """A price of before the open or after the close. `as_of` is in microseconds since the epoch."""

    as_of: int
    price: float
    part: Part


class RegularHours:
    """The regular sessions of one ticker, by the days of its exchange. A bar is labelled with its beginning."""

    def __init__(self, session_of: SessionOf) -> None:
        self.session_of = session_of

    def until_last(self, bars: BarColumns, stop: int) -> int:
        """How many of the first `stop` bars there are up to the last that is of a regular session."""
        while stop > 0:
            day = bars.session[stop - 1]
            session = self.session_of(date.fromordinal(day))
            if session is not None:
                begin = bars.before(day)
                end = bisect_left(bars.ts, microseconds(session.close), begin, stop)
                if end > begin and bars.ts[end - 1] >= microseconds(session.open):
                    return end
            stop = bars.before(day)
        return 0

    def extended(self, bars: BarColumns, index: int) -> Extended:
        """The bar, which is not of a regular session, as a price."""
        session = self.session_of(date.fromordinal(bars.session[index]))
        is_early = session is not None and bars.ts[index] < microseconds(session.open)
        return Extended(bars.observed(index), bars.close[index], "pre" if is_early else "post")
