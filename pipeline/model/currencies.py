"""Currencies as providers write them: minor units, in which some exchanges quote. Pure."""

import re
from typing import Final, NamedTuple

from pipeline.model.instruments import asset_class


class MinorUnit(NamedTuple):
    """A hundredth of a currency: `factor` of it make one of `major`. `sign` is written behind an amount."""

    major: str
    factor: int
    sign: str


_CODE: Final = re.compile(r"[A-Z]{3,5}")
"""Coins have up to five letters."""
_PENCE: Final = MinorUnit("GBP", 100, "p")
_CENTS: Final = MinorUnit("ZAR", 100, "c")
_AGOROT: Final = MinorUnit("ILS", 100, "ag")
_MINOR: Final = {
    "GBp": _PENCE,
    "GBX": _PENCE,
    "GBx": _PENCE,
    "ZAc": _CENTS,
    "ZAX": _CENTS,
    "ZAC": _CENTS,
    "ILA": _AGOROT,
    "ILa": _AGOROT,
}


def minor_unit(currency: str) -> MinorUnit | None:
    """What the code stands for if it is a minor unit: ``GBp`` is a hundredth of ``GBP``; None for any other."""
    return _MINOR.get(currency)


def in_major(amount: float, currency: str) -> tuple[float, str]:
    """The amount in the currency's major unit, and its code: 115.75 ``GBp`` are 1.1575 ``GBP``."""
    unit = minor_unit(currency)
    return (amount, currency) if unit is None else (amount / unit.factor, unit.major)


def check_currency(code: str) -> str:
    """The code as it is written here: three capital letters, or a minor unit.

    Raises:
        ValueError: with what is allowed, if it is none.
    """
    if minor_unit(code) is not None:
        return code
    if not _CODE.fullmatch(code.upper()):
        raise ValueError(f"{code!r} is not a currency; write its code, such as USD, EUR or GBP (GBp is pence)")
    return code.upper()


def quoted_in(ticker: str) -> str:
    """The currency that the symbol tells its price is in; "" where it does not."""
    match asset_class(ticker):
        case "us_share":
            return "USD"
        case "crypto":
            return ticker.rpartition("-")[2]
        case "currency":
            return ticker.removesuffix("=X")[-3:]
    return ""
