"""The Alpha Vantage client against recorded replies."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Bar, decode, encode, topic_of
from pipeline.net.http import Http
from pipeline.sources.alpha_vantage.client import AlphaVantageClient, EconomicSeries
from pipeline.sources.alpha_vantage.errors import NotInPlanError, UnreadableReplyError
from pipeline.sources.alpha_vantage.symbols import symbol_of
from testkit.fakes import FakeClock
from testkit.http_server import HttpServer, answer
from tests.sources.alpha_vantage import replies as data

AFTERWARDS = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
"""When the replies were recorded, more or less: a Sunday."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(AFTERWARDS, auto=True)


def client_at(server: HttpServer, http: Http, clock: Clock) -> AlphaVantageClient:
    return AlphaVantageClient(http, data.KEY, base_url=server.url, clock=clock)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


class TestBars:
    async def test_daily(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.daily()), path="/query", function="TIME_SERIES_DAILY")
        reply = await client.daily("IBM")
        assert (len(reply.rows), reply.misfits) == (100, [])
        assert [bar.ts for bar in reply.rows] == sorted(bar.ts for bar in reply.rows)
        assert reply.rows[-1] == Bar(
            ts=at("2026-05-15T04:00:00Z"),
            ticker="IBM",
            interval="daily",
            open=218.2,
            high=220.91,
            low=217.615,
            close=219.3,
            volume=6154450,
            closed=True,
            revision=round(AFTERWARDS.timestamp() * 1000),
            source="alpha_vantage",
        )
        assert reply.rows[0].ts.hour == 5, "the oldest is from winter"
        assert server.requests[0].params == {
            "function": "TIME_SERIES_DAILY",
            "symbol": "IBM",
            "outputsize": "compact",
            "apikey": data.KEY,
        }

    async def test_intraday(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.intraday()))
        reply = await client.intraday("IBM", "5min", full=True, month="2026-05", extended_hours=True)
        assert (len(reply.rows), reply.misfits) == (100, [])
        newest = reply.rows[-1]
        assert (newest.ts, newest.close, newest.volume) == (at("2026-05-15T23:55:00Z"), 219.0, 158)
        assert (
            server.requests[0].params.items()
            >= {
                "interval": "5min",
                "outputsize": "full",
                "month": "2026-05",
                "extended_hours": "true",
            }.items()
        )

    async def test_the_recorded_json_of_a_winter_s_day(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.recorded("json/mock_time_series")))
        reply = await client.intraday("MSFT", "1min")
        assert len(reply.rows) == 100
        assert (reply.rows[-1].ts, reply.rows[-1].open) == (at("2017-12-18T19:56:00Z"), 86.49)
        assert server.requests[0].params["extended_hours"] == "false"

    @pytest.mark.parametrize(("now", "closed"), [("2026-05-15T23:59:59Z", False), ("2026-05-16T00:00:00Z", True)])
    async def test_the_newest_bar_of_a_live_series_forms(
        self, server: HttpServer, http: Http, now: str, closed: bool
    ) -> None:
        server.on(answer(data.intraday()))
        reply = await client_at(server, http, FakeClock(at(now))).intraday("IBM", "5min")
        assert [bar.closed for bar in reply.rows] == [True] * 99 + [closed]
        assert {bar.revision for bar in reply.rows} == {round(at(now).timestamp() * 1000)}

    @pytest.mark.parametrize(("now", "closed"), [("2026-05-15T19:59:59Z", False), ("2026-05-15T20:00:00Z", True)])
    async def test_today_s_daily_bar_forms_until_the_session_is_over(
        self, server: HttpServer, http: Http, now: str, closed: bool
    ) -> None:
        server.on(answer(data.daily()))
        reply = await client_at(server, http, FakeClock(at(now))).daily("IBM")
        assert [bar.closed for bar in reply.rows] == [True] * 99 + [closed]

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            ("2. high", "1.0", "low is above high"),
            ("1. open", "None", "Expected `float`, got `null`"),
            ("4. close", "-", "Expected `float`, got `null`"),
            ("3. low", "-5", "-5 is not a price of IBM"),
            ("3. low", "n/a", "could not convert"),
            ("5. volume", "inf", "not a finite number"),
            ("4. close", ["1"], "Expected"),
            ("4. close", data.KEY, "could not convert string to float: '***'"),
        ],
    )
    async def test_a_row_that_does_not_fit_spoils_no_other(
        self, server: HttpServer, client: AlphaVantageClient, field: str, value: Any, reason: str
    ) -> None:
        reply = data.daily()
        reply["Time Series (Daily)"]["2026-05-14"][field] = value
        server.on(answer(reply))
        first, second = await client.daily("IBM"), await client.daily("IBM")
        assert len(first.rows) == 99
        (misfit,) = first.misfits
        assert misfit.topic == "alpha_vantage:TIME_SERIES_DAILY" and reason in misfit.reason
        assert misfit.payload.startswith("2026-05-14 {") and data.KEY not in misfit.payload
        assert second.misfits[0].offset == misfit.offset
        assert decode(topic_of(misfit), encode(misfit)) == misfit

    @pytest.mark.parametrize("label", ["yesterday", "2026-13-01", "0001-01-01", "9999-12-31", ""])
    async def test_a_row_without_a_date_is_one(
        self, server: HttpServer, client: AlphaVantageClient, label: str
    ) -> None:
        reply = data.daily()
        rows = reply["Time Series (Daily)"]
        rows[label] = rows.pop("2026-05-14")
        server.on(answer(reply))
        bars = await client.daily("IBM")
        assert (len(bars.rows), len(bars.misfits)) == (99, 1)

    @pytest.mark.parametrize("label", ["2026-05-19", "2027-01-04", "2126-05-14"])
    async def test_a_row_of_a_day_to_come_is_one(
        self, server: HttpServer, client: AlphaVantageClient, label: str
    ) -> None:
        reply = data.daily()
        rows = reply["Time Series (Daily)"]
        rows[label] = rows.pop("2026-05-14")
        server.on(answer(reply))
        bars = await client.daily("IBM")
        assert len(bars.rows) == 99 and max(bar.ts for bar in bars.rows) < AFTERWARDS
        assert "is a time to come" in bars.misfits[0].reason

    async def test_a_day_that_has_begun_elsewhere_and_one_with_its_time_of_day_are_days(
        self, server: HttpServer, http: Http
    ) -> None:
        reply = data.daily()
        rows = reply["Time Series (Daily)"]
        rows["2026-05-18"] = rows.pop("2026-05-14")
        rows["2026-05-15 12:35:21"] = rows.pop("2026-05-15")
        server.on(answer(reply))
        bars = await client_at(server, http, FakeClock(at("2026-05-18T00:30:00Z"))).daily("IBM")
        assert [bar.ts for bar in bars.rows[-2:]] == [at("2026-05-15T04:00:00Z"), at("2026-05-18T04:00:00Z")]

    @pytest.mark.parametrize(("ticker", "symbol"), [("BRK.B", "BRK-B"), ("TSCO.LON", "TSCO.LON"), ("AAPL", "AAPL")])
    async def test_the_symbol_is_theirs_and_the_ticker_ours(
        self, server: HttpServer, client: AlphaVantageClient, ticker: str, symbol: str
    ) -> None:
        server.on(answer(data.daily()), symbol=symbol)
        assert {bar.ticker for bar in (await client.daily(ticker)).rows} == {ticker}


