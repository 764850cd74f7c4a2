"""Conditions on tickers as people type them: ``rsi<30 and sentiment>0.3``, ``change>2%``, ``group:tech``. Pure.

    condition  = all ("or" all)*
    all        = one ("and"? one)*
    one        = "not" one | "(" condition ")" | comparison | "group:" NAME | TEXT
    comparison = FIELD ("<" | "<=" | ">" | ">=" | "=" | "!=") VALUE

A TEXT is part of a ticker's name. What is not known of a ticker meets no condition, nor its opposite.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fintrends_tui.state.positions import POSITION_NUMBERS
from fintrends_tui.state.spans import percent_from
from pipeline.contract.snapshot import TickerView

Groups = Mapping[str, Sequence[str]]
Condition = Callable[[TickerView, Groups], bool | None]
"""Whether a ticker meets it; None is unknown."""

NUMBERS: Final[Mapping[str, Callable[[TickerView], float | None]]] = {
    "price": lambda ticker: ticker.price,
    "change": lambda ticker: ticker.change,
    "change%": lambda ticker: ticker.change_percent,
    "volume": lambda ticker: ticker.volume,
    "open": lambda ticker: ticker.day.open if ticker.day is not None else None,
    "high": lambda ticker: ticker.day.high if ticker.day is not None else None,
    "low": lambda ticker: ticker.day.low if ticker.day is not None else None,
    "from_open%": lambda ticker: percent_from(ticker.price, ticker.day.open) if ticker.day is not None else None,
    "from_high%": lambda ticker: percent_from(ticker.price, ticker.year.high) if ticker.year is not None else None,
    "from_low%": lambda ticker: percent_from(ticker.price, ticker.year.low) if ticker.year is not None else None,
    "extended%": lambda ticker: ticker.extended.change_percent if ticker.extended is not None else None,
    "forecast%": lambda ticker: ticker.next_close.percent if ticker.next_close is not None else None,
    "cap": lambda ticker: ticker.market_cap,
    "rsi": lambda ticker: ticker.rsi,
    "macd": lambda ticker: ticker.macd_hist,
    "sentiment": lambda ticker: ticker.sentiment,
    **POSITION_NUMBERS,
}
TEXTS: Final[Mapping[str, Callable[[TickerView], str]]] = {
    "ticker": lambda ticker: ticker.ticker,
    "source": lambda ticker: ticker.source,
    "state": lambda ticker: ticker.state,
    "currency": lambda ticker: ticker.currency,
}
_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_UNITS: Final = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_NUMBER: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([kmbt%]?)", re.IGNORECASE)
_TOKEN: Final = re.compile(r"\s*([<>!]=|[<>=()]|[^\s<>!=()]+|!)")
_MARKS: Final = frozenset("<>=!():")
_DEEPEST: Final = 50


class ExpressionError(ValueError):
    """The text is no condition; the message says what is missing."""


def is_expression(text: str) -> bool:
    """Whether the text is meant as a condition, and not as parts of tickers."""
    return bool(_MARKS & set(text))


def parse(text: str) -> Condition:
    """The condition that the text says.

    Raises:
        ExpressionError
    """
    return _Parser(_TOKEN.findall(text)).whole()


class _Parser:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = list(tokens)
        self._depth = 0

    def whole(self) -> Condition:
        condition = self._any()
        if self._tokens:
            raise ExpressionError(f"nothing opens the {self._tokens[0]!r}")
        return condition

    def _any(self) -> Condition:
        found = [self._all()]
        while self._next_is("or"):
            self._tokens.pop(0)
            found.append(self._all())
        return found[0] if len(found) == 1 else _any_of(found)

    def _all(self) -> Condition:
        found = [self._one()]
        while self._tokens and not self._next_is("or", ")"):
            if self._next_is("and"):
                self._tokens.pop(0)
            found.append(self._one())
        return found[0] if len(found) == 1 else _all_of(found)

    def _one(self) -> Condition:
        first = self._take("a condition such as rsi<30")
        if first.lower() == "not":
            return self._nested(lambda: _opposite(self._one()))
        if first == "(":
            inner = self._nested(self._any)
            if self._take("a )") != ")":
                raise ExpressionError("a ) is missing")
            return inner
        if first.lower().startswith("group:"):
            return _member_of(first[6:])
        if first in _OPERATORS or first in (")", "!") or first.lower() in ("and", "or"):
            raise ExpressionError(f"a condition such as rsi<30 is missing before {first!r}")
        if self._next_is(*_OPERATORS):
            return _comparison(first.lower(), self._tokens.pop(0), self._take(f"a value to compare {first} with"))
        return lambda ticker, _: first.upper() in ticker.ticker

    def _nested(self, parse: Callable[[], Condition]) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError("too many conditions are nested")
        try:
            return parse()
        finally:
            self._depth -= 1

    def _next_is(self, *tokens: str) -> bool:
        return bool(self._tokens) and self._tokens[0].lower() in tokens

    def _take(self, what: str) -> str:
        if not self._tokens:
            raise ExpressionError(f"{what} is missing at the end")
        return self._tokens.pop(0)


def _comparison(field: str, sign: str, value: str) -> Condition:
    compare = _OPERATORS[sign]
    if field in TEXTS:
        if sign not in ("=", "!="):
            raise ExpressionError(f"{field} is a text; write {field}={value}")
        text = TEXTS[field]
        return lambda ticker, _: (text(ticker).lower() == value.lower()) is (sign == "=") if text(ticker) else None
    number = _NUMBER.fullmatch(value)
    if field not in NUMBERS and f"{field}%" in NUMBERS:
        field = f"{field}%"  # which is all there is of it
    if field not in NUMBERS:
        raise ExpressionError(f"{field!r} is not known; known are {', '.join((*NUMBERS, *TEXTS))} and group:NAME")
    if number is None:
        raise ExpressionError(f"{value!r} is not a number")
    unit = number[2].lower()
    threshold = float(number[1]) * _UNITS.get(unit, 1)
    get = NUMBERS[f"{field}%" if unit == "%" and f"{field}%" in NUMBERS else field]

    def holds(ticker: TickerView, _: Groups) -> bool | None:
        known = get(ticker)
        return None if known is None else compare(known, threshold)

    return holds


def _member_of(group: str) -> Condition:
    if not group:
        raise ExpressionError("the name of a group is missing after group:")

    def holds(ticker: TickerView, groups: Groups) -> bool | None:
        members = next((found for name, found in groups.items() if name.lower() == group.lower()), None)
        return None if members is None else ticker.ticker in members

    return holds


def _all_of(conditions: Sequence[Condition]) -> Condition:
    def holds(ticker: TickerView, groups: Groups) -> bool | None:
        found = [condition(ticker, groups) for condition in conditions]
        return False if False in found else None if None in found else True

    return holds


def _any_of(conditions: Sequence[Condition]) -> Condition:
    def holds(ticker: TickerView, groups: Groups) -> bool | None:
        found = [condition(ticker, groups) for condition in conditions]
        return True if True in found else None if None in found else False

    return holds


def _opposite(condition: Condition) -> Condition:
    def holds(ticker: TickerView, groups: Groups) -> bool | None:
        found = condition(ticker, groups)
        return None if found is None else not found

    return holds
