"""`python -m pipeline`: the pipeline in the foreground, and look-ups in what it stored."""

import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from pipeline import __version__
from pipeline.datadir import DataDir, DataDirError
from pipeline.options import RUN_DEFAULTS, WHERE_DEFAULTS, RunFlags, Where
from pipeline.query import Format, QueryError
from pipeline.settings import Loaded, SettingsError
from pipeline.tickers import InvalidTickerError, parse_ticker, parse_tickers

# Status 2 is "asked for the impossible", 1 is "went wrong".
_USAGE = 2

app = App(name="fintrends-tui", version=__version__, version_flags="--version", help_format="plaintext")


@app.default
def run(
    *tickers: Annotated[str, Parameter(show_default=False)],
    flags: RunFlags = RUN_DEFAULTS,
) -> int:
    """Run the pipeline in the foreground. Ctrl+C stops it in good order, a second one at once.

    Parameters
    ----------
    tickers
        What to watch, such as AAPL MSFT BRK.B ^GSPC. Default: those of the configuration, else the last ones.
    """
    from pipeline import settings

    loaded = settings.load(flags.config, flags.with_tickers(tickers))
    data_dir = DataDir(loaded.data_dir)
    data_dir.create()
    data_dir.lock()
    try:
        return _run(loaded, data_dir, flags)
    finally:
        data_dir.unlock()


def _run(loaded: Loaded, data_dir: DataDir, flags: RunFlags) -> int:
    from pipeline import logs
    from pipeline.engines import choose_engines
    from pipeline.runtime import Pipeline, RunOptions

    try:
        tail = logs.set_up(loaded.log_dir, loaded.settings.logging, loaded.secrets, stderr=True)
    except OSError as error:
        raise DataDirError(f"cannot write logs to {loaded.log_dir}: {error.strerror}; change logging.dir") from error
    options = RunOptions(flags.initial_load, flags.until_idle, flags.duration)

    async def main() -> int:
        from pipeline.console import report

        pipeline = Pipeline(loaded, options, data_dir, choose_engines(loaded, data_dir), tail)
        async with AsyncExitStack() as watched:
            if loaded.settings.metrics.port:
                from pipeline.metrics import served

                watched.enter_context(served(loaded.settings.metrics, pipeline.snapshot_with_all_topics))
            if not flags.quiet:
                await watched.enter_async_context(report(pipeline.snapshot))
            return await pipeline.run()

    return asyncio.run(main())


@app.command(usage="Usage: fintrends-tui query COLLECTION [TICKER] [OPTIONS]")
def query(
    collection: Annotated[str, Parameter(show_default=False)] = "",  # asked for by the check, which names them
    ticker: str | None = None,
    *,
    last: int = 20,
    since: str | None = None,
    interval: str | None = None,
    format: Annotated[Format, Parameter(name="--format")] = "table",  # noqa: A002 - the flag's promised name
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Print documents of a collection, the newest last; also while no pipeline runs.

    Parameters
    ----------
    collection
        stock_data, indicators, sentiment, news, social, economic or dead_letter.
    ticker
        Of this ticker only.
    last
        The newest N; 0 means all.
    since
        Not before this time: 2026-01-31, 2026-01-31T09:30 (UTC), or 90m, 36h, 7d for how long ago.
    interval
        1min, 5min, 15min, 30min, 60min, daily; quote for the quotes in stock_data.
    format
        json is one document a line.
    """
    from pipeline import query as queries
    from pipeline.engines import open_store_to_read
    from pipeline.store.base import Query

    queries.check(collection, interval)
    if last < 0:
        raise QueryError("--last must be 0 (all) or more")
    wanted = Query(
        collection,
        ticker=parse_ticker(ticker) if ticker else None,
        interval=interval,
        since=queries.parse_since(since, datetime.now(UTC)) if since else None,
        last=last or None,
    )
    loaded = where.load()

    async def look() -> list[dict[str, Any]]:
        async with open_store_to_read(loaded) as store:
            return await store.find(wanted)

    documents = asyncio.run(look())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends us as it ends any filter
    queries.write(documents, format)
    if last and len(documents) == last:
        print(f"the newest {last}; --last 0 shows all", file=sys.stderr)
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
    from pipeline.topic_report import MIN_WATCH_SECONDS, as_table, report

    if watch is not None and not MIN_WATCH_SECONDS <= watch < float("inf"):
        raise QueryError(f"--watch must be {MIN_WATCH_SECONDS:g} seconds or more")
    symbols = parse_tickers(tickers)
    found = asyncio.run(report(where.load(), symbols, make=create, seconds=watch))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(msgspec.json.encode(found).decode() + "\n" if json else as_table(found), end="")
    return 1 if found.has_stalled else 0


@app.command
def doctor(*, where: Where = WHERE_DEFAULTS) -> int:
    """Check configuration, directories, engines and terminal, changing nothing; exit with 1 if something is broken."""
    from pipeline.doctor import examine

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return asyncio.run(examine(where))


@app.command(show=False)
def stored(
    *, json: Annotated[bool, Parameter(negative="", show_default=False)] = False, where: Where = WHERE_DEFAULTS
) -> int:
    """What is stored, for `fintrends-tui status` when no pipeline runs; exits with 3."""
    from pipeline.stored import describe

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    asyncio.run(describe(where.load(), json))
    return 3


def main() -> None:
    """Run a command line; turn errors that are the user's to mend into one sentence and a status."""
    from pipeline.bus.base import BusError
    from pipeline.sources.base import SourceError
    from pipeline.store.base import StoreError

    # Look-ups keep no log, and what aiokafka would print for want of one reaches the user as an error of ours.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        status = app()
    except (SettingsError, InvalidTickerError, QueryError, SourceError) as error:
        status = _fail(error, _USAGE)
    except (DataDirError, BusError, StoreError, OSError) as error:
        status = _fail(error, 1)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _fail(error: Exception, status: int) -> int:
    print(f"fintrends-tui: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
