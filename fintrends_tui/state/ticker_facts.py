"""What there is to know of one ticker beside its price, in sentences. Pure; may hold what others wrote."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from fintrends_tui.state import format as fmt
from fintrends_tui.state.flowing import FAST
from fintrends_tui.state.spans import marker, place
from pipeline.contract.snapshot import TickerDetail, TickerView, TradingView
from pipeline.model.currencies import in_major, minor_unit

_PARTS: Final = {"pre": "before the open", "post": "after the close"}
_COUNT: Final = 6
_SPAN: Final = 10
"""Cells of a line between two prices."""


def amount(value: float | None, currency: str, width: int = 1 << 16, ticker: str = "") -> str:
    """A price with its currency, unless that is the dollar or not known: ``115.75p``, ``88.10 EUR``. The code is left
    out where there is no room for it; the sign of a minor unit never is."""
    unit = minor_unit(currency)
    if value is None:
        return fmt.price(value, width, ticker)
    if unit is not None:
        return f"{fmt.price(value, width - len(unit.sign), ticker)}{unit.sign}"
    plain = fmt.price(value, width, ticker)
    code = f" {currency}"
    return plain + code if currency not in ("", "USD") and len(plain) + len(code) <= width else plain


def facts(
    ticker: TickerView, detail: TickerDetail | None, now: float, note: str = "", *, priced: bool = False
) -> list[tuple[str, str]]:
    """Tone (of `widgets.table.cells.TONES`, or "note") and text of each, the most important first. `priced` says that
    the price itself stands beside them."""
    return [
        ("strong", _price(ticker, priced=priced)),
        *_extended(ticker),
        feed_told(ticker, now),
        *([("note", f"* {note}")] if note else []),
        *_day(ticker, detail),
        *_year(ticker, detail),
        *([("dim", f"market cap {fmt.human(ticker.market_cap)}")] if ticker.market_cap is not None else []),
        *_events(detail),
    ]


def _price(ticker: TickerView, *, priced: bool) -> str:
    if ticker.price is None:
        return ticker.ticker if priced else f"{ticker.ticker} {fmt.UNKNOWN}"
    decimals = fmt.change_decimals(ticker.price, ticker.change, ticker.ticker)
    moved = ""
    if ticker.change is not None:
        by = f" {fmt.number(abs(ticker.change), decimals)}" if priced else ""
        moved = f" {fmt.arrow(ticker.change, decimals)}{by} {fmt.percent(ticker.change_percent)}"
    if priced:
        told = ticker.currency
    else:
        told = amount(ticker.price, ticker.currency, ticker=ticker.ticker)
        told += " USD" if ticker.currency == "USD" else ""
    if minor_unit(ticker.currency) is not None:
        major, code = in_major(ticker.price, ticker.currency)
        told += f" ({fmt.price(major)} {code})"
    return f"{ticker.ticker} {told}".rstrip() + moved


def _day(ticker: TickerView, detail: TickerDetail | None) -> Iterator[tuple[str, str]]:
    """The day's range with the price's place in it, its opening price, and what its change is counted from."""
    day = ticker.day
    if day is not None:
        yield "", f"day{FAST}{_span(ticker, day.low, day.high)}"
        if day.open is not None:
            yield "", f"open{FAST}{fmt.price(day.open, ticker=ticker.ticker)}"
    if detail is not None and detail.previous_close is not None:
        yield "", f"previous close {fmt.price(detail.previous_close, ticker=ticker.ticker)}"
    if day is None and ticker.price is not None:
        yield "dim", "the day's range is not known: no bar reaches back to its opening"


def _year(ticker: TickerView, detail: TickerDetail | None) -> Iterator[tuple[str, str]]:
    if ticker.year is not None:
        yield "", f"52{FAST}weeks{FAST}{_span(ticker, ticker.year.low, ticker.year.high)}"
    elif detail is not None and detail.year_note:
        yield "dim", f"52 weeks not known: {detail.year_note}"


def _span(ticker: TickerView, low: float, high: float) -> str:
    """``168.58├───●────┤178.20``, which no line breaks."""
    ends = [fmt.price(end, ticker=ticker.ticker) for end in (low, high)]
    at = place(ticker.price, low, high)
    return f"{ends[0]}├{''.join(marker(at, _SPAN)) if at is not None else '─' * _SPAN}┤{ends[1]}"


def feed_told(ticker: TickerView, now: float) -> tuple[str, str]:
    """What its feed is worth: tone and sentence."""
    source = ticker.source or "its source"
    hours = _hours(ticker.trading, now)
    heard = "" if ticker.updated_at is None else f", heard {_ago(ticker.updated_at, now)}"
    match ticker.state:
        case "live":
            return "dim", f"live from {source}{heard}{hours}{_beside(ticker)}"
        case "delayed":
            of = "" if ticker.as_of is None else f": its price is {fmt.duration(now - ticker.as_of)} old"
            return "warn", f"delayed by {source}{of}{heard}{hours}{_beside(ticker)}"
        case "stale":
            silence = "yet" if ticker.updated_at is None else f"for {fmt.duration(now - ticker.updated_at)}"
            return "warn", f"stale: nothing from {source} {silence}{hours}"
        case "closed":
            of = "" if ticker.as_of is None else f", the price is of {fmt.moment(ticker.as_of)} UTC"
            return "dim", f"closed{hours}{of} from {source}"
        case "away":
            return "warn", _away(ticker, now)
        case _:
            return "dim", f"from {source}{heard or ', nothing heard yet'}{hours}"


def _beside(ticker: TickerView) -> str:
    return f"; {ticker.trouble.why}" if ticker.trouble is not None else ""


def _away(ticker: TickerView, now: float) -> str:
    trouble = ticker.trouble
    if trouble is None:
        return "away"
    if trouble.next_try is None:
        again = "not asked again until something is changed"
    elif trouble.next_try <= now:
        again = "asked again now"
    else:
        again = f"next try in {fmt.duration(trouble.next_try - now)}"
    return f"away for {fmt.duration(now - trouble.since)}: {trouble.why}; {again}"


def _hours(trading: TradingView | None, now: float) -> str:
    if trading is None:
        return ""
    if trading.until is None:
        return ", trades around the clock" if trading.phase == "regular" else ""
    left = fmt.duration(trading.until - now)
    if trading.phase == "regular":
        return f", closes in {left}"
    part = f", {_PARTS[trading.phase]}" if trading.phase in _PARTS else ""
    return f"{part}, opens in {left} ({datetime.fromtimestamp(trading.until, UTC):%a %H:%M} UTC)"


def _extended(ticker: TickerView) -> Iterator[tuple[str, str]]:
    extended = ticker.extended
    if extended is None:
        return
    moved = ""
    if extended.change is not None:
        decimals = fmt.change_decimals(extended.price, extended.change, ticker.ticker)
        moved = f" {fmt.arrow(extended.change, decimals)} {fmt.percent(extended.change_percent)}"
    when = fmt.moment(extended.as_of)
    told = amount(extended.price, ticker.currency, ticker=ticker.ticker)
    yield (
        fmt.direction(extended.change_percent),
        f"{_PARTS[extended.session]} {told}{moved} at {when} UTC",
    )


def _events(detail: TickerDetail | None) -> Iterator[tuple[str, str]]:
    if detail is None:
        return
    zone = ZoneInfo(detail.zone)
    if (paid := detail.dividend) is not None:
        each = fmt.number(paid.amount, _COUNT).rstrip("0").rstrip(".")
        unit = minor_unit(paid.currency)
        told = f"{each}{unit.sign}" if unit else f"{each} {paid.currency}".rstrip()
        yield "dim", f"last dividend {told} a share on {fmt.moment(paid.ts, daily=True, zone=zone)}"
    if (split := detail.split) is not None:
        day = fmt.moment(split.ts, daily=True, zone=zone)
        yield "dim", f"last split {split.numerator:g} for {split.denominator:g} on {day}"


def _ago(at: float, now: float) -> str:
    age = fmt.age(at, now)
    return "now" if age == "now" else f"{age} ago"
