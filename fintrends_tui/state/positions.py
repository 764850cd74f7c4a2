"""What the user holds, as the screen shows it: beside each ticker, and in sums. Knows no widget."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fintrends_tui.state import format as fmt
from pipeline.contract.markets import markets
from pipeline.contract.snapshot import Snapshot, TickerView
from pipeline.model import rates
from pipeline.model.currencies import in_major
from pipeline.model.positions import Market, Portfolio, Position, portfolio, wanted
from pipeline.storage.positions_file import PositionBook, PositionsFile

MASK: Final = "•••"
"""What stands in the place of an amount that is hidden."""
_DECIMALS: Final = 8
"""Of a quantity."""
_WIDE: Final = 20
_EMPTY: Final = PositionBook()


class Holdings(NamedTuple):
    """What one repaint shows of positions. `hidden` says that amounts are not to be seen, `sample` that all of it is
    made up."""

    book: PositionBook = _EMPTY
    markets: Mapping[str, Market] = {}
    portfolio: Portfolio = Portfolio("USD")
    hidden: bool = False
    sample: bool = False


NO_HOLDINGS: Final = Holdings()


class PositionKeeper:
    """The user's lots, and what they are worth in the latest snapshot."""

    def __init__(
        self,
        path: Path | None = None,
        currency: str = "USD",
        zone: ZoneInfo | None = None,
        *,
        sample: bool = False,
    ) -> None:
        """`currency` is that of the account; days are those of `zone` where a symbol names no exchange. A `sample` is
        of nobody's lots."""
        self.file = PositionsFile(path) if path is not None else None
        self._currency = currency
        self._sample = sample
        self._zone = zone or ZoneInfo("America/New_York")
        self._asked: set[str] = set()
        self._told: tuple[str, ...] = ()
        self._basis: tuple[Sequence[TickerView] | None, PositionBook, bool] | None = None
        self._now = self._looked = NO_HOLDINGS

    def now(self, snapshot: Snapshot | None, *, hidden: bool) -> Holdings:
        """The same object for as long as nothing has changed."""
        tickers = snapshot.tickers if snapshot is not None else None
        basis = tickers, self.file.current() if self.file is not None else _EMPTY, hidden
        if self._basis is None or any(old is not new for old, new in zip(self._basis, basis, strict=True)):
            self._basis = basis
            known = markets(tickers, self._zone) if tickers is not None and basis[1].lots else {}
            lots = [written.lot for written in basis[1].lots]
            self._now = Holdings(basis[1], known, portfolio(lots, known, self._currency), hidden, self._sample)
        return self._now

    def news(self) -> list[str]:
        """What is wrong with the file and was not yet told."""
        told, self._told = self._told, self._now.book.problems
        return [problem for problem in self._told if problem not in told]

    def to_watch(self) -> list[str]:
        """What the positions need and nobody watches, each once: who removes it does not want it."""
        if self._now is self._looked:
            return []
        self._looked = self._now
        lots = [written.lot for written in self._now.book.lots]
        missing = [t for t in wanted(lots, self._now.markets, self._currency) if t not in self._asked]
        self._asked.update(missing)
        return missing


class HeldTicker(TickerView, kw_only=True, frozen=True):
    """A ticker with what is held of it."""

    position: Position


def with_positions(tickers: Sequence[TickerView], held: Portfolio) -> Sequence[TickerView]:
    """The tickers, those of which something is held as `HeldTicker`."""
    if not held.positions:
        return tickers
    positions = {position.ticker: position for position in held.positions}
    return [_held(ticker, positions[ticker.ticker]) if ticker.ticker in positions else ticker for ticker in tickers]


def _held(ticker: TickerView, position: Position) -> HeldTicker:
    fields = {name: getattr(ticker, name) for name in TickerView.__struct_fields__}
    return HeldTicker(position=position, **fields)


def position_of(ticker: TickerView) -> Position | None:
    return ticker.position if isinstance(ticker, HeldTicker) else None


