"""`fintrends-tui`: the dashboard, the headless pipeline, and the commands that talk to a running one."""

import asyncio
import difflib
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import App, Parameter

from fintrends_tui import __version__, admin, stored
from fintrends_tui.entry import fail, no_terminal, show, told
from fintrends_tui.link.client import NotRunningError, connect
from fintrends_tui.link.process import PIPELINE, PipelineLink, become_pipeline
from fintrends_tui.web.command import EPILOGUE as WEB_EPILOGUE
from fintrends_tui.web.command import web
from pipeline.config.cli_options import RUN_DEFAULTS, WHERE_DEFAULTS, RunFlags, read_speed
from pipeline.config.settings import SettingsError, load
from pipeline.config.where import Where, hand_over
from pipeline.contract.protocol import Add, Command, GetSnapshot, Load, Remove, TickersChanged
from pipeline.contract.snapshot import Snapshot
from pipeline.model.tickers import parse_tickers
from pipeline.storage.datadir import DataDir
from pipeline.system import streams

_SCHEMA_EPILOGUE = """
Examples:

  fintrends-tui schema              the messages, their topics and collections
  fintrends-tui schema bar          the JSON Schema of a bar
  fintrends-tui schema --all        of every message, in one document
"""

_DEMO_EPILOGUE = """
Examples:

  fintrends-tui demo                an hour in six minutes
  fintrends-tui demo --speed 1      an hour in an hour
"""

_EPILOGUE = """
Examples:

  fintrends-tui AAPL MSFT TSLA          the dashboard; press ? for its keys
  fintrends-tui demo                    look at it: a recorded hour, without a network
  fintrends-tui web AAPL MSFT           the same in a browser
  fintrends-tui AAPL MSFT --no-ui       the pipeline alone, in the foreground
  fintrends-tui --source simulator      the same with made-up data
  fintrends-tui doctor                  what serves what, and what is wrong
  fintrends-tui query indicators AAPL   the last 20 rows of indicators
  fintrends-tui COMMAND --help          more on each command
"""

app = App(
    name="fintrends-tui",
    version=__version__,
    version_flags="--version",
    usage="Usage: fintrends-tui [TICKERS...] [OPTIONS]\n       fintrends-tui COMMAND [OPTIONS]\n",
    help="A live financial dashboard for the terminal with its own streaming pipeline. It needs no key.",
    help_format="plaintext",
    help_epilogue=_EPILOGUE,
)
app.register_install_completion_command(help="Install completion for this shell (bash, zsh or fish), then exit.")


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
        Run the pipeline alone, in the foreground; Ctrl+C stops it gracefully.
    """
    symbols = parse_tickers(tickers)
    if (mistyped := _mistyped_command(tickers)) is not None:
        return fail(mistyped, 2)
    hand_over(flags)
    if no_ui:
        become_pipeline([*symbols, *flags.arguments()])
    if why := no_terminal():
        return fail(f"{why}; run the pipeline alone with --no-ui", 2)
    loaded = load(flags.config, flags.with_tickers(tickers))
    return show(loaded, symbols, Where.arguments(flags), flags.run_arguments())


@app.command(help_epilogue=_DEMO_EPILOGUE)
def demo(
    *,
    speed: Annotated[float | Literal["max"], Parameter(converter=read_speed)] = 10.0,
) -> int:
    """Show the dashboard on a recorded hour of simulated markets: no network, no configuration, nothing left behind.

    The companies do not exist. It runs in a data directory of its own, which is removed when you quit (q, Ctrl+C).

    Parameters
    ----------
    speed
        A multiple of real time, or max. On the screen + and - change it, p pauses.
    """
    if why := no_terminal():
        return fail(why, 2)
    from fintrends_tui.demo import play

    return play(speed)


@app.command
def status(
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    schema: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    where: Where = WHERE_DEFAULTS,
) -> int:
    """Report the state of the pipeline.

    Exits with 0 if all is well, 1 if something failed, stalled or is unavailable or the pipeline is starting or
    stopping, and 3 if none runs.

    Parameters
    ----------
    json
        Everything the dashboard knows, as one JSON document.
    schema
        The JSON Schema of that document, which says what every field means.
    """
    if schema:
        text = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Snapshot))).decode()
        print(streams.json_for(text, sys.stdout))
        return 0
    try:
        snapshot: Snapshot = asyncio.run(_ask(where, GetSnapshot()))
    except NotRunningError:
        return stored.tell(where.load(), json=json)
    from fintrends_tui.status import describe, is_healthy

    as_json = streams.json_for(msgspec.json.encode(snapshot).decode(), sys.stdout)
    print(as_json if json else describe(snapshot))
    return 0 if is_healthy(snapshot) else 1


@app.command
def stop(*, where: Where = WHERE_DEFAULTS) -> int:
    """Drain and stop the running pipeline. Shows what it waits for, and returns when its process has ended."""
    from fintrends_tui.stopping import stop_and_wait

    pid = asyncio.run(stop_and_wait(DataDir(where.load().data_dir)))
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
    become_pipeline(["query", *words])


@app.command
def topics(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """List topics with offsets, retention and the lag of each consumer group; --create creates missing topics."""
    become_pipeline(["topics", *words])


@app.command
def export(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Write a collection to a Parquet or CSV file, of any size; also while no pipeline runs."""
    become_pipeline(["export", *words])


