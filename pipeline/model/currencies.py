"""Currencies as providers write them: minor units, in which some exchanges quote. Pure."""

from typing import Final, NamedTuple


class MinorUnit(NamedTuple):
    """A hundredth of a currency: `factor` of it make one of `major`. `sign` is written behind an amount."""

    major: str
    factor: int
    sign: str


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
