"""What every way into the program shares: what it needs of a terminal, how a dashboard begins, how errors are told.

Imports no library of command lines, see `fintrends_tui.__main__`.
"""

import os
import sys
from collections.abc import Callable, Sequence

from fintrends_tui.link.client import NotRunningError
from fintrends_tui.link.port import LinkError
from fintrends_tui.link.process import PipelineLink
from pipeline.config.settings import Loaded, SettingsError
from pipeline.model.tickers import InvalidTickerError
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.system import streams


def show(loaded: Loaded, tickers: Sequence[str], where: Sequence[str], settings: Sequence[str] = ()) -> int:
    """The dashboard, in this terminal. `where` are the flags that say which pipeline it is about, `settings` those for
    one that it starts."""
    link = PipelineLink(DataDir(loaded.data_dir), where, tickers, settings)
    # Imported here, so that the other commands answer at once.
    from fintrends_tui.run import dashboard_app, run_app

    return run_app(dashboard_app(link, loaded, tickers), where)


def no_terminal() -> str:
    """Why no screen can be shown here; empty if one can."""
    # The screen is drawn on stderr, so that one that is redirected would leave the terminal blank.
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return "the dashboard needs a terminal (stdin, stdout, stderr)"
    term = os.environ.get("TERM") or "dumb"
    return f"this terminal cannot show a screen (TERM={term})" if term in ("dumb", "unknown") else ""


def told(command: Callable[[], int | None]) -> int | None:
    """What the command returns; errors that are the user's to fix are turned into one sentence and a status."""
    try:
        return command()
    except (SettingsError, InvalidTickerError) as error:
        return fail(str(error), 2)
    except NotRunningError:
        return fail("no pipeline is running there; start one with `fintrends-tui` (see --data-dir)", 3)
    except (LinkError, DataDirError) as error:
        return fail(str(error), 1)
    except KeyboardInterrupt:
        return 130


def fail(sentence: str, status: int) -> int:
    """Tell the sentence; the status."""
    streams.complain(sentence)
    return status
