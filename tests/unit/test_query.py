import csv
import io
import json
from datetime import UTC, datetime

import pytest

from pipeline.query import QueryError, check, parse_since, write

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENTS = [
    {
        "_id": "AAPL|1min|a",
        "ticker": "AAPL",
        "interval": "1min",
        "ts": datetime(2019, 2, 11, 14, 31, tzinfo=UTC),
        "close": 170.97,
    },
    {
        "_id": "AAPL|1min|b",
        "ticker": "AAPL",
        "interval": "1min",
        "ts": datetime(2019, 2, 11, 14, 32, tzinfo=UTC),
        "close": None,
    },
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T09:30", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30+02:00", datetime(2026, 1, 31, 7, 30, tzinfo=UTC)),
        ("90m", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        ("1.5h", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        ("1d", datetime(2026, 2, 28, 12, tzinfo=UTC)),
    ],
)
def test_since(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "", "7", "12:00pm"])
def test_a_time_that_is_none_says_what_is(text: str) -> None:
    with pytest.raises(QueryError, match="7d"):
        parse_since(text, NOW)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(QueryError, match="stock_data"):
        check("stocks", None)
    with pytest.raises(QueryError, match="5min"):
        check("stock_data", "2min")


def test_json_is_one_document_a_line() -> None:
    out = io.StringIO()
    write(DOCUMENTS, "json", out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0]["ts"] == "2019-02-11T14:31:00Z"
    assert lines[1]["close"] is None


def test_csv_reads_back() -> None:
    out = io.StringIO()
    write(DOCUMENTS, "csv", out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["close"] for row in rows] == ["170.97", ""]
    assert rows[0]["ts"] == "2019-02-11T14:31:00Z"


def test_a_table_has_its_columns_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    write(DOCUMENTS, "table", out)
    header, first, second = out.getvalue().splitlines()
    assert header.split() == ["ts", "ticker", "interval", "close"]
    assert first.endswith("170.97")
    assert second.endswith("–")
    assert len(header) == len(first) == len(second)
    write([], "table", out)
    assert "nothing found" in capsys.readouterr().err
