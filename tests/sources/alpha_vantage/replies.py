"""The recorded replies of Alpha Vantage, in JSON where only CSV was recorded, and the notices it sends instead."""

import csv
from typing import Any, Final

from testkit.data import RECORDED, require

FOLDER: Final = RECORDED / "alpha_vantage"
KEY: Final = "Q7PLANTEDKEY9X"

_MORE: Final = "You may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to "
BAD_KEY: Final = {
    "Error Message": "the parameter apikey is invalid or missing. Please claim your free API key on "
    "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
}
BAD_CALL: Final = {
    "Error Message": "Invalid API call. Please retry or visit the documentation "
    "(https://www.alphavantage.co/documentation/) for TIME_SERIES_DAILY."
}
NO_FUNCTION: Final = {"Error Message": "This API function () does not exist."}
BURST: Final = {
    "Information": "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more "
    f"sparingly (1 request per second). {_MORE}lift the free key rate limit (25 requests per day), raise the "
    "per-second burst limit, and instantly unlock all premium endpoints"
}
DAILY_LIMIT: Final = {
    "Information": f"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. "
    f"{_MORE}instantly remove all daily rate limits."
}
PREMIUM: Final = {
    "Information": "Thank you for using Alpha Vantage! This is a premium endpoint. "
    f"{_MORE}instantly unlock all premium endpoints"
}
FULL: Final = {
    "Information": "Thank you for using Alpha Vantage! The outputsize=full parameter value is a premium feature for "
    f"the TIME_SERIES_DAILY endpoint. {_MORE}instantly unlock all premium features"
}
DEMO: Final = {
    "Information": "The **demo** API key is for demo purposes only. Please claim your free API key at "
    "(https://www.alphavantage.co/support/#api-key) to explore our full API offerings."
}
BAD_INPUTS: Final = {
    "Information": "Invalid inputs. Please refer to the API documentation "
    "https://www.alphavantage.co/documentation#newsapi and try again."
}
NO_ARTICLES: Final = {
    "Information": "No articles found. Please adjust the time range or refer to the API documentation "
    "https://www.alphavantage.co/documentation#newsapi and try again."
}
OLD_LIMIT: Final = {
    "Note": "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute and 500 calls "
    "per day. Please visit https://www.alphavantage.co/premium/ if you would like to target more calls."
}


def recorded(name: str) -> bytes:
    """The reply as it was recorded."""
    return require(FOLDER / name).read_bytes()


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a recorded CSV, newest first as they came."""
    with require(RECORDED / name).open(newline="") as file:
        return list(csv.DictReader(file))


def series(interval: str, rows: list[dict[str, str]], zone_key: str = "5. Time Zone") -> dict[str, Any]:
    """Rows with `timestamp`, `open`, … as the JSON of a time series; `interval` is ``Daily``, ``5min``, …"""
    fields = ("open", "high", "low", "close", "volume")
    return {
        "Meta Data": {"1. Information": "Prices and Volumes", "2. Symbol": "IBM", zone_key: "US/Eastern"},
        f"Time Series ({interval})": {
            row["timestamp"]: {f"{number}. {field}": row[field] for number, field in enumerate(fields, 1)}
            for row in rows
        },
    }


def daily() -> dict[str, Any]:
    return series("Daily", rows_of("alpha_vantage/TIME_SERIES_DAILY.csv"))


def intraday() -> dict[str, Any]:
    return series("5min", rows_of("alpha_vantage/TIME_SERIES_INTRADAY.csv"), "6. Time Zone")


def global_quote() -> dict[str, Any]:
    (row,) = rows_of("alpha_vantage/GLOBAL_QUOTE.csv")
    names = {
        "symbol": "01. symbol",
        "open": "02. open",
        "high": "03. high",
        "low": "04. low",
        "price": "05. price",
        "volume": "06. volume",
        "latestDay": "07. latest trading day",
        "previousClose": "08. previous close",
        "change": "09. change",
        "changePercent": "10. change percent",
    }
    return {"Global Quote": {names[name]: value for name, value in row.items()}}


def economic(name: str, interval: str = "monthly", unit: str = "percent") -> dict[str, Any]:
    rows = rows_of(f"economic/{name}.csv")
    data = [{"date": row["timestamp"], "value": row["value"]} for row in rows]
    return {"name": name, "interval": interval, "unit": unit, "data": data}
