"""`python -m pipeline`: the pipeline in the foreground, and queries on what it stored."""

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from pipeline import __version__
from pipeline.config.cli_options import RUN_DEFAULTS, WHERE_DEFAULTS, RunFlags
from pipeline.config.settings import Loaded, SettingsError
from pipeline.config.where import Where
from pipeline.model.namespace import origin
from pipeline.model.tickers import InvalidTickerError, parse_ticker, parse_tickers
from pipeline.ops.query import Format, QueryError
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.system import collector, streams
from pipeline.system.places import PlaceError, provide

# Status 2 is "asked for the impossible", 1 is "went wrong".
_USAGE = 2

_EXPORT_EPILOGUE = """
Examples:

  fintrends-tui export stock_data AAPL --interval daily --to aapl.parquet
  fintrends-tui export indicators --since 7d --to indicators.csv
  fintrends-tui export news --since 30d --until 7d --to news.parquet
"""

app = App(name="fintrends-tui", version=__version__, version_flags="--version", help_format="plaintext")


@app.default
def run(
    *tickers: Annotated[str, Parameter(show_default=False)],
    flags: RunFlags = RUN_DEFAULTS,
) -> int:
    """Run the pipeline in the foreground. Ctrl+C stops it gracefully, a second one at once.

    Parameters
    ----------
    tickers
        What to watch, such as AAPL MSFT BRK.B ^GSPC. Default: those of the configuration, else the last ones.
    """
    from pipeline.config import settings

    loaded = settings.load(flags.config, flags.with_tickers(tickers))
    data_dir = DataDir(loaded.data_dir)
    data_dir.create()
    data_dir.lock()
    try:
        provide(data_dir.path)
        return _run(loaded, data_dir, flags)
    except Exception:
        data_dir.discard_unused()
        raise
    finally:
        data_dir.unlock()


def _run(loaded: Loaded, data_dir: DataDir, flags: RunFlags) -> int:
    from pipeline import preview
    from pipeline.engines import choose_engines
    from pipeline.ops import logs
    from pipeline.runtime import Pipeline, RunOptions
    from pipeline.storage.layout import Layout
    from pipeline.upgrade.migration import migrate

    try:
        tail = logs.set_up(loaded.log_dir, loaded.settings.logging, loaded.secrets, stderr=True)
    except OSError as error:
        raise DataDirError(f"cannot write logs to {loaded.log_dir}: {error.strerror}; change logging.dir") from error
    ends = flags.initial_load or flags.until_idle or flags.duration is not None
    live = RunOptions(
        flags.initial_load,
        flags.until_idle,
        flags.duration,
        may_preview=preview.is_allowed(loaded, ends_by_itself=ends),
    )

    async def main() -> int:
        await migrate(data_dir)
        now, options = loaded, live
        while True:
            status, pipeline = await one(now, options)
            if not pipeline.gives_way:
                return status
            if options.preview_of is None:
                again = preview.watching(loaded, pipeline.watchlist)
                options = RunOptions(preview_of=again, preview_why=pipeline.gives_way)
                now = preview.watching(loaded, pipeline.watchlist, "simulator")
            else:
                now, options = preview.watching(loaded, pipeline.watchlist), live

    async def one(now: Loaded, options: RunOptions) -> tuple[int, Pipeline]:
        """Run until the end, or until another run is to take its place."""
        from pipeline.ops.console import report

        engines = choose_engines(now, data_dir)
        if options.preview_why:
            note = f"simulated data, until a provider can be reached ({options.preview_why})"
            engines = replace(engines, source=replace(engines.source, note=note))
        data_dir.within(engines.namespace).create()
        Layout.of(data_dir.path).remember(engines.namespace)
        pipeline = Pipeline(now, options, data_dir, engines, tail)
        async with AsyncExitStack() as watched:
            if loaded.settings.metrics.port:
                from pipeline.ops.metrics import served

                watched.enter_context(served(loaded.settings.metrics, pipeline.snapshot_with_all_topics))
            if not flags.quiet:
                await watched.enter_async_context(report(pipeline.snapshot))
            return await pipeline.run(), pipeline

    return asyncio.run(main())


