"""What lots of shares and coins are worth now. Pure.

Several lots of a ticker have one average cost. A lot of the other sign closes what is held at that average, and what it
brought beyond its cost is realised; where it is greater than what is held, the rest opens a position on the other side.
Lots are as they were bought and prices are those of today's shares, so a split after a lot's day multiplies its
quantity. Amounts of other currencies are converted at the rate of now, what was paid too; nothing is summed up that
cannot be converted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.model import rates
from pipeline.model.currencies import minor_unit, quoted_in

AMOUNTS: Final = ("value", "gain", "day_gain")
"""Metrics of a position in the currency of the account."""
POSITION_METRICS: Final = (*AMOUNTS, "gain%")


class Lot(NamedTuple):
    """What was bought at one time, or with a negative quantity sold.

    `price` is for one, in the unit that `currency` names (``GBp``: in pence); without it, in that of the ticker's
    price. `fees` are in the major unit. Without a `day` it is counted in today's shares, and as the oldest.
    """

    ticker: str
    quantity: Decimal
    price: Decimal
    day: date | None = None
    fees: Decimal = Decimal(0)
    currency: str = ""


class SplitOn(NamedTuple):
    """From `day` on, `denominator` shares are `numerator` shares."""

    day: date
    numerator: float
    denominator: float


class Market(NamedTuple):
    """What is known of a ticker now. `change` is against the previous close, `day` that of the price where it trades;
    `currency` as its provider writes it, "" where it does not. `lack` says why there is no price."""

    price: float | None
    change: float | None = None
    currency: str = ""
    day: date | None = None
    splits: tuple[SplitOn, ...] = ()
    simulated: bool = False
    lack: str = ""


_UNWATCHED: Final = Market(None, lack="it is not watched")


class Position(NamedTuple):
    """All lots of one ticker. `quantity` is in today's shares; `unit` is what its price is in (``GBp``), "" where that
    is not known, and `average` the cost of one in it, None where another currency was paid.

    Amounts are in the currency of the account. `cost` is that of what is held, its sign that of the quantity; `gain` is
    value less cost, `realised` what closed lots brought; `day_gain` is that since the previous close, of today's lots
    since they were bought, and `day_base` what it is a part of: what was held at that close, and paid since. `share` is
    the part of all positions' values, each counted as positive, with the sign of its own.

    What is not known is None, and `lack` says why: "no rate for EUR".
    """

    ticker: str
    quantity: float
    unit: str = ""
    average: float | None = None
    value: float | None = None
    cost: float | None = None
    gain: float | None = None
    gain_percent: float | None = None
    day_gain: float | None = None
    day_base: float | None = None
    realised: float | None = None
    share: float | None = None
    lack: str = ""
    splits: tuple[SplitOn, ...] = ()
    simulated: bool = False

    @property
    def day_percent(self) -> float | None:
        return _percent(self.day_gain, self.day_base)

    @property
    def metrics(self) -> dict[str, float | None]:
        """By the names of `POSITION_METRICS`; none of what is no longer held."""
        if not self.quantity:
            return dict.fromkeys(POSITION_METRICS)
        return {
            "value": self.value,
            "gain": self.gain,
            "day_gain": self.day_gain,
            "gain%": self.gain_percent,
        }


class Portfolio(NamedTuple):
    """All positions, in the order of their first lots, and their sums; None where one of them is not known, for the
    reasons in `lacks`. `known` is the value of those that are."""

    currency: str
    positions: tuple[Position, ...] = ()
    value: float | None = None
    gain: float | None = None
    gain_percent: float | None = None
    day_gain: float | None = None
    day_percent: float | None = None
    realised: float | None = None
    known: float = 0.0
    lacks: tuple[str, ...] = ()

    def of(self, ticker: str) -> Position | None:
        return next((position for position in self.positions if position.ticker == ticker), None)


def portfolio(lots: Iterable[Lot], markets: Mapping[str, Market], currency: str) -> Portfolio:
    """The positions, in `currency`, a major one. `markets` holds what is watched: pairs of currencies too."""
    positions = [_position(ticker, own, markets, currency) for ticker, own in _by_ticker(lots).items()]
    gross = sum(abs(position.value or 0.0) for position in positions)
    if gross and all(position.value is not None for position in positions):
        positions = [position._replace(share=(position.value or 0.0) / gross) for position in positions]
    gain, cost = _sum(p.gain for p in positions), _sum(_magnitude(p.cost) for p in positions)
    day, base = _sum(p.day_gain for p in positions), _sum(p.day_base for p in positions)
    return Portfolio(
        currency,
        tuple(positions),
        value=_sum(position.value for position in positions),
        gain=gain,
        gain_percent=_percent(gain, cost),
        day_gain=day,
        day_percent=_percent(day, base),
        realised=_sum(position.realised for position in positions),
        known=sum(position.value or 0.0 for position in positions),
        lacks=tuple(f"{position.ticker}: {position.lack}" for position in positions if position.lack),
    )


def wanted(lots: Iterable[Lot], markets: Mapping[str, Market], currency: str) -> list[str]:
    """What has to be watched besides, so that all can be valued: tickers of lots, and pairs of currencies."""
    tickers: dict[str, None] = {}
    for ticker, own in _by_ticker(lots).items():
        market = markets.get(ticker)
        if market is None:
            tickers[ticker] = None
        unit = _unit(ticker, own, market)
        for other in {_major(unit): None} | {_major(lot.currency or unit): None for lot in own}:
            if other and rates.rate(other, currency, _prices(markets)) is None:
                tickers[rates.pair_of(other, currency)] = None
    return [ticker for ticker in tickers if ticker not in markets]


class _Amounts(defaultdict[str, Fraction]):
    """By major currency; what is in none is 0."""

    def __init__(self) -> None:
        super().__init__(Fraction)

    def move(self, part: Fraction, to: "_Amounts") -> None:
        """Take a part of all off, and put it to others with the other sign."""
        for currency, amount in list(self.items()):
            to[currency] -= amount * part
            self[currency] -= amount * part


class _Held(NamedTuple):
    """Lots taken together, exactly. `paid` and `opening` are of the day of the price: what its lots cost, and the
    quantity before them."""

    quantity: Fraction
    cost: _Amounts
    realised: _Amounts
    opening: Fraction
    paid: _Amounts
    splits: tuple[SplitOn, ...]


@lru_cache(4096)
def _held(lots: tuple[Lot, ...], unit: str, splits: tuple[SplitOn, ...], today: date | None) -> _Held:
    quantity = opening = Fraction()
    cost, realised, paid = _Amounts(), _Amounts(), _Amounts()
    applied: set[SplitOn] = set()
    for lot in sorted(lots, key=lambda lot: lot.day or date.min):
        after = [split for split in splits if lot.day is not None and lot.day < split.day <= (today or date.max)]
        applied.update(after)
        size = Fraction(lot.quantity)
        for split in after:
            size *= Fraction(split.numerator) / Fraction(split.denominator)
        minor = minor_unit(lot.currency or unit)
        currency = _major(lot.currency or unit)
        spent = Fraction(lot.quantity) * Fraction(lot.price) / (minor.factor if minor else 1) + Fraction(lot.fees)
        if today is not None and lot.day is not None and lot.day >= today:
            paid[currency] += spent
        else:
            opening += size
        if size * quantity < 0:
            closed = min(abs(size), abs(quantity))
            cost.move(closed / abs(quantity), realised)
            realised[currency] -= spent * closed / abs(size)
            spent -= spent * closed / abs(size)
        cost[currency] += spent
        quantity += size
    return _Held(quantity, cost, realised, opening, paid, tuple(sorted(applied)))


def _position(ticker: str, lots: Sequence[Lot], markets: Mapping[str, Market], currency: str) -> Position:
    market = markets.get(ticker, _UNWATCHED)
    unit = _unit(ticker, lots, market)
    held = _held(tuple(lots), unit, market.splits, market.day)
    quantity = float(held.quantity)
    known = Position(ticker, quantity, unit, _average(held, unit), splits=held.splits, simulated=market.simulated)
    minor, major = minor_unit(unit), _major(unit)
    used = [major, *(other for amounts in (held.cost, held.realised, held.paid) for other in amounts if amounts[other])]
    rate_of = {other: rates.rate(other, currency, _prices(markets)) for other in used}
    if market.price is None and quantity:
        return known._replace(lack=market.lack or "no price yet")
    if "" in rate_of:
        return known._replace(lack="the currency of its price is not known; name it in the lot")
    if missing := [other for other, found in rate_of.items() if found is None]:
        return known._replace(lack=f"no rate for {', '.join(missing)}")

    def converted(amounts: _Amounts) -> float:
        return sum(float(amount) * (rate_of.get(other) or 0.0) for other, amount in amounts.items())

    cost, realised, paid = converted(held.cost), converted(held.realised), converted(held.paid)
    one = (rate_of[major] or 0.0) / (minor.factor if minor else 1)
    value = quantity * (market.price or 0.0) * one
    before = _before(held, market)
    return known._replace(
        value=value,
        cost=cost,
        gain=value - cost,
        gain_percent=_percent(value - cost, abs(cost)),
        day_gain=None if before is None else value - before * one - paid,
        day_base=None if before is None else abs(before * one) + abs(paid),
        realised=realised,
    )


def _before(held: _Held, market: Market) -> float | None:
    """What was held at the previous close, at its price."""
    if not held.opening:
        return 0.0
    if market.price is None or market.change is None:
        return None
    return float(held.opening) * (market.price - market.change)


def _average(held: _Held, unit: str) -> float | None:
    amounts = {other for other, amount in held.cost.items() if amount}
    if not held.quantity or not amounts <= {_major(unit)}:
        return None
    minor = minor_unit(unit)
    return float(held.cost.get(_major(unit), Fraction()) / held.quantity) * (minor.factor if minor else 1)


def _by_ticker(lots: Iterable[Lot]) -> dict[str, list[Lot]]:
    found: dict[str, list[Lot]] = {}
    for lot in lots:
        found.setdefault(lot.ticker, []).append(lot)
    return found


def _unit(ticker: str, lots: Iterable[Lot], market: Market | None) -> str:
    """What its price is in: as its provider says, else the symbol, else all of its lots; "" where nobody does."""
    said = (market.currency if market is not None else "") or quoted_in(ticker)
    named = {lot.currency for lot in lots if lot.currency}
    return said or (named.pop() if len(named) == 1 else "")


def _major(unit: str) -> str:
    minor = minor_unit(unit)
    return minor.major if minor is not None else unit


def _prices(markets: Mapping[str, Market]) -> rates.PriceOf:
    return lambda ticker: markets[ticker].price if ticker in markets else None


def _magnitude(amount: float | None) -> float | None:
    return None if amount is None else abs(amount)


def _percent(amount: float | None, of: float | None) -> float | None:
    return 100 * amount / of if amount is not None and of else None


def _sum(values: Iterable[float | None]) -> float | None:
    """Of all of them; None where one is not known."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
