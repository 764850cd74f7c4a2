"""A ticker's line on the watchlist. Pure; knows no widget."""

from collections.abc import Iterable, Sequence
from typing import Final

from fintrends_tui.widgets.table.cells import Row, outside, text
from fintrends_tui.widgets.table.watch_cells import WatchLine, age
from fintrends_tui.widgets.table.watch_columns import CATALOGUE, DEFAULT
from pipeline.contract.snapshot import TickerView

_FLASH_SECONDS: Final = 1


class Flashes:
    """Which prices have just changed, and in which direction."""

    def __init__(self) -> None:
        self._prices: dict[str, float | None] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def see(self, tickers: Iterable[TickerView], now: int) -> None:
        """Compare with the prices seen last."""
        for ticker in tickers:
            before, after = self._prices.get(ticker.ticker), ticker.price
            if before is not None and after is not None and before != after:
                self._seen[ticker.ticker] = (1 if after > before else -1, now)
            self._prices[ticker.ticker] = after
        self._seen = {name: (sign, at) for name, (sign, at) in self._seen.items() if now - at <= _FLASH_SECONDS}

    def of(self, ticker: str) -> int:
        """1 for one that has just risen, -1 for one that has fallen, else 0."""
        return self._seen[ticker][0] if ticker in self._seen else 0


class WatchRows:
    """Rows that are made anew only where they are another: of a thousand tickers few change at a time."""

    def __init__(self) -> None:
        self._titles: Sequence[str] = ()
        self._made: dict[str, tuple[object, Row]] = {}
        """What each was made from, and the row."""

    def of(self, lines: Iterable[WatchLine], titles: Sequence[str]) -> list[Row]:
        """See `row`. Of the time only the age of a line is made."""
        before = self._made if titles == self._titles else {}
        self._titles, self._made = titles, {}
        rows = []
        for line in lines:
            basis = line._replace(now=0), age(line)
            made = before.get(line.ticker.ticker)
            if made is None or made[0] != basis:
                made = basis, row(line, titles)
            self._made[line.ticker.ticker] = made
            rows.append(made[1])
        return rows


def row(line: WatchLine, titles: Sequence[str] = DEFAULT) -> Row:
    """A cell for each of the `titles`; where there is no price and a reason for that, the reason."""
    ticker = line.ticker
    note = ticker.note or (ticker.trouble.why if ticker.trouble is not None else "")
    if note and ticker.price is None:
        return Row(ticker.ticker, ((*text(f"{ticker.ticker:<8} ", "strong"), *outside(note, "warn")),))
    return Row(ticker.ticker, tuple(CATALOGUE[title].cell(line) for title in titles))
