"""`fintrends-tui`: the dashboard, the headless pipeline, and the commands that talk to a running one."""

import asyncio
import difflib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import msgspec
from cyclopts import App, Parameter

from fintrends_tui import __version__
from fintrends_tui.client import NotRunningError, connect
from fintrends_tui.link import LinkError
from fintrends_tui.process import PIPELINE, PipelineLink
from pipeline.datadir import DataDir, DataDirError
from pipeline.options import RUN_DEFAULTS, WHERE_DEFAULTS, RunFlags, Where, hand_over
from pipeline.protocol import Add, Command, GetSnapshot, Load, Remove, Stop, TickersChanged
from pipeline.settings import SettingsError, load
from pipeline.snapshot import Snapshot
from pipeline.tickers import InvalidTickerError, parse_tickers

_EPILOGUE = """
Examples:

  fintrends-tui AAPL MSFT TSLA          the dashboard; press ? for its keys
  fintrends-tui AAPL MSFT --no-ui       the pipeline alone, in the foreground
  fintrends-tui query indicators AAPL   the last 20 rows of indicators
  fintrends-tui COMMAND --help          more on each command
"""

app = App(
    name="fintrends-tui",
    version=__version__,
    version_flags="--version",
    usage="Usage: fintrends-tui [TICKERS...] [OPTIONS]\n       fintrends-tui COMMAND [OPTIONS]\n",
    help="A live financial dashboard for the terminal with its own streaming pipeline.",
    help_format="plaintext",
    help_epilogue=_EPILOGUE,
)


@app.default
def dashboard(
    *tickers: str,
    no_ui: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    flags: RunFlags = RUN_DEFAULTS,
) -> int:
    """Show the dashboard. It starts a pipeline, or attaches to the one that runs on the data directory.

    Parameters
    ----------
    tickers
        What to watch, such as AAPL MSFT BRK.B ^GSPC. Default: those of the configuration, else the last ones.
    no_ui
        Run the pipeline alone, in the foreground; Ctrl+C stops it in good order.
    """
    symbols = parse_tickers(tickers)
    if (mistyped := _mistyped_command(tickers)) is not None:
        return _fail(mistyped, 2)
    hand_over(flags)
    if no_ui:
        _become_pipeline([*symbols, *flags.arguments()])
    # The screen is drawn on stderr, so that one that is redirected would leave the terminal blank.
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return _fail("this is no terminal (stdin, stdout and stderr must be); run the pipeline alone with --no-ui", 2)
    if (term := os.environ.get("TERM") or "dumb") in ("dumb", "unknown"):
        return _fail(f"this terminal cannot show a screen (TERM={term}); run the pipeline alone with --no-ui", 2)
    loaded = load(flags.config, flags.with_tickers(tickers))
    where = Where.arguments(flags)
    link = PipelineLink(DataDir(loaded.data_dir), where, symbols, flags.run_arguments())
    # Imported here, so that the other commands answer at once.
    from fintrends_tui.terminal import dashboard_app, run_app

    return run_app(dashboard_app(link, loaded, symbols), where)


