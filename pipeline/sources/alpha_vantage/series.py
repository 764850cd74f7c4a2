"""The economic series, and the time from one value to the next."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

PERIODS: Final[Mapping[str, timedelta]] = {
    "REAL_GDP": timedelta(days=91),
    "CPI": timedelta(days=30),
    "INFLATION": timedelta(days=365),
    "FEDERAL_FUNDS_RATE": timedelta(days=30),
    "TREASURY_YIELD": timedelta(days=1),
    "UNEMPLOYMENT": timedelta(days=30),
    "RETAIL_SALES": timedelta(days=30),
    "NONFARM_PAYROLL": timedelta(days=30),
}
