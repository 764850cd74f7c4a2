"""Numbers, times and series as short texts. None is shown as "–"."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "–"
UP: Final = "▲"
DOWN: Final = "▼"
LEVEL: Final = "◆"

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_AGES: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def price_decimals(value: float | None) -> int:
    """As many as a price of this size deserves: two from 1 up, four below."""
    return 4 if value is not None and abs(value) < 1 else 2


def price(value: float | None) -> str:
    return number(value, price_decimals(value))


def number(value: float | None, decimals: int = 2) -> str:
    return UNKNOWN if value is None else f"{value:,.{decimals}f}"


def signed(value: float | None, decimals: int = 2) -> str:
    """With its sign; what rounds to zero has none."""
    if value is None:
        return UNKNOWN
    value = round(value, decimals)
    return f"{value:+,.{decimals}f}" if value else f"{0:.{decimals}f}"


def percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{signed(value)}%"


def arrow(value: float | None, decimals: int = 2) -> str:
    """The direction as a glyph, the same for all that `signed` writes alike."""
    if value is None:
        return " "
    value = round(value, decimals)
    return UP if value > 0 else DOWN if value < 0 else LEVEL


def direction(value: float | None, decimals: int = 2) -> str:
    """The direction as a tone: "up", "down" or, level or unknown, "dim"."""
    value = round(value or 0.0, decimals)
    return "up" if value > 0 else "down" if value < 0 else "dim"


def human(value: float | None) -> str:
    """A count in at most six characters: ``950``, ``12.3k``, ``4.56M``."""
    if value is None:
        return UNKNOWN
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        # 999,950 would be "1000.0k".
        if abs(value) >= size * 0.99995:
            scaled = value / (size if unit != "k" else 1e3)
            return f"{scaled:.{2 if abs(scaled) < 10 else 1}f}{unit}"
    return f"{value:,.0f}"


def rate(value: float | None) -> str:
    """A rate per second, without its unit."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    return f"{value:.1f}" if value < 100 else human(value)


def milliseconds(value: float | None) -> str:
    """A latency, without its unit."""
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """The greatest whole unit: ``45s``, ``12m``, ``3h``, ``2d``."""
    whole = max(0, int(seconds))
    return next((f"{whole // size}{unit}" for size, unit in _AGES if whole >= size), f"{whole}s")


def age(since: float | None, now: float) -> str:
    """How long ago, in steps that grow: a line whose age changes has to be sent again."""
    if since is None:
        return UNKNOWN
    seconds = now - since
    if seconds < _AGE_STEP:
        return "now"
    return duration(seconds - seconds % _AGE_STEP)


_AGE_STEP: Final = 5


def clock(at: float) -> str:
    """Time of day in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def local_clock(at: float) -> str:
    """Time of day in the terminal's zone."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%H:%M:%S}"


def timestamp(ts: float) -> str:
    """Date and time in UTC, with milliseconds."""
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def moment_seconds(ts: float) -> str:
    """Date and time in UTC, with seconds."""
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%d %H:%M:%S}"


def moment(ts: float, *, daily: bool = False) -> str:
    """When a bar is, in UTC."""
    return f"{datetime.fromtimestamp(ts, UTC):{'%Y-%m-%d' if daily else '%m-%d %H:%M'}}"


def sparkline(values: Sequence[float], width: int, *, floor: float | None = None) -> str:
    """The latest values as `width` blocks between their least, or `floor`, and greatest, newest last."""
    values = values[-width:]
    if not values:
        return ""
    low, high = min(values) if floor is None else floor, max(values)
    if high == low:
        return _BLOCKS[0 if not high else 3] * len(values)
    scale = (len(_BLOCKS) - 1) / (high - low)
    return "".join(_BLOCKS[round((value - low) * scale)] for value in values)


def bar(part: float, width: int) -> str:
    """A progress bar; `part` is from 0 to 1."""
    filled = round(max(0.0, min(1.0, part)) * width)
    return "█" * filled + "░" * (width - filled)
