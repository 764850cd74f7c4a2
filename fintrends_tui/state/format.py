"""Numbers, times and series as short texts. None is shown as "–"."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from pipeline.model.instruments import asset_class

UNKNOWN: Final = "–"
UP: Final = "▲"
DOWN: Final = "▼"
LEVEL: Final = "◆"

_DIGITS: Final = 5
"""Significant ones, of a price below 1."""
_FEWEST: Final = 4
_UNBOUNDED: Final = 1 << 16
_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_AGES: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def price_decimals(value: float | None, ticker: str = "") -> int:
    """As many as a price of this size deserves: two from 1 up, but five significant digits of what is traded by its
    small parts, currencies and crypto-currencies: ``1.0873``, ``151.24``. Below 1, five significant digits, or four
    where the fifth is a zero: ``0.00001324``, ``0.12345``, ``0.2500``."""
    if not value:
        return 2
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    if abs(value) >= 1:
        return max(2, decimals) if asset_class(ticker) in ("currency", "crypto") else 2
    return decimals - 1 if f"{value:.{decimals}f}".endswith("0") else decimals


def price(value: float | None, width: int = _UNBOUNDED, ticker: str = "") -> str:
    return number(value, price_decimals(value, ticker), width)


def change_decimals(price: float | None, change: float | None, ticker: str = "") -> int:
    """Those of the price, or of the one before if that has more."""
    before = None if price is None or change is None else price - change
    return max(price_decimals(price, ticker), price_decimals(before, ticker))


def study_decimals(price: float | None, ticker: str = "") -> int:
    """Of what is a small part of a price, such as a MACD: two more than the price itself has."""
    return 2 + price_decimals(price, ticker)


def axis(ticks: Sequence[float], width: int = _UNBOUNDED) -> list[str]:
    """Prices at equal steps, with the decimals that distinguish them: two or more."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 0.0
    decimals = max(2, -math.floor(math.log10(step) + 1e-9)) if step > 0 else price_decimals(ticks[0])
    return [number(tick, decimals, width) for tick in ticks]


def number(value: float | None, decimals: int = 2, width: int = _UNBOUNDED) -> str:
    """In at most `width` characters, nine or more: where there is no room, first the separators of thousands go, then
    decimals beyond four significant digits; then ``0.0₇1324`` stands for 0.00000001324, and `human` for what is large.
    """
    if value is None:
        return UNKNOWN
    return _fitted(round(value, decimals) + 0.0, decimals, width)  # 0.0 takes the sign from what rounds to zero


def signed(value: float | None, decimals: int = 2, width: int = _UNBOUNDED) -> str:
    """With its sign; what rounds to zero has none. `width` as of `number`."""
    if value is None or round(value, decimals) <= 0:
        return number(value, decimals, width)
    return f"+{number(value, decimals, width - 1)}"


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
    """A count in at most six characters, and its sign: ``950``, ``12.3k``, ``4.56M``; beyond 999.9T, ``>999T``."""
    if value is None:
        return UNKNOWN
    if abs(value) >= _MOST:
        return ">999T" if value > 0 else "<-999T"
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        # 999,950 would be "1000.0k".
        if abs(value) >= size * 0.99995:
            scaled = value / (size if unit != "k" else 1e3)
            return f"{scaled:.{2 if abs(scaled) < 10 else 1}f}{unit}"
    return f"{value:,.0f}"


_MOST: Final = 999.95e12


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


def initials(name: str) -> str:
    """A name in four cells at most, as ``AV`` for alpha_vantage and ``repl`` for replay."""
    words = name.replace("_", " ").split()
    return "".join(word[0] for word in words[:4]).upper() if len(words) > 1 else name[:4]


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


def moment(ts: float, *, daily: bool = False, zone: tzinfo = UTC) -> str:
    """When a bar is, in UTC; of a daily one the day in the `zone` of its exchange, where `ts` is its beginning."""
    if daily:
        return f"{datetime.fromtimestamp(ts, zone):%Y-%m-%d}"
    return f"{datetime.fromtimestamp(ts, UTC):%m-%d %H:%M}"


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


def _fitted(value: float, decimals: int, width: int) -> str:
    return next((text for text in _forms(value, decimals) if len(text) <= width), human(value))


def _forms(value: float, decimals: int) -> Iterator[str]:
    """Ways to write the number, the best first and each shorter than the one before."""
    yield f"{value:,.{decimals}f}"
    if not value:
        return
    before = math.floor(math.log10(abs(value)))
    for fewer in range(decimals, max(-1, _FEWEST - 2 - before), -1):
        yield f"{value:.{fewer}f}"
    if before > -_FEWEST:
        return
    for digits in range(_FEWEST, 0, -1):
        mantissa, _, exponent = f"{abs(value):.{digits - 1}e}".partition("e")
        zeros = str(-int(exponent) - 1).translate(_SUBSCRIPTS)
        yield f"{'-' if value < 0 else ''}0.0{zeros}{mantissa.replace('.', '').rstrip('0')}"
