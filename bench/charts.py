"""How long a chart takes to draw, by size and style: medians in milliseconds of CPU.

uv run python -m bench.charts
"""

import random
import statistics
import time

from fintrends_tui.charting.composing import ChartData, compose
from fintrends_tui.charting.drawing import draw
from fintrends_tui.charting.look import Look
from pipeline.contract.protocol import BarPoint, History

SIZES = ((46, 10), (78, 12), (138, 45), (198, 60))
STYLES = ("line", "candles")
RUNS = 50
BARS = 960
"""Minutes from four in the morning to eight in the evening."""
BEGIN = 1_550_221_200.0
FIELDS = ("sma_20", "sma_50", "rsi_14")


def history() -> History:
    noise, price, bars = random.Random(1), 170.0, []
    for minute in range(BARS):
        close = price + noise.gauss(0, 0.1)
        high, low = max(price, close) + abs(noise.gauss(0, 0.05)), min(price, close) - abs(noise.gauss(0, 0.05))
        extended = not 330 <= minute < 720
        bars.append(BarPoint(BEGIN + 60 * minute, price, high, low, close, noise.uniform(1e3, 1e5), extended))
        price = close
    indicators = {field: [50.0 if field == "rsi_14" else bar.close for bar in bars] for field in FIELDS}
    return History("AAPL", "1min", ["1min"], bars, indicators, "America/New_York", "yahoo")


def main() -> None:
    data = ChartData(history())
    print(f"{'size':<10}{'style':<10}{'gather':>8}{'draw':>8}")
    for width, height in SIZES:
        for style in STYLES:
            look = Look(style=style, volume=True, studies=frozenset({"sma", "rsi"}))
            gathering, drawing = [], []
            for _ in range(RUNS):
                begun = time.process_time()
                plot = compose(data, look, None, width)
                gathered = time.process_time()
                draw(plot, width, height)
                drawing.append(time.process_time() - gathered)
                gathering.append(gathered - begun)
            figures = (1000 * statistics.median(times) for times in (gathering, drawing))
            print(f"{f'{width}x{height}':<10}{style:<10}" + "".join(f"{figure:>8.1f}" for figure in figures))


if __name__ == "__main__":
    main()
