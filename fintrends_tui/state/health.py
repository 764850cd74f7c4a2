"""How the pipeline is, in a breath. Pure; knows no widget."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from fintrends_tui.state import format as fmt
from pipeline.contract.snapshot import STUCK, BudgetView, ServiceView, Snapshot, TickerView, TopicView, total_lag


class Sign(NamedTuple):
    """A few words and their tone, one of `widgets.table.cells.TONES`."""

    text: str
    tone: str = ""


_WORST_LAST: Final = ("live", "closed", "delayed", "stale", "away")


def health(snapshot: Snapshot) -> list[Sign]:
    """Services that are well of all, lag, writes a second, requests used, and what each source's prices are worth."""
    return [
        _services(snapshot.services),
        _lag(snapshot.topics),
        Sign(f"{fmt.rate(sum(c.per_second for c in snapshot.collections))} writes/s"),
        *(_budget(budget) for budget in snapshot.budgets),
        *_sources(snapshot.tickers),
    ]


def is_well(service: ServiceView) -> bool:
    """Whether it does its work, or has done it, or nobody misses it."""
    return bool(service.stand_ins) or not (service.is_missed or service.state in ("failed", "backing off"))


def provider(name: str) -> str:
    """A source's name as people write it: ``Alpha Vantage``."""
    return name.replace("_", " ").title()


def _services(services: Iterable[ServiceView]) -> Sign:
    services = list(services)
    well = sum(is_well(service) for service in services)
    if well == len(services):
        return Sign(f"● {well}/{well}", "up" if services else "dim")
    failed = any(service.state == "failed" and not service.stand_ins for service in services)
    return Sign(f"{'✗' if failed else '▲'} {well}/{len(services)}", "error" if failed else "warn")


def _lag(topics: Iterable[TopicView]) -> Sign:
    topics = list(topics)
    statuses = {group.status for topic in topics for group in topic.groups}
    tone = "error" if statuses & set(STUCK) else "warn" if "WARN" in statuses else ""
    return Sign(f"lag {total_lag(topics):,}", tone)


def _budget(budget: BudgetView) -> Sign:
    used = f"{budget.used}/{budget.limit}" if budget.limit is not None else f"{budget.used} requests"
    return Sign(f"{fmt.initials(budget.name)} {used}", "warn" if budget.trouble or budget.note else "")


def _sources(tickers: Iterable[TickerView]) -> Iterator[Sign]:
    states: dict[str, list[str]] = {}
    for ticker in tickers:
        if ticker.source:
            states.setdefault(ticker.source, []).append(ticker.state)
    for source, of in states.items():
        known = [state for state in of if state]
        if not known:
            continue
        worst = max(known, key=_WORST_LAST.index)
        count = known.count(worst)
        told = worst if count == len(of) else f"{worst} {count} of {len(of)}"
        yield Sign(f"{provider(source)} {told}", "" if worst in ("live", "closed") else "warn")
