"""The economic series by the names, intervals and units that Alpha Vantage gives them, and what FRED calls them."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class FredSeries:
    """`id` is FRED's; the rest is as in the `EconomicPoint`s of the source alpha_vantage."""

    id: str
    name: str
    interval: Literal["daily", "monthly", "quarterly", "annual"]
    unit: str


SERIES: Final = (
    FredSeries("GDPC1", "REAL_GDP", "quarterly", "billions of dollars"),
    FredSeries("CPIAUCNS", "CPI", "monthly", "index 1982-1984=100"),
    FredSeries("FPCPITOTLZGUSA", "INFLATION", "annual", "percent"),
    FredSeries("FEDFUNDS", "FEDERAL_FUNDS_RATE", "monthly", "percent"),
    FredSeries("DGS10", "TREASURY_YIELD", "daily", "percent"),
    FredSeries("UNRATE", "UNEMPLOYMENT", "monthly", "percent"),
    FredSeries("RSXFSN", "RETAIL_SALES", "monthly", "millions of dollars"),
    FredSeries("PAYNSA", "NONFARM_PAYROLL", "monthly", "thousands of persons"),
)
"""Where FRED has a series both adjusted for seasons and not, that which Alpha Vantage gives: CPI, sales and payrolls
are not adjusted, the rate of unemployment is."""
