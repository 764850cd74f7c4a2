"""`python -m fintrends_tui.web.viewer`: the dashboard of one who looks in by a browser, in its standard streams."""

import fcntl
import sys
import termios
from typing import Annotated

from cyclopts import App, Parameter

from fintrends_tui.link.process import PipelineLink
from fintrends_tui.link.reading import ReadingLink
from fintrends_tui.run import dashboard_app, run_app
from fintrends_tui.state.access import READER, WRITER
from pipeline.config.cli_options import WHERE_DEFAULTS
from pipeline.config.where import Where
from pipeline.storage.datadir import DataDir
from pipeline.system import streams

app = App(name="fintrends_tui.web.viewer")


@app.default
def look(*, write: Annotated[bool, Parameter(negative="")] = False, where: Where = WHERE_DEFAULTS) -> int:
    """Show the dashboard of the pipeline that runs there. Nothing can be changed, unless it may `write`."""
    # So that the server's end is heard of: its size by SIGWINCH, and that it has gone by SIGHUP.
    fcntl.ioctl(sys.stdin.fileno(), termios.TIOCSCTTY, 0)
    loaded = where.load()
    link = PipelineLink(DataDir(loaded.data_dir), (), (), starts=False)
    access = WRITER if write else READER
    return run_app(dashboard_app(link if write else ReadingLink(link), loaded, (), access))


if __name__ == "__main__":
    streams.settle()
    streams.leave(lambda: app(result_action="return_value"))
