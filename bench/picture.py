"""A picture of the dashboard on a running pipeline with simulated data; by default that of the README.

uv run python -m bench.picture docs/dashboard.svg
uv run python -m bench.picture /tmp/light.svg --size 80x24 --theme fintrends-light
uv run python -m bench.picture /tmp/detail.svg --press enter f --ascii
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from fintrends_tui.app import ExitReason, FintrendsApp
from fintrends_tui.link.process import PipelineLink
from pipeline.config.settings import ScreenSettings
from pipeline.contract.protocol import Load
from pipeline.storage.datadir import DataDir

TICKERS = ["AAPL", "MSFT", "TSLA", "NVDA", "BRK.B", "VOD.L", "^GSPC", "BTC-USD", "ETH-USD"]
PATIENCE = 240
SETTLE = 5
"""Seconds after the histories are loaded, until rates and panels are those of an ordinary moment."""


async def take(wanted: argparse.Namespace) -> str:
    """The screen as SVG, after its keys were pressed."""
    with tempfile.TemporaryDirectory(prefix="fintrends-") as name:
        link = PipelineLink(DataDir(Path(name)), ["--source", "simulator", "--data-dir", name], TICKERS)
        settings = ScreenSettings(theme=wanted.theme)
        app = FintrendsApp(link, tickers=TICKERS, settings=settings, ascii_only=wanted.ascii)
        columns, lines = map(int, wanted.size.split("x"))
        async with app.run_test(size=(columns, lines)) as pilot, asyncio.timeout(PATIENCE):
            try:
                await _until_loaded(app, pilot)
                for key in wanted.press:
                    await pilot.press(key)
                await pilot.pause(SETTLE)
                return app.export_screenshot(title="fintrends-tui AAPL MSFT TSLA …")
            finally:
                await link.stop_pipeline()


async def _until_loaded(app: FintrendsApp, pilot: Pilot[ExitReason]) -> None:
    while not (snapshot := app.current_view.snapshot) or not all(ticker.rsi for ticker in snapshot.tickers):
        await pilot.pause(0.2)
    await app.link.ask(Load([]))
    await pilot.pause(SETTLE)
    while (snapshot := app.current_view.snapshot) is None or snapshot.loads or _lag(app):
        await pilot.pause(0.2)


def _lag(app: FintrendsApp) -> int:
    snapshot = app.current_view.snapshot
    return sum(group.lag for topic in snapshot.topics for group in topic.groups) if snapshot else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.picture")
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", default="140x45", help="columns and lines")
    parser.add_argument("--theme", default="")
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--press", nargs="*", default=[], help="keys, as Textual names them")
    wanted = parser.parse_args()
    wanted.file.write_text(asyncio.run(take(wanted)), "utf-8")


if __name__ == "__main__":
    main()
