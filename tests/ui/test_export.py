import csv
import io
import json
from pathlib import Path

import pytest

from fintrends_tui.state import export
from pipeline.contract.snapshot import TickerView
from tests.ui import samples

TICKERS = [samples.ticker("AAPL", change=-2.5, change_percent=-1.46), TickerView(ticker="NVDA", simulated=True)]


def test_the_line_needs_no_colour() -> None:
    assert [export.line(ticker) for ticker in TICKERS] == [
        "AAPL 170.38 ▼ 2.50 (-1.46%) 2026-11-20 15:04:00 UTC from alpha_vantage",
        "NVDA – simulated",
    ]


def test_the_line_has_the_digits_that_a_tiny_price_needs() -> None:
    shib = samples.ticker("SHIB-USD", price=0.00001324, change=-0.00000008, change_percent=-0.6)
    assert export.line(shib).startswith("SHIB-USD 0.00001324 ▼ 0.00000008 (-0.60%) ")


def test_a_text_in_csv_is_no_formula_and_a_number_stays_one() -> None:
    tickers = [samples.ticker("=1+1"), samples.ticker("CL=F", price=-37.63, change=-55.9)]
    rows = list(csv.DictReader(io.StringIO(export.as_csv(tickers))))
    assert [row["ticker"] for row in rows] == ["'=1+1", "CL=F"]
    assert (rows[1]["price"], rows[1]["change"]) == ("-37.63", "-55.9")
    assert json.loads(export.as_json(tickers))[0]["ticker"] == "=1+1"


def test_csv_and_json_say_the_same() -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv(TICKERS))))
    objects = json.loads(export.as_json(TICKERS))
    assert [row["ticker"] for row in rows] == [item["ticker"] for item in objects] == ["AAPL", "NVDA"]
    assert float(rows[0]["price"]) == objects[0]["price"] == 170.38
    assert rows[0]["as_of"] == objects[0]["as_of"] == "2026-11-20T15:04:00+00:00"
    assert (rows[0]["source"], rows[1]["source"]) == ("alpha_vantage", "")
    assert (rows[1]["price"], objects[1]["price"]) == ("", None)


def test_a_file_is_never_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "list.CSV"
    assert export.write(path, TICKERS) == path
    with pytest.raises(FileExistsError):
        export.write(path, TICKERS[:1])
    assert path.read_text() == export.as_csv(TICKERS)
    export.write(path, TICKERS[:1], overwrite=True)
    assert path.read_text() == export.as_csv(TICKERS[:1])


def test_what_cannot_be_written_whole_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    export.write(path, TICKERS)
    path.chmod(0o640)
    (tmp_path / "list.csv.new").mkdir()
    with pytest.raises(export.ExportError, match="cannot be written"):
        export.write(path, TICKERS[:1], overwrite=True)
    assert path.read_text() == export.as_csv(TICKERS)
    (tmp_path / "list.csv.new").rmdir()
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    export.write(link, TICKERS[:1], overwrite=True)
    assert link.is_symlink()
    assert (path.read_text(), path.stat().st_mode & 0o777) == (export.as_csv(TICKERS[:1]), 0o640)


@pytest.mark.parametrize(("name", "words"), [("list", ".csv or .json"), ("no/list.csv", "No such file or directory")])
def test_what_cannot_be_written_is_explained(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(export.ExportError, match=words):
        export.write(tmp_path / name, TICKERS)