@app.command(usage="Usage: fintrends-tui schema [MESSAGE] [OPTIONS]", help_epilogue=_SCHEMA_EPILOGUE)
def schema(
    message: str | None = None,
    *,
    all: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,  # noqa: A002 - the flag's name
) -> int:
    """Print the JSON Schema (2020-12) of a message, for programs that read or write topics and collections.

    Without a message: a list of all, with their versions, topics and collections.

    Parameters
    ----------
    message
        The value of its field type, such as bar or indicators.
    all
        The schemas of all messages, as one document.
    """
    from pipeline.contract import schemas

    if message is None and not all:
        print(schemas.as_table(), end="")
        return 0
    if message is not None and message not in schemas.KINDS:
        near = difflib.get_close_matches(message.lower(), schemas.KINDS, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        return fail(f"there is no message {message!r}; the messages are {', '.join(schemas.KINDS)}{meant}", 2)
    found = schemas.schema_of_all() if message is None else schemas.schema_of_one(schemas.KINDS[message])
    print(streams.json_for(msgspec.json.format(msgspec.json.encode(found)).decode(), sys.stdout))
    return 0


@app.command
def separate(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Separate real and simulated data that an earlier version mixed in MongoDB or on Kafka; --dry-run only reports."""
    become_pipeline(["separate", *words])


@app.command
def doctor(*, where: Where = WHERE_DEFAULTS) -> int:
    """Check configuration, directories, engines, sources and terminal; report how to fix each fault.

    Changes nothing; exits with 1 if something is broken.
    """
    hand_over(where)
    sys.stdout.flush()
    status = subprocess.call([*PIPELINE, "doctor", *where.arguments()])  # noqa: S603
    if status < 0:
        return 128 - status
    try:
        loaded = where.load()
    except SettingsError:  # which the other process has reported
        return status
    from fintrends_tui.run import dashboard_app
    from pipeline.doctor.finding import fault, written

    try:
        dashboard_app(PipelineLink(DataDir(loaded.data_dir), (), ()), loaded, ())
    except SettingsError as error:
        what = fault("the dashboard cannot be shown", str(error), "correct it; the pipeline alone runs all the same")
        print(written(what, sys.stdout.encoding), end="")
        return 1
    return status


for _hand in (admin.offsets, admin.replay, admin.purge, admin.dead_letters):
    app.command(_hand)
app.command(web, usage="Usage: fintrends-tui web [TICKERS...] [OPTIONS]", help_epilogue=WEB_EPILOGUE)
for _name in ("query", "export", "topics", "separate"):  # they answer --help themselves
    app[_name].help_flags = ()
    app[_name].version_flags = ()


def _change(command: Command, where: Where) -> int:
    changed: TickersChanged = asyncio.run(_ask(where, command))
    print(changed.note)
    return 0


async def _ask(where: Where, command: Command) -> Any:
    async with connect(DataDir(where.load().data_dir).socket) as connection:
        return await connection.ask(command)


def _mistyped_command(words: Sequence[str]) -> str | None:
    """The message about a word that is probably a mistyped command: lower case, and close to a command's name."""
    commands = [name for name in app if not name.startswith("-")]
    for word in words:
        near = difflib.get_close_matches(word, commands, n=1, cutoff=0.75) if word.islower() else []
        if near:
            return f"there is no command {word!r}; did you mean {near[0]}? (As a ticker, write {word.upper()}.)"
    return None


def command() -> int | None:
    """Run a command line."""
    return told(partial(app, result_action="return_value"))
