"""The calendar library, in a process of its own: with pandas it takes seconds to import and 80 MB to keep, for a few
sessions now and then.

`python -m pipeline.sources.calendar_library NAME DAY` prints what `sessions_around` returns, as JSON.
"""

import asyncio
import sys
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from pipeline.model.sessions import Session

AROUND: Final = timedelta(days=21)
"""How far to both sides of the day the calendar is built: a fortnight without trading has never been."""
_SESSIONS: Final = msgspec.json.Decoder(tuple[Session, ...])


async def sessions_elsewhere(day: date, name: str) -> tuple[Session, ...]:
    """As `sessions_around`; here only where pandas has been imported for something else.

    Raises:
        Exception: of whatever type, what the library says of the calendar.
    """
    if "pandas" in sys.modules:
        return await asyncio.to_thread(sessions_around, day, name)
    # -P as where a screen starts a pipeline: no folder of the user's must run instead of ours.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__, name, str(day)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        *_, last = err.decode(errors="replace").strip().splitlines() or [f"status {process.returncode}"]
        raise RuntimeError(last)
    return _SESSIONS.decode(out)


def sessions_around(day: date, name: str) -> tuple[Session, ...]:
    """The sessions of a calendar within `AROUND` of the day."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar(name, start=str(day - AROUND), end=str(day + AROUND))
    columns = (calendar.sessions, calendar.opens, calendar.closes, calendar.break_starts, calendar.break_ends)
    return tuple(
        Session(session.date(), open_.to_pydatetime(), close.to_pydatetime(), _pause(start, end))
        for session, open_, close, start, end in zip(*columns, strict=True)
    )


def _pause(start: Any, end: Any) -> tuple[datetime, datetime] | None:
    import pandas as pd

    return None if pd.isna(start) else (start.to_pydatetime(), end.to_pydatetime())


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(sessions_around(date.fromisoformat(sys.argv[2]), sys.argv[1])).decode())