def _of(name: str) -> Callable[[TickerView], float | None]:
    def value(ticker: TickerView) -> float | None:
        position = position_of(ticker)
        return position.metrics[name] if position is not None else None

    return value


POSITION_NUMBERS: Final[Mapping[str, Callable[[TickerView], float | None]]] = {
    name: _of(name) for name in ("value", "gain", "gain%", "day_gain")
}
"""By the words of conditions."""
POSITION_ORDERS: Final[Mapping[str, Callable[[TickerView], float | None]]] = {
    "Position": lambda ticker: position.quantity if (position := position_of(ticker)) else None,
    "Value": POSITION_NUMBERS["value"],
    "Gain": POSITION_NUMBERS["gain"],
    "Gain%": POSITION_NUMBERS["gain%"],
    "Day": POSITION_NUMBERS["day_gain"],
}
"""By the titles of columns."""


def quantity(value: float, width: int = 1 << 16) -> str:
    """With as many decimals as it has, at most eight."""
    digits = f"{value:.{_DECIMALS}f}".rstrip("0").partition(".")[2]
    return fmt.number(value, len(digits), width)


def amount(value: float | None, width: int, *, hidden: bool) -> str:
    """In the currency of the account."""
    return MASK if hidden and value is not None else fmt.number(value, 2, width)


def gain(value: float | None, width: int, *, hidden: bool) -> str:
    return MASK if hidden and value is not None else fmt.signed(value, 2, width)


def percent(value: float | None, width: int) -> str:
    return fmt.UNKNOWN if value is None else f"{fmt.signed(value, 2, width - 1)}%"


def of_ticker(now: Holdings, ticker: str) -> Iterator[tuple[str, str]]:
    """Tone and text of what is held of one ticker; nothing where nothing is."""
    position = now.portfolio.of(ticker)
    if position is None or not position.quantity:
        return
    held = f"{'the sample holds' if now.sample else 'you hold'} {MASK if now.hidden else quantity(position.quantity)}"
    if position.value is None:
        yield "warn", f"{held}: {position.lack}"
        return
    value = f"{amount(position.value, _WIDE, hidden=now.hidden)} {now.portfolio.currency}"
    gained = f"{gain(position.gain, _WIDE, hidden=now.hidden)} {percent(position.gain_percent, _WIDE)}"
    yield fmt.direction(position.gain), f"{held}: {value}, gain {gained}"


def sums(now: Holdings) -> Iterable[tuple[str, str]]:
    """Tone (of `widgets.table.cells.TONES`) and text of what there is to say of all positions together."""
    total, hidden = now.portfolio, now.hidden
    currency = total.currency
    if total.value is None:
        yield "strong", f"Total {fmt.UNKNOWN}"
        yield "", f"without what is missing {amount(total.known, _WIDE, hidden=hidden)} {currency}"
    else:
        yield "strong", f"Total {amount(total.value, _WIDE, hidden=hidden)} {currency}"
    for name, value, percent in (
        ("day", total.day_gain, total.day_percent),
        ("gain", total.gain, total.gain_percent),
    ):
        told = gain(value, _WIDE, hidden=hidden)
        yield fmt.direction(value), f"{name} {told}" + (f" {fmt.percent(percent)}" if percent is not None else "")
    if total.realised:
        yield fmt.direction(total.realised), f"realised {gain(total.realised, _WIDE, hidden=hidden)}"
    yield from (("dim", told) for told in _rates(now))
    if any(position.simulated for position in total.positions):
        yield "warn", "~ at simulated prices"
    yield from (("warn", lack) for lack in total.lacks)


def _rates(now: Holdings) -> Iterable[str]:
    """Those that prices are converted by."""
    account = now.portfolio.currency
    prices = {ticker: market.price for ticker, market in now.markets.items()}
    for currency in dict.fromkeys(in_major(0, position.unit)[1] for position in now.portfolio.positions):
        found = rates.rate(currency, account, prices.get) if currency and currency != account else None
        if found is not None:
            yield f"{currency} at {fmt.price(found, ticker=f'{currency}{account}=X')}"