@app.command(usage="Usage: fintrends-tui query COLLECTION [TICKER] [OPTIONS]")
def query(
    collection: Annotated[str, Parameter(show_default=False)] = "",  # asked for by the check, which names them
    ticker: str | None = None,
    *,
    last: int = 20,
    since: str | None = None,
    interval: str | None = None,
    source: str | None = None,
    format: Annotated[Format, Parameter(name="--format")] = "table",  # noqa: A002 - the flag's promised name
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Print documents of a collection, the newest last; also while no pipeline runs.

    Parameters
    ----------
    collection
        stock_data, indicators, forecasts, sentiment, news, social, economic or dead_letter.
    ticker
        Of this ticker only.
    last
        The newest N; 0 means all.
    since
        Not before this time: 2026-01-31, 2026-01-31T09:30 (UTC), or 90m, 36h, 7d for how long ago.
    interval
        1min, 5min, 15min, 30min, 60min, daily; of stock_data also quote, split and dividend. Without it a table or CSV
        of stock_data shows the bars, json all.
    source
        Of this source only, such as alpha_vantage or replay. What two sources say of one ticker is two series.
    format
        json is one document a line. ts is in UTC; what is daily is shown by the exchange's day in a table, and has the
        field day in json and csv. In csv, text that a spreadsheet would run as a formula begins with '.
    """
    from pipeline.engines import namespace_to_read, open_store_to_read
    from pipeline.ops import query as queries
    from pipeline.store.base import Query

    queries.check(collection, interval)
    if last < 0:
        raise QueryError("--last must be 0 (all) or more")
    wanted = Query(
        collection,
        ticker=parse_ticker(ticker) if ticker else None,
        interval=interval,
        source=source,
        since=queries.parse_time(since, datetime.now(UTC)) if since else None,
        last=last or None,
    )
    loaded = where.load()

    async def look() -> list[dict[str, Any]]:
        async with open_store_to_read(loaded) as store:
            return await queries.find(store, wanted, format)

    documents = asyncio.run(look())
    if told := origin(namespace_to_read(loaded)):
        streams.remark(told)
    queries.write(documents, format, loaded.settings.indicators.zone)
    if last and len(documents) == last:
        streams.remark(f"the newest {last} documents; --last 0 shows all")
    return 0


@app.command(
    usage="Usage: fintrends-tui export COLLECTION [TICKER] --to FILE [OPTIONS]", help_epilogue=_EXPORT_EPILOGUE
)
def export(
    collection: Annotated[str, Parameter(show_default=False)] = "",
    ticker: str | None = None,
    *,
    to: Path | None = None,
    since: str | None = None,
    until: str | None = None,
    interval: str | None = None,
    source: str | None = None,
    last: int | None = None,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Write a collection to a file, oldest first, of any size; also while no pipeline runs.

    The file appears when it is whole. Its columns are those of the messages (`fintrends-tui schema`), with types in
    Parquet, where times are in UTC.

    Parameters
    ----------
    collection
        stock_data, indicators, forecasts, sentiment, news, social, economic or dead_letter.
    ticker
        Of this ticker only.
    to
        FILE.parquet or FILE.csv. Parquet needs pyarrow: pip install 'fintrends-tui[parquet]'.
    since
        Not before this time: 2026-01-31, 2026-01-31T09:30 (UTC), or 90m, 36h, 7d for how long ago.
    until
        Before this time, which is written in the same way.
    interval
        1min, 5min, 15min, 30min, 60min, daily; of stock_data also quote, split and dividend. Without it the file of
        stock_data has the bars.
    source
        Of this source only, such as alpha_vantage or replay.
    last
        The newest N only; of stock_data together with --interval.
    force
        Replace the file if it is there already.
    """
    from pipeline.engines import namespace_to_read, open_store_to_read
    from pipeline.ops import export as exports
    from pipeline.ops import query as queries
    from pipeline.store.base import Query

    queries.check(collection, interval)
    if to is None:
        raise QueryError("name the file with --to FILE.parquet or --to FILE.csv")
    if last is not None and last < 1:
        raise QueryError("--last must be 1 or more")
    now = datetime.now(UTC)
    wanted = Query(
        collection,
        ticker=parse_ticker(ticker) if ticker else None,
        interval=interval,
        source=source,
        since=queries.parse_time(since, now) if since else None,
        until=queries.parse_time(until, now, "--until") if until else None,
        last=last,
    )
    exports.check_query(wanted)
    target = exports.check_target(to, force=force)
    loaded = where.load()
    told = origin(namespace_to_read(loaded))

    async def write() -> exports.Exported:
        async with open_store_to_read(loaded) as store:
            zone = loaded.settings.indicators.zone
            return await exports.export(store, wanted, target, zone, origin=told, force=force)

    with exports.stoppable():
        exported = asyncio.run(write())
    for sentence in exports.remarks(exported, target, told):
        streams.remark(sentence)
    return 0


@app.command(usage="Usage: fintrends-tui topics [TICKERS...] [OPTIONS]")
def topics(
    *tickers: Annotated[str, Parameter(show_default=False)],
    create: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    watch: float | None = None,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """List topics with offsets, retention and the lag of each consumer group; also while no pipeline runs.

    Exits with 1 if a group that was watched has stalled.

    Parameters
    ----------
    tickers
        Of these tickers only.
    create
        Make the missing topics of the tickers (of those watched, if none are named) and the general ones first.
    json
        One JSON document.
    watch
        Watch for this many seconds (5 or more) and say how each group does: OK, WARN (it falls behind) or STALL.
    """
    from pipeline.ops.topic_report import MIN_WATCH_SECONDS, as_table, report

    if watch is not None and not MIN_WATCH_SECONDS <= watch < float("inf"):
        raise QueryError(f"--watch must be {MIN_WATCH_SECONDS:g} seconds or more")
    symbols = parse_tickers(tickers)
    found = asyncio.run(report(where.load(), symbols, make=create, seconds=watch))
    as_json = streams.json_for(msgspec.json.encode(found).decode() + "\n", sys.stdout)
    print(as_json if json else as_table(found), end="")
    return 1 if found.has_stalled else 0


@app.command
def doctor(*, where: Where = WHERE_DEFAULTS) -> int:
    """Check configuration, directories, engines, sources and terminal, changing nothing; exit with 1 for a fault."""
    from pipeline.doctor.examine import examine

    return asyncio.run(examine(where))


@app.command
def separate(
    *, dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False, where: Where = WHERE_DEFAULTS
) -> int:
    """Separate real and simulated data that an earlier version mixed in MongoDB or on Kafka.

    Parameters
    ----------
    dry_run
        Only say what would be moved.
    """
    from pipeline.upgrade.separation import separate as part

    asyncio.run(part(where.load(), dry_run=dry_run))
    return 0


@app.command(show=False)
def maintain(
    operation: str,
    *,
    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    yes: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Do what `fintrends-tui offsets`, `replay`, `purge` and `dead-letters` are asked for when no pipeline runs; the
    operation is JSON."""
    from pipeline.contract.plans import Operation
    from pipeline.ops.maintenance import maintain as do

    return asyncio.run(do(where.load(), msgspec.json.decode(operation, type=Operation), dry_run=dry_run, yes=yes))


def main() -> None:
    """Run a command line; turn errors that are the user's to fix into one sentence and a status."""
    collector.relax()
    streams.settle()
    streams.leave(_command)


def _command() -> int | None:
    from pipeline.admin.errors import AdminError
    from pipeline.bus.base import BusError
    from pipeline.ops.export import UnwritableError
    from pipeline.sources.base import SourceError
    from pipeline.store.base import StoreError

    # Look-ups keep no log, and what aiokafka would print for lack of one reaches the user as an error of ours.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        return app(result_action="return_value")  # type: ignore[no-any-return]
    except (SettingsError, InvalidTickerError, QueryError, SourceError, AdminError) as error:
        return _fail(error, _USAGE)
    except BrokenPipeError:  # of the output: engines report theirs by their own errors
        raise
    except (DataDirError, PlaceError, BusError, StoreError, UnwritableError, OSError) as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return 130


def _fail(error: Exception, status: int) -> int:
    streams.complain(str(error))
    return status


if __name__ == "__main__":
    main()
