"""The return of a price on an earlier one, as a fraction."""


def return_of(price: float, previous: float) -> float | None:
    """`price` / `previous` - 1; None from zero, and where one of them is below it: that quotient says nothing."""
    return price / previous - 1.0 if previous > 0 and price >= 0 else None
