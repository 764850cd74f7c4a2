"""Indices and the hours of markets, as far as the watchlist tells. Pure; knows no widget."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fintrends_tui.state import format as fmt
from pipeline.contract.snapshot import TickerView, TradingView
from pipeline.model.instruments import CRYPTO, exchange_of

_LABELS: Final = {
    "^GSPC": "S&P 500",
    "^IXIC": "Nasdaq",
    "^DJI": "Dow",
    "^VIX": "VIX",
    "^TNX": "10-year",
    "BTC-USD": "BTC",
}
_MARKETS: Final = {
    "XNYS": "NYSE",
    "XLON": "London",
    "XETR": "Xetra",
    "XPAR": "Paris",
    "XTSE": "Toronto",
    "XTKS": "Tokyo",
    "XHKG": "Hong Kong",
    "XASX": "Sydney",
    "CMES": "CME",
    "currency": "Currencies",
}
_PHASES: Final = {"pre": "pre-market", "post": "after hours", "closed": "closed"}


def indices(tickers: Sequence[TickerView], wanted: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Name, price and change in per cent of those that are watched, in the order wanted."""
    by_name = {ticker.ticker: ticker for ticker in tickers}
    for name in wanted:
        if (ticker := by_name.get(name)) is not None and ticker.price is not None:
            percent = ticker.change_percent
            moved = "" if percent is None else f" {fmt.arrow(percent)} {fmt.percent(percent)}"
            yield _LABELS.get(name, name), fmt.price(ticker.price, ticker=name), moved


def missing(tickers: Iterable[TickerView], wanted: Iterable[str]) -> list[str]:
    """Those wanted that are not watched."""
    there = {ticker.ticker for ticker in tickers}
    return [name for name in wanted if name not in there]


def hours(tickers: Iterable[TickerView], now: float) -> list[str]:
    """A sentence for each market that a watched ticker trades on and that closes: ``NYSE open, closes in 2 h 14 min``.

    What trades before the open and after the close tells of its market more than its index does.
    """
    found: dict[str, TradingView] = {}
    for ticker in tickers:
        exchange = exchange_of(ticker.ticker)
        if ticker.trading is None or exchange == CRYPTO:
            continue
        if exchange.code not in found or ticker.trading.phase in ("pre", "post"):
            found[exchange.code] = ticker.trading
    return [_told(_MARKETS.get(code, code), trading, now) for code, trading in found.items()]


def _told(market: str, trading: TradingView, now: float) -> str:
    left = "" if trading.until is None else f" in {_span(trading.until - now)}"
    if trading.phase == "regular":
        return f"{market} open" + (f", closes{left}" if left else "")
    return f"{market} {_PHASES[trading.phase]}" + (f", opens{left}" if left else "")


def _span(seconds: float) -> str:
    """In minutes, hours and minutes, or from two days on in days."""
    minutes = max(0, int(seconds // 60))
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {rest} min" if hours else f"{rest} min"
