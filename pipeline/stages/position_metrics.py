"""What the user holds of each ticker, for alerts: worked out here, so that they come without a screen too."""

import logging
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from pipeline.contract.markets import markets
from pipeline.contract.snapshot import TickerView
from pipeline.model.positions import portfolio
from pipeline.storage.positions_file import PositionBook, PositionsFile

log = logging.getLogger(__name__)


class PositionMetrics:
    """Reads the file again whenever it has changed; what is wrong with it is logged once."""

    def __init__(self, file: PositionsFile | None, currency: str, zone: ZoneInfo) -> None:
        """`currency` is that of the account; days are those of `zone` where a symbol names no exchange."""
        self._file = file
        self._currency = currency
        self._zone = zone
        self._told: PositionBook | None = None

    def of(self, tickers: Iterable[TickerView]) -> Mapping[str, Mapping[str, float | None]]:
        """Of each ticker that is held, the metrics of a position by name."""
        if self._file is None:
            return {}
        book = self._file.current()
        if book is not self._told:
            self._told = book
            for problem in book.problems:
                log.warning("positions: %s", problem)
        lots = [written.lot for written in book.lots]
        if not lots:
            return {}
        found = portfolio(lots, markets(tickers, self._zone), self._currency)
        return {position.ticker: position.metrics for position in found.positions}
