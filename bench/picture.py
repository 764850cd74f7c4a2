"""The README's picture: the dashboard on a running pipeline, in a terminal of 140x45.

uv run python -m bench.picture docs/dashboard.svg
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from fintrends_tui.app import FintrendsApp
from fintrends_tui.link.process import PipelineLink
from pipeline.contract.protocol import Load
from pipeline.storage.datadir import DataDir

TICKERS = ["AAPL", "MSFT", "TSLA", "NVDA", "BRK.B", "^GSPC", "BTC-USD"]
PATIENCE = 120
SETTLE = 25


async def main(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="fintrends-") as name:
        flags = ["--source", "simulator", "--data-dir", name]
        link = PipelineLink(DataDir(Path(name)), flags, TICKERS)
        app = FintrendsApp(link, tickers=TICKERS)
        async with app.run_test(size=(140, 45)) as pilot:
            async with asyncio.timeout(PATIENCE):
                while not (view := app.current_view).snapshot or not all(t.rsi for t in view.snapshot.tickers):
                    await pilot.pause(0.2)
            await link.ask(Load([]))
            await pilot.pause(SETTLE)
            picture = app.export_screenshot(title="fintrends-tui AAPL MSFT TSLA …")
            await link.stop_pipeline()
    await asyncio.to_thread(target.write_text, picture, "utf-8")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