class TestQuotes:
    async def test_one(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.global_quote()), function="GLOBAL_QUOTE", symbol="IBM")
        quote = await client.quote("IBM")
        assert (quote.ts, quote.price) == (at("2026-05-15T20:00:00Z"), 219.3)
        assert (quote.previous_close, quote.volume) == (218.37, 6154450)

    async def test_one_of_a_session_that_is_not_over(self, server: HttpServer, http: Http) -> None:
        server.on(answer(data.global_quote()))
        now = at("2026-05-15T18:00:00Z")
        assert (await client_at(server, http, FakeClock(now)).quote("IBM")).ts == now

    async def test_the_recorded_json(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.recorded("json/global_quote")))
        quote = await client.quote("MSFT")
        assert (quote.price, quote.open, quote.high, quote.low) == (112.13, 112.63, 113.17, 110.64)

    async def test_missing_values(self, server: HttpServer, client: AlphaVantageClient) -> None:
        reply = data.global_quote()
        reply["Global Quote"] |= {"06. volume": "-", "08. previous close": "None"}
        server.on(answer(reply))
        quote = await client.quote("IBM")
        assert (quote.previous_close, quote.volume) == (None, None)

    @pytest.mark.parametrize("field", ["06. volume", "08. previous close", "07. latest trading day"])
    @pytest.mark.parametrize("value", [None, "-5", "n/a", "1e999", "1_000", [], {}, "missing"], ids=str)
    async def test_what_is_optional_does_not_take_its_quote_with_it(
        self, server: HttpServer, client: AlphaVantageClient, field: str, value: object
    ) -> None:
        reply = data.global_quote()
        reply["Global Quote"][field] = value
        if value == "missing":
            del reply["Global Quote"][field]
        server.on(answer(reply))
        quote = await client.quote("IBM")
        assert quote.price == 219.3
        assert (quote.volume is None) == (field == "06. volume")
        assert quote.ts == (AFTERWARDS if field.startswith("07") else at("2026-05-15T20:00:00Z"))
        if value != "-5":  # which may be that of a future
            assert (quote.previous_close is None) == (field == "08. previous close")

    @pytest.mark.parametrize("field", ["volume", "previous_close"])
    @pytest.mark.parametrize("value", [None, "x", "nan", [], "0.0000"], ids=str)
    async def test_nor_its_quote_among_many(
        self, server: HttpServer, client: AlphaVantageClient, field: str, value: object
    ) -> None:
        row = {
            "symbol": "AAPL",
            "timestamp": "2024-10-18 19:59",
            "close": "235.0",
            "volume": "1",
            "previous_close": "2",
        }
        server.on(answer({"message": "", "data": [row | {field: value}]}))
        reply = await client.bulk_quotes(["AAPL"])
        (quote,) = reply.rows
        assert (quote.ts, quote.price, reply.misfits) == (at("2024-10-18T23:59:00Z"), 235.0, [])
        assert getattr(quote, field) == (0.0 if (field, value) == ("volume", "0.0000") else None)

    @pytest.mark.parametrize("time", ["2027-10-18 19:59:55.291", "2026-05-17 23:00:00"])
    async def test_one_was_seen_and_so_is_of_no_time_to_come(
        self, server: HttpServer, client: AlphaVantageClient, time: str
    ) -> None:
        server.on(answer({"data": [{"symbol": "AAPL", "timestamp": time, "close": "235.0"}]}))
        assert [quote.ts for quote in (await client.bulk_quotes(["AAPL"])).rows] == [AFTERWARDS]

    async def test_one_of_another_symbol_is_not_taken(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.global_quote()))
        with pytest.raises(UnreadableReplyError, match="it is about IBM"):
            await client.quote("AAPL")

    async def test_many(self, server: HttpServer, client: AlphaVantageClient) -> None:
        reply = json.loads(data.recorded("REALTIME_BULK_QUOTES.json")) | {"message": ""}
        server.on(answer(reply), function="REALTIME_BULK_QUOTES", symbol="AAPL,MSFT,BRK-B")
        quotes = await client.bulk_quotes(["AAPL", "MSFT", "BRK.B"])
        assert [(quote.ticker, quote.price) for quote in quotes.rows] == [("AAPL", 235.0), ("MSFT", 418.16)]
        assert quotes.rows[0].ts == at("2024-10-18T23:59:50.451Z")
        (misfit,) = quotes.misfits
        assert misfit.reason == "IBM was not asked for"

    async def test_the_sample_for_free_keys_is_not_taken_for_data(
        self, server: HttpServer, client: AlphaVantageClient
    ) -> None:
        server.on(answer(data.recorded("REALTIME_BULK_QUOTES.json")))
        with pytest.raises(NotInPlanError, match="REALTIME_BULK_QUOTES only with a premium plan"):
            await client.bulk_quotes(["AAPL", "MSFT", "IBM"])

    @pytest.mark.parametrize("count", [0, 101])
    async def test_too_many_or_none(self, client: AlphaVantageClient, count: int) -> None:
        with pytest.raises(ValueError, match="1 to 100"):
            await client.bulk_quotes([f"T{number}" for number in range(count)])


