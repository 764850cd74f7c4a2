"""The state of a pipeline in words, for those who ask without a screen."""

import asyncio
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from fintrends_tui.link.client import connect
from fintrends_tui.link.port import LinkError
from fintrends_tui.state.alerts import missing_ticker
from fintrends_tui.state.format import local_clock
from fintrends_tui.state.ticker_facts import feed_told
from pipeline.contract.protocol import GetSnapshot, Load, TickersChanged
from pipeline.contract.snapshot import (
    STUCK,
    BudgetView,
    GroupView,
    LoadView,
    OutageView,
    PipelineView,
    ServiceView,
    Snapshot,
    TickerView,
)
from pipeline.model.alert_rules import parse_rule

_PERIOD = 0.25


_MATTERS: Final = ("producer", "claims", "processor", "sink")
"""The roles through which the data flow."""


def is_healthy(snapshot: Snapshot) -> bool:
    """Whether it has come up and is not going down, no service has failed, no engine and no provider is waited for, no
    group of consumers has stalled, and in each of the roles that this pipeline has, something works. What others stand
    in for is missed by nobody."""
    stalled = any(group.status in STUCK for topic in snapshot.topics for group in topic.groups)
    failed = any(service.state == "failed" and not service.stand_ins for service in snapshot.services)
    waits = bool(snapshot.pipeline.note or snapshot.outages)
    down = any(_is_down(role, snapshot.services) for role in _MATTERS)
    return snapshot.pipeline.state == "running" and not (waits or stalled or failed or down)


def _is_down(role: str, services: Sequence[ServiceView]) -> bool:
    """Whether there are services of the role, and none of them gets anything done."""
    states = [
        service.state == "backing off" or (service.state == "starting" and service.failing_since is not None)
        for service in services
        if service.role == role
    ]
    return bool(states) and all(states)


def describe(snapshot: Snapshot) -> str:
    """Some lines for a person."""
    pipeline = snapshot.pipeline
    state = f"{pipeline.state}, producers paused" if pipeline.paused else pipeline.state
    if (progress := pipeline.restoring) is not None:
        state += f", restoring {progress.done} of {progress.total} tickers"
    lines = [
        f"pipeline   {state}, pid {pipeline.pid}, up {_duration(snapshot.at - pipeline.started_at)}",
        f"version    {pipeline.version}",
        f"source     {pipeline.source_note}",
        *(
            [f"preview    simulated, for {pipeline.preview}; goes live once a provider answers"]
            if pipeline.preview
            else []
        ),
        *([f"namespace  {_namespace(pipeline)}"] if pipeline.namespace else []),
        f"bus        {pipeline.bus}",
        f"store      {pipeline.store}",
        f"tickers    {' '.join(t.ticker for t in snapshot.tickers) or 'none; add some with `fintrends-tui add`'}",
        *([f"served by  {served}"] if (served := _served_by(snapshot.tickers)) else []),
    ]
    if pipeline.set_aside:
        lines.append(f"set aside  {set_aside(pipeline)}")
    lines += [f"waiting    {_outage(outage, snapshot.at)}" for outage in snapshot.outages]
    if pipeline.note and not snapshot.outages:
        lines.append(f"waiting    {pipeline.note}")
    lines += [f"unread     {text}" for text in pipeline.unread]
    watched = {rule.rule for rule in snapshot.rules}
    if latest := next((alert for alert in reversed(snapshot.alerts) if alert.rule in watched), None):
        lines.append(f"alert      {latest.ticker or 'pipeline'} {latest.metric} {latest.value:g} ({latest.rule})")
    lines += [
        f"alert      {rule.rule} waits: {ticker} is not watched; `fintrends-tui add {ticker}` watches it"
        for rule in snapshot.rules
        if (ticker := missing_ticker(parse_rule(rule.rule), snapshot))
    ]
    lines += [f"budget     {_budget(budget)}" for budget in snapshot.budgets]
    lines += [
        f"{'no data' if ticker.price is None else 'note':<10} {ticker.ticker}: {ticker.note}"
        for ticker in snapshot.tickers
        if ticker.note
    ]
    lines += [
        f"{'feed':<10} {ticker.ticker}: {feed_told(ticker, snapshot.at)[1]}"
        for ticker in snapshot.tickers
        if ticker.state in ("delayed", "stale", "away")
    ]
    lines.append("")
    for service in snapshot.services:
        error = f"  {service.error}" if service.error and service.state in ("backing off", "failed") else ""
        state = "standby" if service.stand_ins else service.state
        if error and service.stand_ins:
            error = f"  {', '.join(service.stand_ins)} instead, for{error.removeprefix(' ')}"
        lines.append(f"{service.name:<22} {state:<12} {service.rate:>9.1f}/s {service.total:>10}{error}")
        if service.skipped:
            lines.append(f"{'':<22} {service.skipped:,} records were deleted before it could read them")
    lines.append("")
    for topic in snapshot.topics:
        lags = "  ".join(f"{g.group} {g.lag}{'' if g.status == 'OK' else ' ' + g.status}" for g in topic.groups)
        lines.append(f"{topic.topic:<28} {topic.records:>9}  lag: {lags}")
    lines.append("")
    lines += [line for group in snapshot.groups for line in _members(group)]
    lines.append("")
    lines += [f"{c.name:<28} {c.documents or 0:>9}  {c.per_second:.1f} writes/s" for c in snapshot.collections]
    return "\n".join(lines)


