"""What is wrong with the pipeline, most urgent first: what, for how long, and the key that leads there."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from pipeline.contract.snapshot import STUCK, ServiceView, Snapshot
from pipeline.model.topics import FORECAST_GROUP, INDICATOR_GROUP, SENTIMENT_GROUP, SINK_GROUP

GROUP_OF: Final = {
    "indicators": INDICATOR_GROUP,
    "forecasts": FORECAST_GROUP,
    "sentiment": SENTIMENT_GROUP,
    "sink": SINK_GROUP,
}
"""The group in which a consumer shares its work with those of other processes; producers have one in common."""
ENGINES: Final = ("bus", "store")
"""Kinds of outages that concern all services."""
LETTERS_SECONDS: Final = 300
"""After this long without another, dead letters are no news any more."""


class Trouble(NamedTuple):
    """`tone` is one of `widgets.cells.TONES`; `key` is empty where there is nothing to open."""

    tone: str
    what: str
    key: str


def troubles(view: View) -> list[Trouble]:
    """Nothing while all is well, and nothing of a snapshot that is out of date: the header says so then."""
    if view.snapshot is None or view.stale:
        return []
    snapshot = view.snapshot
    found = (
        *_engines(view),
        *_services(view),
        *_paused(snapshot),
        *_providers(snapshot),
        *_groups(view),
        *_dead_letters(view),
        *(Trouble("warn", text, "l log") for text in snapshot.pipeline.unread),
    )
    return sorted(found, key=lambda trouble: trouble.tone != "error")


def _engines(view: View) -> Iterator[Trouble]:
    """Those that are waited for; other needs of services are reported with the services."""
    if view.snapshot is None:
        return
    engines = [outage for outage in view.snapshot.outages if outage.kind in ENGINES]
    for outage in engines:
        yield Trouble("error", f"waiting for {outage.what}, {_for(outage.since, view.now)}: {outage.why}", "l log")
    if view.snapshot.pipeline.note and not engines:
        yield Trouble("error", view.snapshot.pipeline.note, "l log")


def _providers(snapshot: Snapshot) -> Iterator[Trouble]:
    for budget in snapshot.budgets:
        if budget.trouble:
            yield Trouble("warn", f"{budget.name}: {budget.trouble}", "l log")
    for ticker in snapshot.tickers:
        if ticker.note and ticker.price is not None:  # without a price its row says it
            yield Trouble("warn", f"{ticker.ticker}: {ticker.note}", "l log")


def _services(view: View) -> Iterator[Trouble]:
    services = view.snapshot.services if view.snapshot else []
    failing = [service for service in services if service.is_missed and not _is_told(service)]
    failing.sort(key=_weight)
    if not failing:
        return
    first, *others = failing
    what = f"{first.name} {'has failed' if first.state == 'failed' else 'fails'}"
    if others and all(service.error == first.error for service in others):  # which says more than the names
        yield Trouble(_tone(failing), f"{first.error} ({len(failing)} services fail)", "s services")
        return
    if (how_long := fmt.age(first.failing_since, view.now)) != "now":
        what += f" for {how_long}"
    if others:
        what += f", {len(others)} more fail" if len(others) > 1 else f", {others[0].name} fails"
    yield Trouble(_tone(failing), f"{what}: {first.error}", "s services")


def _weight(service: ServiceView) -> tuple[bool, bool, int, float]:
    """Prices come before news, and what serves more before what serves less."""
    since = service.failing_since or 0.0
    return service.state != "failed", service.kind != "market", -(service.entries or 0), since


def _is_told(service: ServiceView) -> bool:
    """Whether it does nothing but wait for an engine, which is reported once for all."""
    return service.waits_for in ENGINES and service.state != "failed"


def _paused(snapshot: Snapshot) -> Iterator[Trouble]:
    """Consumers that are paused by the user; the header reports producers."""
    for service in snapshot.services:
        if service.state == "paused" and (group := GROUP_OF.get(service.name)) is not None:
            lag = sum(g.lag for topic in snapshot.topics for g in topic.groups if g.group == group)
            yield Trouble("warn", f"{service.name} is paused, {lag:,} records behind", "s services")


def _tone(failing: Sequence[ServiceView]) -> str:
    return "error" if any(service.state == "failed" for service in failing) else "warn"


def _groups(view: View) -> Iterator[Trouble]:
    stalled: dict[str, tuple[int, int, float]] = {}
    services = view.snapshot.services if view.snapshot else []
    paused = {GROUP_OF.get(service.name) for service in services if service.state == "paused"}
    for topic in view.snapshot.topics if view.snapshot else []:
        for group in topic.groups:
            if group.status in STUCK and group.group not in paused:
                topics, lag, since = stalled.get(group.group, (0, 0, float(view.now)))
                stalled[group.group] = topics + 1, lag + group.lag, min(since, group.since or since)
    for group_name, (topics, lag, since) in stalled.items():
        where = "1 topic" if topics == 1 else f"{topics} topics"
        yield Trouble(
            "error",
            f"{group_name} has stalled on {where}, {lag:,} records behind, {_for(since, view.now)}",
            "t topics",
        )


def _dead_letters(view: View) -> Iterator[Trouble]:
    pipeline = view.snapshot.pipeline if view.snapshot else None
    if pipeline is not None and pipeline.dead_letter_at is not None:
        ago = view.now - pipeline.dead_letter_at
        if ago < LETTERS_SECONDS:
            last = "just now" if ago < 5 else f"{fmt.age(pipeline.dead_letter_at, view.now)} ago"
            yield Trouble(
                "warn",
                f"records could not be processed, the last {last}; {pipeline.dead_letters:,} in all",
                "e dead letters",
            )


def _for(since: float, now: float) -> str:
    return f"for {fmt.duration(now - since)}"
