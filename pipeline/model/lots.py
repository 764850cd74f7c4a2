"""Lots as people write them: as a table of a file, and in one line. Pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pipeline.model.currencies import check_currency
from pipeline.model.positions import Lot
from pipeline.model.tickers import InvalidTickerError, can_be_negative, parse_ticker

KEYS: Final = ("ticker", "quantity", "price", "date", "fees", "currency")
_NEEDED: Final = ("ticker", "quantity", "price")
_MOST: Final = Decimal(10) ** 15
_DECIMALS: Final = 18
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
EXAMPLE: Final = "AAPL 10 150.25 2024-03-01 fees 1.50"


class InvalidLotError(ValueError):
    """It is no lot; the message says why. `key` is the one that is wrong, "" where none is."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


def lot_of(values: Mapping[str, Any]) -> Lot:
    """The lot that a table of TOML says, with its decimals as `Decimal`.

    Raises:
        InvalidLotError
    """
    if unknown := next((key for key in values if key not in KEYS), None):
        raise InvalidLotError(f"{unknown[:40]!r} is not known; known are {', '.join(KEYS)}", unknown)
    if lacking := [key for key in _NEEDED if key not in values]:
        raise InvalidLotError(f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing")
    try:
        ticker = parse_ticker(_text(values, "ticker"))
        currency = check_currency(_text(values, "currency")) if "currency" in values else ""
    except InvalidTickerError as error:
        raise InvalidLotError(str(error), "ticker") from None
    except InvalidLotError:
        raise
    except ValueError as error:
        raise InvalidLotError(str(error), "currency") from None
    quantity, price = _number(values, "quantity"), _number(values, "price")
    fees = _number(values, "fees") if "fees" in values else Decimal(0)
    if not quantity:
        raise InvalidLotError("quantity is 0; write what was bought, or what was sold as a negative number", "quantity")
    if price < 0 and not can_be_negative(ticker):
        raise InvalidLotError("price is below zero; what was sold has a negative quantity", "price")
    if fees < 0:
        raise InvalidLotError("fees are below zero", "fees")
    return Lot(ticker, quantity, price, _day(values.get("date")), fees, currency)


def parse_lot(text: str, today: date) -> Lot:
    """The lot that one line says: `TICKER QUANTITY PRICE [DATE] [fees NUMBER] [CURRENCY]`, without a date of today.

    Raises:
        InvalidLotError
    """
    words = text.replace("@", " ").split()
    values: dict[str, Any] = {"date": today}
    for key in _NEEDED:
        if not words:
            raise InvalidLotError(f"{key} is missing; write a lot such as {EXAMPLE}")
        values[key] = words.pop(0) if key == "ticker" else _decimal(words.pop(0), key)
    while words:
        word = words.pop(0)
        if word.lower() in ("fee", "fees"):
            if not words:
                raise InvalidLotError("a number is missing after fees")
            values["fees"] = _decimal(words.pop(0), "fees")
        elif _DAY.fullmatch(word):
            values["date"] = word
        elif word[0].isalpha():
            values["currency"] = word
        else:
            raise InvalidLotError(f"{word[:40]!r} is not understood; write a lot such as {EXAMPLE}")
    lot = lot_of(values)
    if lot.day is not None and lot.day > today:
        raise InvalidLotError(f"{lot.day} is still to come")
    return lot


def table_of(lot: Lot) -> str:
    """The lot as a table of TOML."""
    lines = [
        "[[lot]]",
        f'ticker = "{lot.ticker}"',
        f"quantity = {lot.quantity:f}",
        f"price = {lot.price:f}",
        *([f"date = {lot.day}"] if lot.day is not None else []),
        *([f"fees = {lot.fees:f}"] if lot.fees else []),
        *([f'currency = "{lot.currency}"'] if lot.currency else []),
    ]
    return "\n".join(lines) + "\n"


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values[key]
    if not isinstance(value, str):
        raise InvalidLotError(f'{key} is not a text; write it in quotes, such as {key} = "..."', key)
    return value


def _number(values: Mapping[str, Any], key: str) -> Decimal:
    value = values[key]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidLotError(f"{key} is not a number; write it without quotes, such as {key} = 10.5", key)
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_DECIMALS or not -_MOST <= number <= _MOST:
        raise InvalidLotError(f"{key} is not a number of at most 15 digits and {_DECIMALS} decimals", key)
    return number or Decimal(0)  # a zero can have an exponent of millions


def _decimal(word: str, key: str) -> Decimal:
    try:
        return Decimal(word)
    except InvalidOperation:
        raise InvalidLotError(f"{key} {word[:40]!r} is not a number; write it as 1234.56", key) from None


def _day(value: Any) -> date | None:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            value = date.fromisoformat(value)
        except ValueError as error:
            raise InvalidLotError(f"date {value!r} is not a day: {error}", "date") from None
    if isinstance(value, datetime):
        value = value.date()
    if value is not None and not isinstance(value, date):
        raise InvalidLotError("date is not a day; write date = 2024-03-01, without quotes", "date")
    return value
