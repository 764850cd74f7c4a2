"""The watchlist as a line for the clipboard and as a file."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from fintrends_tui.state import format as fmt
from fintrends_tui.state.ticker_facts import amount
from pipeline.contract.snapshot import TickerView
from pipeline.model.text import spreadsheet_cell
from pipeline.storage.statefile import replace

_FIELDS: Final = (
    "ticker", "price", "change", "change_percent", "volume", "rsi", "macd_hist", "sentiment", "as_of", "updated_at",
    "simulated", "source", "currency", "state",
)  # fmt: skip
_TIMES: Final = frozenset({"as_of", "updated_at"})


class ExportError(Exception):
    """The file was not written; the message is a sentence for the user."""


def line(ticker: TickerView) -> str:
    """Ticker, price, change, time and source: ``AAPL 170.38 ▲ 1.20 (+0.71%) 2026-11-20 15:04:00 UTC from replay``."""
    decimals = fmt.change_decimals(ticker.price, ticker.change, ticker.ticker)
    words = [ticker.ticker, amount(ticker.price, ticker.currency, ticker=ticker.ticker)]
    if ticker.change is not None:
        words += [fmt.arrow(ticker.change, decimals), fmt.number(abs(ticker.change), decimals)]
    if ticker.change_percent is not None:
        words.append(f"({fmt.percent(ticker.change_percent)})")
    if ticker.as_of is not None:
        words.append(f"{datetime.fromtimestamp(ticker.as_of, UTC):%Y-%m-%d %H:%M:%S} UTC")
    words += [f"from {ticker.source}"] if ticker.source else []
    return " ".join([*words, *(["simulated"] if ticker.simulated else [])])


def as_csv(tickers: Sequence[TickerView]) -> str:
    """A line of column names and one for each ticker; unknown values are empty, times in UTC (ISO 8601).

    No text in it is a formula to a spreadsheet.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for ticker in tickers:
        cells = _record(ticker).items()
        writer.writerow({name: spreadsheet_cell(value) if isinstance(value, str) else value for name, value in cells})
    return text.getvalue()


def as_json(tickers: Sequence[TickerView]) -> str:
    """An array of objects; unknown values are null, times in UTC (ISO 8601)."""
    return msgspec.json.format(msgspec.json.encode([_record(ticker) for ticker in tickers])).decode() + "\n"


FORMATS: Final[Mapping[str, Callable[[Sequence[TickerView]], str]]] = {".csv": as_csv, ".json": as_json}


def write(path: Path, tickers: Sequence[TickerView], *, overwrite: bool = False) -> Path:
    """Write the tickers in the format that the path's suffix names; the absolute path.

    Raises:
        FileExistsError: if there is such a file and it is not to be overwritten.
        ExportError: if the suffix names no format, or the file cannot be written.
    """
    encode = FORMATS.get(path.suffix.lower())
    if encode is None:
        raise ExportError("the name must end with .csv or .json, which sets the format")
    try:
        target = path.expanduser().absolute()
    except RuntimeError as error:
        raise ExportError(f"{path} cannot be written: there is no such home directory") from error
    except OSError as error:
        why = "the working directory no longer exists; give an absolute path"
        raise ExportError(f"{path} cannot be written: {why}") from error
    try:
        if overwrite and target.is_file():
            real = target.resolve()
            replace(real, encode(tickers).encode(), real.stat().st_mode & 0o777)  # whole, or as it was
        else:
            with target.open("w" if overwrite else "x", encoding="utf-8") as file:
                file.write(encode(tickers))
    except FileExistsError:
        raise
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror}") from error
    return target


def _record(ticker: TickerView) -> dict[str, object]:
    def value(field: str) -> object:
        raw = getattr(ticker, field)
        return datetime.fromtimestamp(raw, UTC).isoformat() if field in _TIMES and raw is not None else raw

    return {field: value(field) for field in _FIELDS}
