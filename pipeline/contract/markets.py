"""What positions need to know of watched tickers."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.contract.snapshot import TickerView
from pipeline.model.instruments import zone_of
from pipeline.model.positions import Market, SplitOn


def markets(tickers: Iterable[TickerView], zone: ZoneInfo) -> dict[str, Market]:
    """By ticker; days are those of its exchange, or of `zone` where its symbol names none."""
    return {ticker.ticker: _market(ticker, zone_of(ticker.ticker, zone)) for ticker in tickers}


def _market(ticker: TickerView, zone: ZoneInfo) -> Market:
    def day(at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC).astimezone(zone)

    return Market(
        ticker.price,
        ticker.change,
        ticker.currency,
        None if ticker.as_of is None else day(ticker.as_of).date(),
        tuple(SplitOn(day(split.ts).date(), split.numerator, split.denominator) for split in ticker.splits),
        ticker.simulated,
        ticker.trouble.why if ticker.trouble is not None else "",
    )