class TestNews:
    async def test_the_recording(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.recorded("NEWS_SENTIMENT.json")), function="NEWS_SENTIMENT", tickers="AAPL")
        reply = await client.news("AAPL", since=at("2026-05-15T15:00:30+02:00"), limit=200)
        assert (len(reply.rows), reply.misfits) == (50, [])
        assert len({article.id for article in reply.rows}) == 50
        newest = reply.rows[-1]
        assert (newest.ts, newest.publisher, newest.source) == (at("2026-05-17T11:01:00Z"), "Benzinga", "alpha_vantage")
        assert newest.title.startswith("Tim Cook Finds Purpose")
        assert server.requests[0].params.items() >= {"time_from": "20260515T1300", "limit": "200"}.items()

    @pytest.mark.parametrize("ticker", ["INTC", "BRK.B"])
    async def test_only_what_names_the_ticker(
        self, server: HttpServer, client: AlphaVantageClient, ticker: str
    ) -> None:
        recording = data.recorded("NEWS_SENTIMENT.json")
        named = [
            item["url"]
            for item in json.loads(recording)["feed"]
            if any(mention["ticker"] == symbol_of(ticker) for mention in item["ticker_sentiment"])
        ]
        server.on(answer(recording))
        reply = await client.news(ticker, since=None)
        assert 0 < len(named) < 50
        assert sorted(article.url for article in reply.rows) == sorted(named)

    @pytest.mark.parametrize(
        ("mentions", "relevance"),
        [
            ([{"ticker": "IBM", "relevance_score": "0.25"}, {"ticker": "T", "relevance_score": "1"}], 0.25),
            ([{"ticker": "IBM", "relevance_score": 0.5}], 0.5),
            ([{"ticker": "IBM"}, {"ticker": "T"}], 0.5),
            ([{"ticker": "IBM", "relevance_score": "very"}, {"ticker": "T"}], 0.5),
            ([{"ticker": "IBM", "relevance_score": "7"}], 1.0),
            (None, None),
        ],
    )
    async def test_an_article_is_as_relevant_as_it_says_or_shared_by_those_it_names(
        self, server: HttpServer, client: AlphaVantageClient, mentions: object, relevance: float | None
    ) -> None:
        item = {"title": "T", "url": "u", "time_published": "20260517T110100", "ticker_sentiment": mentions}
        server.on(answer({"feed": [item]}))
        reply = await client.news("IBM")
        assert [article.relevance for article in reply.rows] == [relevance]

    async def test_text_is_unescaped_and_long_addresses_stay_apart(
        self, server: HttpServer, client: AlphaVantageClient
    ) -> None:
        item = {
            "title": "AT&amp;T &#39;up&#39;\x1b[31m",
            "time_published": "20260517T110100",
            "ticker_sentiment": [{"ticker": "T"}],
        }
        feed = [item | {"url": f"https://x/{'y' * 300}{number}"} for number in range(2)]
        server.on(answer({"feed": [*feed, item, item | {"url": "u", "time_published": "today"}]}))
        reply = await client.news("T", since=None)
        assert [article.title for article in reply.rows] == ["AT&T 'up'"] * 2
        assert len({article.id for article in reply.rows}) == 2
        assert len(reply.misfits) == 2

    @pytest.mark.parametrize("field", ["summary", "source", "ticker_sentiment", "banner_image", "topics"])
    @pytest.mark.parametrize("value", [None, 5, [], {"a": 1}, "missing"], ids=str)
    async def test_what_is_optional_does_not_take_its_article_with_it(
        self, server: HttpServer, client: AlphaVantageClient, field: str, value: object
    ) -> None:
        item: dict[str, Any] = {
            "title": "T",
            "url": "https://x/1",
            "time_published": "20260517T110100",
            "ticker_sentiment": [{"ticker": "IBM"}, {"ticker": None}, None],
        } | {field: value}
        if value == "missing":
            item.pop(field)
        server.on(answer({"feed": [item]}))
        reply = await client.news("IBM")
        assert ([article.id for article in reply.rows], reply.misfits, reply.items) == (["https://x/1"], [], 1)

    @pytest.mark.parametrize(
        ("text", "time"),
        [
            ("20261127T1030", "2026-11-27T10:30:00Z"),
            ("20261127T103000", "2026-11-27T10:30:00Z"),
            ("20261127T0059", "2026-11-27T00:59:00Z"),
            ("2026-11-27T10:30:05Z", "2026-11-27T10:30:05Z"),
            ("2026-11-27 10:30", "2026-11-27T10:30:00Z"),
            ("20261127T10", None),
            ("20261127T10300", None),
            ("2026112T103000", None),
            ("20261127T1030٣٣", None),
            ("20261127T2530", None),
            ("2026-W48-5", None),
            ("", None),
        ],
    )
    async def test_a_time_is_read_whole_or_not_at_all(
        self, server: HttpServer, client: AlphaVantageClient, text: str, time: str | None
    ) -> None:
        item = {"title": "T", "url": "u", "time_published": text, "ticker_sentiment": [{"ticker": "IBM"}]}
        server.on(answer({"feed": [item]}))
        reply = await client.news("IBM")
        assert [article.ts for article in reply.rows] == ([] if time is None else [at(time)])
        assert len(reply.misfits) == (time is None)

    async def test_none(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.NO_ARTICLES), answer({"items": "0", "feed": []}))
        for _ in range(2):
            reply = await client.news("AAPL", since=None)
            assert (reply.rows, reply.misfits) == ([], [])