@app.command
def status(
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    schema: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Say how the pipeline is; exit with 0 if all is well, 1 if something has failed or stalled, 3 if none runs.

    Parameters
    ----------
    json
        Everything the dashboard knows, as one JSON document.
    schema
        The JSON Schema of that document, which says what every field means.
    """
    if schema:
        print(msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Snapshot))).decode())
        return 0
    try:
        snapshot: Snapshot = asyncio.run(_ask(where, GetSnapshot()))
    except NotRunningError:
        if not json:
            print("no pipeline is running", flush=True)
        hand_over(where)
        _become_pipeline(["stored", *(["--json"] if json else []), *where.arguments()])
    from fintrends_tui.status import describe, is_healthy

    print(msgspec.json.encode(snapshot).decode() if json else describe(snapshot))
    return 0 if is_healthy(snapshot) else 1


@app.command
def stop(*, where: Where = WHERE_DEFAULTS) -> int:
    """Drain and stop the running pipeline; returns when it is gone."""
    pid = asyncio.run(_stop(where))
    print(f"the pipeline (pid {pid}) has stopped")
    return 0


@app.command
def add(*tickers: Annotated[str, Parameter(required=True)], where: Where = WHERE_DEFAULTS) -> int:
    """Watch more tickers in the running pipeline.

    Parameters
    ----------
    tickers
        Such as AAPL MSFT BRK.B ^GSPC.
    """
    return _change(Add(parse_tickers(tickers)), where)


@app.command
def remove(*tickers: Annotated[str, Parameter(required=True)], where: Where = WHERE_DEFAULTS) -> int:
    """Stop watching tickers in the running pipeline. What is stored stays.

    Parameters
    ----------
    tickers
        Of the watchlist.
    """
    return _change(Remove(parse_tickers(tickers)), where)


@app.command(name="load", usage="Usage: fintrends-tui load [TICKERS...] [OPTIONS]")
def load_history(
    *tickers: str,
    wait: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Load the history of tickers into the running pipeline; of all that are watched if none are named.

    Parameters
    ----------
    tickers
        Those that are not watched yet are added to the watchlist.
    wait
        Show the progress and return when it is done; with 1 if a load failed.
    """
    symbols = parse_tickers(tickers)
    if not wait:
        return _change(Load(symbols), where)
    from fintrends_tui.status import follow_loads

    return asyncio.run(follow_loads(DataDir(where.load().data_dir).socket, symbols))


@app.command
def query(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Print documents of a collection, the newest last; also while no pipeline runs."""
    _become_pipeline(["query", *words])


@app.command
def topics(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """List topics with offsets, retention and the lag of each consumer group; --create makes the missing ones."""
    _become_pipeline(["topics", *words])


@app.command
def doctor(*, where: Where = WHERE_DEFAULTS) -> int:
    """Check configuration, directories, engines and terminal; say for each fault what to do.

    Changes nothing; exits with 1 if something is broken.
    """
    hand_over(where)
    sys.stdout.flush()
    status = subprocess.call([*PIPELINE, "doctor", *where.arguments()])  # noqa: S603
    if status < 0:
        return 128 - status
    try:
        loaded = where.load()
    except SettingsError:  # of which the other has told
        return status
    from fintrends_tui.terminal import dashboard_app
    from pipeline.doctor_finding import fault, written

    try:
        dashboard_app(PipelineLink(DataDir(loaded.data_dir), (), ()), loaded, ())
    except SettingsError as error:
        what = fault("the dashboard cannot be shown", str(error), "correct it; the pipeline alone runs all the same")
        print(written(what, sys.stdout.encoding), end="")
        return 1
    return status


for _name in ("query", "topics"):  # they answer --help themselves
    app[_name].help_flags = ()
    app[_name].version_flags = ()


def _change(command: Command, where: Where) -> int:
    changed: TickersChanged = asyncio.run(_ask(where, command))
    print(changed.note)
    return 0


async def _ask(where: Where, command: Command) -> Any:
    async with connect(DataDir(where.load().data_dir).socket) as connection:
        return await connection.ask(command)


async def _stop(where: Where, patience: float = 60.0) -> int:
    data_dir = DataDir(where.load().data_dir)
    async with connect(data_dir.socket) as connection:
        await connection.ask(Stop())
        pid = connection.pid
        deadline = time.monotonic() + patience
        while data_dir.is_owned:
            if time.monotonic() > deadline:
                raise LinkError(f"the pipeline (pid {pid}) still runs after {patience:g} seconds; its log says why")
            await asyncio.sleep(0.05)
    return pid


def _mistyped_command(words: Sequence[str]) -> str | None:
    """What to say of what is hardly a ticker: a word in lower case that is nearly a command."""
    commands = [name for name in app if not name.startswith("-")]
    for word in words:
        near = difflib.get_close_matches(word, commands, n=1, cutoff=0.75) if word.islower() else []
        if near:
            return f"there is no command {word!r}; did you mean {near[0]}? (As a ticker, write {word.upper()}.)"
    return None


def _become_pipeline(arguments: Sequence[str]) -> NoReturn:
    """Hand over to the package that knows the engines; this one never imports them."""
    sys.stdout.flush()
    os.execv(PIPELINE[0], [*PIPELINE, *arguments])  # noqa: S606


def main() -> None:
    """Run a command line; turn errors that are the user's to mend into one sentence and a status."""
    if sys.platform == "win32":
        sys.exit("fintrends-tui runs on Linux and macOS; on Windows use it inside WSL")
    try:
        status = app()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 128 + signal.SIGPIPE
    except (SettingsError, InvalidTickerError) as error:
        status = _fail(str(error), 2)
    except NotRunningError:
        status = _fail("no pipeline is running there; start one with `fintrends-tui` (see --data-dir)", 3)
    except (LinkError, DataDirError) as error:
        status = _fail(str(error), 1)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _fail(sentence: str, status: int) -> int:
    print(f"fintrends-tui: {sentence}", file=sys.stderr)
    return status
