"""What a running pipeline waits for, according to its services and its provider's budget."""

from collections.abc import Iterable, Mapping

from pipeline.contract.snapshot import BudgetView, OutageView, ServiceView


def outages(
    services: Iterable[ServiceView], budgets: Iterable[BudgetView], engines: Mapping[str, str]
) -> list[OutageView]:
    """One for each engine, however many services miss it, then one for each service that misses something else, unless
    others stand in for it, and for each provider that does not answer. `engines` are the descriptions of bus and
    store."""
    found: dict[str, OutageView] = {}
    for service in services:
        kind, since = service.waits_for, service.failing_since
        if not kind or since is None or service.state == "paused" or service.stand_ins:
            continue
        what = engines.get(kind, service.name)
        if what == "embedded":
            what = f"the embedded {kind}"
        first = found.get(what)
        if first is None or since < first.since:
            found[what] = OutageView(what=what, kind=kind, since=since, why=service.error or "")
    for budget in budgets:
        if budget.away_since is not None:
            found[budget.name] = OutageView(
                what=budget.name, kind="provider", since=budget.away_since, why=budget.trouble
            )
    return sorted(found.values(), key=lambda outage: (outage.kind not in engines, outage.since))