class TestEconomic:
    @pytest.mark.parametrize("series", get_args(EconomicSeries))
    async def test_the_recording(self, server: HttpServer, client: AlphaVantageClient, series: EconomicSeries) -> None:
        server.on(answer(data.economic(series)), function=series)
        reply = await client.economic(series)
        rows = data.rows_of(f"economic/{series}.csv")
        assert reply.misfits == []
        assert [(f"{point.ts:%Y-%m-%d}", point.value) for point in reply.rows] == [
            (row["timestamp"], None if row["value"] == "." else float(row["value"])) for row in reversed(rows)
        ]
        newest = reply.rows[-1]
        assert (newest.series, newest.interval, newest.unit) == (series, "monthly", "percent")

    async def test_what_the_publisher_left_out(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.economic("CPI")))
        left_out = [point.ts for point in (await client.economic("CPI")).rows if point.value is None]
        assert left_out == [at("2025-10-01T00:00:00Z")]

    @pytest.mark.parametrize("value", [None, 5, [], "missing"], ids=str)
    @pytest.mark.parametrize("field", ["unit", "interval", "name"])
    async def test_what_is_optional_does_not_take_its_series_with_it(
        self, server: HttpServer, client: AlphaVantageClient, field: str, value: object
    ) -> None:
        reply = data.economic("CPI") | {field: value}
        if value == "missing":
            del reply[field]
        server.on(answer(reply))
        points = await client.economic("CPI")
        assert points.misfits == []
        newest = points.rows[-1]
        assert (newest.interval, newest.unit) == ("monthly", "" if field == "unit" else "percent")

    @pytest.mark.parametrize("value", [None, "N/A", "null", "", "NaN", "missing"], ids=str)
    async def test_a_value_that_is_not_known_is_none(
        self, server: HttpServer, client: AlphaVantageClient, value: object
    ) -> None:
        row = {"date": "2026-04-01"} if value == "missing" else {"date": "2026-04-01", "value": value}
        server.on(answer({"interval": "monthly", "data": [row]}))
        points = await client.economic("CPI")
        assert ([point.value for point in points.rows], points.misfits) == ([None], [])

    async def test_the_parameters(self, server: HttpServer, client: AlphaVantageClient) -> None:
        server.on(answer(data.economic("TREASURY_YIELD")))
        await client.economic("TREASURY_YIELD")
        assert server.requests[0].params.items() >= {"interval": "daily", "maturity": "10year"}.items()


async def test_messages_survive_the_bus(server: HttpServer, client: AlphaVantageClient) -> None:
    server.on(answer(data.daily()), function="TIME_SERIES_DAILY")
    server.on(answer(data.global_quote()), function="GLOBAL_QUOTE")
    server.on(answer(data.recorded("NEWS_SENTIMENT.json")), function="NEWS_SENTIMENT")
    server.on(answer(data.economic("CPI")), function="CPI")
    messages: list[AnyMessage] = [
        *(await client.daily("IBM")).rows,
        await client.quote("IBM"),
        *(await client.news("AAPL", since=AFTERWARDS - timedelta(days=3))).rows,
        *(await client.economic("CPI")).rows,
    ]
    assert all(decode(topic_of(message), encode(message)) == message for message in messages)
