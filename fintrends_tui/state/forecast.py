"""A forecast in words: what is said, what came of the like, and whether that is better than a rule of thumb. Pure."""

from collections.abc import Iterator
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fintrends_tui.state import format as fmt
from pipeline.contract.snapshot import ForecastView, HorizonView, TickerDetail
from pipeline.model.skill import Skill

SHOWN: Final = "80"
"""The band that is written out, in percent."""
_NOTHING: Final = "No forecast of {interval} bars: there are fewer than 100, or the price does not move"
_COIN: Final = 0.6931
_SKILL: Final[dict[Skill, tuple[str, str]]] = {
    "some": ("Skill: ", "strong"),
    "none": ("No skill: ", "warn"),
    "unknown": ("Too few to tell of skill: ", "dim"),
}


class ForecastLine(NamedTuple):
    """A line of texts with their tones: "dim", "strong", "warn" or empty."""

    parts: tuple[tuple[str, str], ...]


def forecast_lines(detail: TickerDetail | None) -> list[ForecastLine]:
    """What there is to say of the interval that the watchlist shows, of the finest where it shows none."""
    forecasts = detail.forecasts if detail else []
    if detail is None or not forecasts:
        return []
    shown = next((forecast for forecast in forecasts if forecast.interval == detail.interval), forecasts[0])
    return list(_lines(shown, detail))


def _lines(shown: ForecastView, detail: TickerDetail) -> Iterator[ForecastLine]:
    zone = ZoneInfo(detail.zone)
    at = fmt.moment(shown.ts, daily=shown.interval == "daily", zone=zone)
    known = [horizon for horizon in shown.horizons if SHOWN in horizon.bands]
    if not known:
        yield ForecastLine(((_NOTHING.format(interval=shown.interval), "dim"),))
        return
    said = ", ".join(_band(horizon, detail.ticker) for horizon in known)
    yield ForecastLine(((f"{shown.interval} at {at}, 80 %: ", "dim"), (said, "")))
    yield ForecastLine((*_record(known[0]), *_since(shown, zone)))
    if shown.up is not None:
        yield ForecastLine(tuple(_direction(shown)))


def _band(horizon: HorizonView, ticker: str) -> str:
    low, high = horizon.bands[SHOWN]
    which = "next close" if horizon.bars == 1 else f"{horizon.bars}th"
    return f"{which} {fmt.price(low, ticker=ticker)} to {fmt.price(high, ticker=ticker)}"


def _record(horizon: HorizonView) -> Iterator[tuple[str, str]]:
    held = horizon.held.get(SHOWN)
    if held is None or horizon.score is None:
        yield "No bar that was forecast has come yet", "dim"
        return
    yield _SKILL[horizon.skill]
    yield f"held {100 * held:.1f} % of {horizon.count:,}", ""
    ratios = [
        f"{horizon.score / other:.3f} of {name}"
        for name, other in (("EWMA's", horizon.score_ewma), ("rolling band's", horizon.score_rolling))
        if other
    ]
    yield f", score {' and '.join(ratios)}", "dim"


def _since(shown: ForecastView, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    if shown.since is not None:
        yield f", since {fmt.moment(shown.since, daily=True, zone=zone)}", "dim"
    if shown.drifted is not None:
        yield f", returns drifted {fmt.moment(shown.drifted, daily=shown.interval == 'daily', zone=zone)}", "dim"
    if shown.outside is not None and shown.outside > 0:
        yield ", last close outside of its 95 % band", "warn"


def _direction(shown: ForecastView) -> Iterator[tuple[str, str]]:
    yield _SKILL[shown.up_skill]
    yield f"next return positive with {100 * (shown.up or 0.0):.0f} %", ""
    if shown.up_loss is not None and shown.up_loss_base is not None:
        yield f" (log-loss {shown.up_loss:.4f}; base rate {shown.up_loss_base:.4f}, a coin {_COIN})", "dim"