def _served_by(tickers: Sequence[TickerView]) -> str:
    """Each source with the tickers whose rows are of it now."""
    of: dict[str, list[str]] = {}
    for ticker in tickers:
        if ticker.source:
            of.setdefault(ticker.source, []).append(ticker.ticker)
    return "; ".join(f"{source}: {' '.join(names)}" for source, names in of.items())


def _namespace(pipeline: PipelineView) -> str:
    """With what that means to whoever looks at Kafka with other tools."""
    names = pipeline.names
    if not names.topic_prefix:
        return pipeline.namespace
    groups = f"{names.topic_prefix}sink{names.group_suffix}"
    return f"{pipeline.namespace} (on Kafka: topics {names.topic_prefix}…, groups such as {groups})"


def set_aside(pipeline: PipelineView) -> str:
    """Records that have no place in its namespace."""
    theirs = "real" if pipeline.simulated else "simulated"
    return f"{pipeline.set_aside:,} {theirs} records on the bus are ignored; `fintrends-tui doctor` explains why"


def _outage(outage: OutageView, now: float) -> str:
    since = (
        f"{datetime.fromtimestamp(outage.since).astimezone():%Y-%m-%d %H:%M:%S}, for {_duration(now - outage.since)}"
    )
    return f"for {outage.what} since {since}: {outage.why}"


def _members(group: GroupView) -> Iterator[str]:
    """Who does the work of the group: a line for each member."""
    for number, member in enumerate(group.members):
        who = "this process" if member.here else f"{member.client} at {member.host}"
        if member.foreign:
            who = f"ANOTHER APPLICATION: {who}"
        what = textwrap.shorten(" ".join([*member.tickers, *member.general]) or "standby", 60, placeholder=" …")
        yield f"{'' if number else group.group:<20} {who:<40} {member.partitions:>4} partitions  {what}"


async def follow_loads(socket: Path, tickers: Sequence[str]) -> int:
    """Ask for an initial load and show its progress on stderr until it is over; the exit status.

    Raises:
        LinkError
    """
    async with connect(socket) as connection:
        changed: TickersChanged = await connection.ask(Load(list(tickers)))
        print(changed.note, file=sys.stderr)
        told: set[str] = set()
        while True:
            snapshot: Snapshot = await connection.ask(GetSnapshot())
            loads = [load for load in snapshot.loads if not tickers or load.ticker in tickers]
            _show(loads, told)
            if all(load.state in ("done", "failed") for load in loads):
                return 1 if any(load.state == "failed" for load in loads) else 0
            if any(service.role == "loader" and service.state == "failed" for service in snapshot.services):
                raise LinkError("the loader has failed; `fintrends-tui status` says why")
            await asyncio.sleep(_PERIOD)


def _show(loads: Sequence[LoadView], told: set[str]) -> None:
    """One line, kept up to date, on a terminal; elsewhere a line for each load that has something new to say."""
    over = all(load.state in ("done", "failed") for load in loads)
    texts = [
        f"{load.ticker} {load.state}"
        + (f" {100 * load.done // load.total} % of {load.total}" if load.total else "")
        + (f" ({load.note})" if load.note else "")
        for load in loads
    ]
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + " · ".join(texts) + ("\n" if over else ""))
        sys.stderr.flush()
        return
    for load, text in zip(loads, texts, strict=True):
        news = f"{load.ticker} {load.state} {load.note}"
        if news not in told and load.state != "waiting":
            told.add(news)
            print(text, file=sys.stderr)


def _budget(budget: BudgetView) -> str:
    parts = [f"{budget.name}: {budget.used} requests today"]
    if budget.limit is not None:
        parts[0] = f"{budget.name}: {budget.used} of {budget.limit} requests used today"
    if budget.next_what and budget.next_at is not None:
        parts.append(f"next {local_clock(budget.next_at)} {budget.next_what}")
    if budget.note:
        parts.append(budget.note)
    if budget.not_in_plan:
        parts.append(f"not in the plan: {', '.join(budget.not_in_plan)}")
    return "; ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
