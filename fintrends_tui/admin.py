"""The commands that change topics, groups and documents: each shows what would happen before it does anything."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from fintrends_tui.link.client import NotRunningError, connect
from fintrends_tui.link.process import become_pipeline
from pipeline.config.cli_options import WHERE_DEFAULTS
from pipeline.config.where import Where, hand_over
from pipeline.contract.plans import Operation, Purge, Replay, ResetOffsets, Retry
from pipeline.contract.protocol import CarryOut, Done, MakePlan, Planned
from pipeline.ops.approval import ends_with
from pipeline.storage.datadir import DataDir

_DryRun = Annotated[bool, Parameter(negative="", show_default=False)]
_Yes = Annotated[bool, Parameter(negative="", show_default=False)]


def offsets(
    group: str,
    *,
    to: str,
    topic: Annotated[list[str] | None, Parameter(negative="")] = None,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Reset the offsets of a consumer group, so that it reads records again or skips them.

    A running pipeline suspends its stages meanwhile. What is processed again changes nothing in the store.

    Parameters
    ----------
    group
        sink, indicator-processor, sentiment-processor or forecast-processor.
    to
        beginning, end, or a time: 2026-01-31, 2026-01-31T09:30 (UTC), or 90m, 36h, 7d for how long ago. It is compared
        with the times of records, which are those of their events.
    topic
        In this topic only, such as stock_data_aapl; may be given several times.
    dry_run
        Only say what would happen.
    yes
        Do it without asking.
    """
    return _maintain(ResetOffsets(group, to, topic or []), where, dry_run=dry_run, yes=yes)


def replay(
    *names: Annotated[str, Parameter(required=True)],
    since: str,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Have all consumer groups read topics again from a time on. What comes of it is stored already, or stored now.

    Parameters
    ----------
    names
        Topics such as stock_data_aapl, or tickers such as AAPL for all topics of each.
    since
        beginning, or a time: 2026-01-31, 2026-01-31T09:30 (UTC), or 90m, 36h, 7d for how long ago.
    dry_run
        Only say what would happen.
    yes
        Do it without asking.
    """
    return _maintain(Replay(list(names), since), where, dry_run=dry_run, yes=yes)


def purge(ticker: str, *, dry_run: _DryRun = False, yes: _Yes = False, where: Where = WHERE_DEFAULTS) -> int:
    """Delete the topics and documents of a ticker, and watch it no longer.

    Parameters
    ----------
    ticker
        Such as AAPL.
    dry_run
        Only say what would be deleted.
    yes
        Do it without asking.
    """
    return _maintain(Purge(ticker), where, dry_run=dry_run, yes=yes)


def dead_letters(
    *keys: str,
    reason: str = "",
    retry: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    yes: _Yes = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """List dead letters by their reason, and what would come of a retry; --retry publishes their records again.

    Parameters
    ----------
    keys
        The dead letters of these keys only; `fintrends-tui query dead_letter --format json` shows them as _id.
    reason
        Those only whose reason contains this text.
    retry
        Publish their records to the topics they stood in again, and delete the dead letters.
    yes
        Do it without asking.
    """
    return _maintain(Retry(reason, list(keys)), where, dry_run=not retry, yes=yes)


def _maintain(operation: Operation, where: Where, *, dry_run: bool, yes: bool) -> int:
    """Ask the pipeline that runs, or do it without one; the exit status."""
    try:
        return asyncio.run(_ask(DataDir(where.load().data_dir).socket, operation, dry_run=dry_run, yes=yes))
    except NotRunningError:
        hand_over(where)
        flags = [*(["--dry-run"] if dry_run else []), *(["--yes"] if yes else [])]
        become_pipeline(["maintain", msgspec.json.encode(operation).decode(), *flags, *where.arguments()])


async def _ask(socket: Path, operation: Operation, *, dry_run: bool, yes: bool) -> int:
    async with connect(socket) as connection:
        planned: Planned = await connection.ask(MakePlan(operation))
        if (status := ends_with(planned.plan, dry_run=dry_run, yes=yes)) is not None:
            return status
        done: Done = await connection.ask(CarryOut(planned.number))
    print(done.note)
    return 0
