"""When something trades: sessions, and which part of the day it is. Pure; times are UTC."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.model.instruments import UNITED_STATES, asset_class

Phase = Literal["pre", "regular", "post", "closed"]

_NEW_YORK: Final = ZoneInfo(UNITED_STATES.zone)
# Shares in the United States trade before the open and after the close, half days included.
_BEFORE: Final = timedelta(hours=5, minutes=30)
_AFTER: Final = timedelta(hours=4)
_USUALLY: Final = (time(9, 30), time(16))
_WEEK_TURNS: Final = time(17)
"""In New York, on Sundays and Fridays, currencies begin and end their week."""
_SUNDAY: Final = 6
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """One day of trading, or of currencies one week. `pause` is the exchange's lunch, where it has one."""

    day: date
    open: datetime
    close: datetime
    pause: tuple[datetime, datetime] | None = None


class MarketStatus(NamedTuple):
    """Which part of the day it is. `until` is when regular trading ends, or if it is not on, begins; None where that
    is never, or not known."""

    phase: Phase
    until: datetime | None = None


ALWAYS: Final = MarketStatus("regular")


def has_extended_hours(ticker: str) -> bool:
    """Whether it trades before the open and after the close."""
    return asset_class(ticker) == "us_share"


def trading_at(now: datetime, sessions: Sequence[Session], *, extended: bool = False) -> MarketStatus | None:
    """What part of the day it is; None if the sessions, oldest first, do not reach to now. `extended` for what trades
    before and after them."""
    if not sessions or now < sessions[0].open:
        return None
    for open_, close in _spans(sessions):
        if open_ <= now < close:
            return MarketStatus("regular", close)
        if now < open_:
            return MarketStatus(_beside(now, sessions) if extended else "closed", open_)
    return None


def _beside(now: datetime, sessions: Sequence[Session]) -> Phase:
    if any(session.open - _BEFORE <= now < session.open for session in sessions):
        return "pre"
    return "post" if any(session.close <= now < session.close + _AFTER for session in sessions) else "closed"


def _spans(sessions: Sequence[Session]) -> Iterator[tuple[datetime, datetime]]:
    """Times of trading without a gap: sessions in two where they pause, and joined where one begins as another ends."""
    begin = end = None
    for session in sessions:
        first, last = session.pause or (session.close, session.close)
        for open_, close in ((session.open, first), (last, session.close)):
            if open_ == close:
                continue
            if end is not None and open_ <= end:
                end = close
                continue
            if begin is not None and end is not None:
                yield begin, end
            begin, end = open_, close
    if begin is not None and end is not None:
        yield begin, end


def weeks_of_currencies(day: date, around: timedelta) -> tuple[Session, ...]:
    """The weeks of currency trading that begin within `around` of the day: from Sunday to Friday, at five in the
    afternoon in New York."""
    days = (day - around + i * _DAY for i in range(2 * around.days + 1))
    sundays = [day for day in days if day.weekday() == _SUNDAY]
    return tuple(Session(sunday + _DAY, _at(sunday), _at(sunday + 5 * _DAY)) for sunday in sundays)


def _at(day: date, hour: time = _WEEK_TURNS) -> datetime:
    return datetime.combine(day, hour, _NEW_YORK).astimezone(UTC)


def usual_session(ticker: str, day: date) -> Session | None:
    """The regular session of a day that is no holiday, of what trades outside of it too; None for anything else."""
    if not has_extended_hours(ticker):
        return None
    opening, closing = _USUALLY
    return Session(day, _at(day, opening), _at(day, closing))
