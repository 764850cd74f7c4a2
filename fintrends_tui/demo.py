"""The demo: a recorded hour, in a data directory that is thrown away with it."""

import os
import shutil
import signal
import tempfile
from collections.abc import MutableMapping
from datetime import date
from pathlib import Path
from typing import Final, Literal

import msgspec

from fintrends_tui.link.process import PipelineLink
from fintrends_tui.run import dashboard_app, run_app
from fintrends_tui.state.access import DEMO
from pipeline.config.settings import ENV_PREFIX, KNOWN_ENV, load
from pipeline.model.lots import parse_lot, table_of
from pipeline.sources.demo.recording import TICKERS
from pipeline.storage.datadir import DataDir

_STOP_SECONDS: Final = 10.0
_LOTS: Final = (
    "HARBOR 40 312.50 2025-06-02 fees 1 USD",
    "HARBOR -15 371.20 2025-12-09 fees 1 USD",
    "LANTERN 12 951.10 2025-09-15 USD",
    "QUARRY 600 29.85 2025-04-11 USD",
    "TIMBER -80 112.40 2026-02-17 USD",
)
"""What is bought, sold in part, and sold short."""


def play(speed: float | Literal["max"], environ: MutableMapping[str, str] = os.environ) -> int:
    """Show the dashboard on the recording until it is left, and leave nothing behind; the exit status.

    No configuration is read and settings in the environment are forgotten, for they might name engines and sources.
    """
    for name in [name for name in environ if name.startswith(ENV_PREFIX) or name in KNOWN_ENV]:
        del environ[name]
    directory = Path(tempfile.mkdtemp(prefix="fintrends-demo-"))
    link: PipelineLink | None = None

    def throw_away() -> None:
        if link is not None:
            link.end_process(_STOP_SECONDS)
        shutil.rmtree(directory, ignore_errors=True)

    try:
        config = directory / "config.toml"
        lots = directory / "positions.toml"
        lots.touch(0o600)
        tables = (table_of(parse_lot(line, date.max)) for line in _LOTS)
        lots.write_text("\n".join(("# A sample of the demo: nobody holds this.\n", *tables)), "utf-8")
        config.write_text(f"[positions]\nfile = {msgspec.json.encode(str(lots)).decode()}\n", "utf-8")
        run = ("--config", str(config), "--source", "demo", "--speed", str(speed), "--initial-load")
        link = PipelineLink(DataDir(directory), ("--data-dir", str(directory), *run), TICKERS)
        loaded = load(config, {"pipeline": {"data_dir": str(directory)}}, environ)
        app = dashboard_app(link, loaded, (), DEMO)
        return run_app(app, throw_away=throw_away)
    finally:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it does not last long
        throw_away()
