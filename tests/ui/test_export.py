import csv
import io
import json
from pathlib import Path

import pytest

from fintrends_tui import export
from pipeline.snapshot import TickerView
from tests.ui import samples

TICKERS = [samples.ticker("AAPL", change=-2.5, change_percent=-1.46), TickerView(ticker="NVDA", simulated=True)]


def test_the_line_needs_no_colour() -> None:
    assert [export.line(ticker) for ticker in TICKERS] == [
        "AAPL 170.38 ▼ 2.50 (-1.46%) 2026-11-20 15:04:00 UTC",
        "NVDA – simulated",
    ]


def test_csv_and_json_say_the_same() -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv(TICKERS))))
    objects = json.loads(export.as_json(TICKERS))
    assert [row["ticker"] for row in rows] == [item["ticker"] for item in objects] == ["AAPL", "NVDA"]
    assert float(rows[0]["price"]) == objects[0]["price"] == 170.38
    assert rows[0]["as_of"] == objects[0]["as_of"] == "2026-11-20T15:04:00+00:00"
    assert (rows[1]["price"], objects[1]["price"]) == ("", None)


def test_a_file_is_never_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "list.CSV"
    assert export.write(path, TICKERS) == path
    with pytest.raises(FileExistsError):
        export.write(path, TICKERS[:1])
    assert path.read_text() == export.as_csv(TICKERS)
    export.write(path, TICKERS[:1], overwrite=True)
    assert path.read_text() == export.as_csv(TICKERS[:1])


@pytest.mark.parametrize(("name", "words"), [("list", ".csv or .json"), ("no/list.csv", "No such file or directory")])
def test_what_cannot_be_written_is_explained(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(export.ExportError, match=words):
        export.write(tmp_path / name, TICKERS)
