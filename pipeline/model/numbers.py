"""Numbers as people write them: digits and a point, never an exponent. Imports nothing heavy."""

import math
from decimal import Decimal
from typing import Final

_DIGITS: Final = 6


def plain(value: float) -> str:
    """At least six significant digits, and two decimals of whatever has more, without zeros at the end: ``0.00001324``,
    ``170.973``, ``768655.99``."""
    if not value or not math.isfinite(value):
        return "0" if not value else str(value)
    decimals = max(2, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").removesuffix(".")


def exact(value: float) -> str:
    """All digits that it takes to read the same number back."""
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0") if "." in text else text
