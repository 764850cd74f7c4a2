"""What Yahoo's streamer tells, as quotes; through the real client where a connection matters."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.model.messages import DeadLetter, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.net.stream import MessageStream, StreamLimits
from pipeline.sources.yahoo.streamer import MISFIT_EVERY, RESUBSCRIBE_EVERY, YahooStreamer, rounded
from pipeline.sources.yahoo.symbols import symbol_of, ticker_of
from testkit.data import RECORDED, require
from testkit.fakes import FakeClock
from testkit.websocket_fixtures import CONNECTION, Consume
from testkit.websocket_server import WebSocketServer, cut, eventually, sending
from testkit.yahoo_frames import frame, message

RECORDINGS = RECORDED / "providers" / "yahoo_ws"
HOUR = 3_600_000


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@pytest.fixture
def streamer(clock: FakeClock) -> YahooStreamer:
    streamer = YahooStreamer(ticker_of, clock)
    streamer.opening()
    streamer.subscribe(["AAPL", "BRK-B", "^GSPC"])
    return streamer


@pytest.fixture
def now(clock: FakeClock) -> int:
    return milliseconds(clock.now())


def quote(streamer: YahooStreamer, **fields: str | float) -> Quote:
    (found,) = streamer.received(frame(**({"id": "AAPL"} | fields)))
    assert isinstance(found, Quote), found
    return found


class TestQuotes:
    def test_a_price(self, streamer: YahooStreamer, now: int, clock: FakeClock) -> None:
        found = quote(
            streamer,
            price=305.76,
            time=now - 5,
            currency="USD",
            market_hours=1,
            day_volume=7,
            change=0.77,
            price_hint=2,
        )
        assert found == Quote(
            ticker="AAPL",
            ts=clock.now() - timedelta(milliseconds=5),
            price=305.76,
            previous_close=304.99,
            volume=7.0,
            currency="USD",
            session="regular",
            revision=now - 5,
            source="yahoo",
        )

    def test_what_is_not_said_again_still_holds(self, streamer: YahooStreamer, now: int) -> None:
        quote(
            streamer, price=10.0, time=now - 9, currency="USD", market_hours=1, change=1.0, day_volume=7, price_hint=2
        )
        assert streamer.received(frame(id="AAPL", time=now - 8, bid=9.5, day_volume=8)) == ()
        found = quote(streamer, price=10.123456, time=now - 7)
        assert (found.price, found.currency, found.session) == (10.12, "USD", "regular")
        assert (found.previous_close, found.volume) == (9.0, 8.0)

    def test_the_day_so_far_holds_until_another_begins(self, streamer: YahooStreamer, now: int) -> None:
        quote(
            streamer, price=10.0, time=now - 9, market_hours=1, open_price=9.1, day_high=10.2, day_low=9.0, price_hint=2
        )
        found = quote(streamer, price=10.1, time=now - 8, day_high=10.3)
        assert (found.open, found.high, found.low) == (9.1, 10.3, 9.0)
        found = quote(streamer, price=10.0, time=now - 7, market_hours=0)
        assert (found.open, found.high, found.low) == (None, None, None)

    def test_a_symbol_s_facts_are_its_own(self, streamer: YahooStreamer, now: int) -> None:
        quote(streamer, price=10.0, time=now, currency="USD", change=1.0)
        found = quote(streamer, id="^GSPC", price=5000.0, time=now)
        assert found.currency is None and found.previous_close is None

    def test_the_ticker_is_ours(self, streamer: YahooStreamer, clock: FakeClock, now: int) -> None:
        streamer = YahooStreamer(lambda symbol: ticker_of(symbol, ["BRK.B"]), clock)
        streamer.subscribe(["BRK-B"])
        assert quote(streamer, id="BRK-B", price=500.0, time=now).ticker == "BRK.B"

    @pytest.mark.parametrize(
        ("hours", "session"), [(0, "pre"), (1, "regular"), (2, "post"), (3, None), (4, None), (-1, None)]
    )
    def test_sessions(self, streamer: YahooStreamer, now: int, hours: int, session: str | None) -> None:
        assert quote(streamer, price=10.0, time=now, market_hours=hours & (1 << 64) - 1).session == session

    def test_a_symbol_that_was_not_asked_for_is_left_out(self, streamer: YahooStreamer, now: int) -> None:
        assert streamer.received(frame(id="TSLA", price=1.0, time=now)) == ()
        streamer.unsubscribe(["AAPL"])
        assert streamer.received(frame(id="AAPL", price=1.0, time=now)) == ()

    def test_an_older_one_is_left_out(self, streamer: YahooStreamer, now: int) -> None:
        quote(streamer, price=10.0, time=now)
        assert streamer.received(frame(id="AAPL", price=11.0, time=now - 1, currency="EUR")) == ()
        assert quote(streamer, price=12.0, time=now).currency is None

    def test_a_clock_that_is_a_little_ahead(self, streamer: YahooStreamer, clock: FakeClock, now: int) -> None:
        found = quote(streamer, price=10.0, time=now + 1000)
        assert found.ts == clock.now() and found.revision == now + 1000

    def test_without_a_time_it_was_now(self, streamer: YahooStreamer, clock: FakeClock, now: int) -> None:
        found = quote(streamer, price=10.0)
        assert found.ts == clock.now() and found.revision == now

    def test_a_currency_that_is_none_is_not_known(self, streamer: YahooStreamer, now: int) -> None:
        assert quote(streamer, price=10.0, time=now, currency="GBp").currency == "GBp"
        assert quote(streamer, price=10.0, time=now, currency="$").currency is None


class TestDays:
    def test_after_the_close_the_change_says_nothing_of_the_day_before(self, streamer: YahooStreamer, now: int) -> None:
        quote(streamer, price=10.0, time=now - HOUR, market_hours=1, change=1.0, price_hint=2)
        assert quote(streamer, price=11.0, time=now, market_hours=2, change=0.5).previous_close == 9.0

    def test_before_the_open_it_is_another_day(self, streamer: YahooStreamer, now: int) -> None:
        quote(streamer, price=10.0, time=now - HOUR, market_hours=2, previous_close=9.0, day_volume=7)
        found = quote(streamer, price=11.0, time=now, market_hours=0)
        assert found.previous_close is None and found.volume is None

    def test_after_a_long_silence_it_may_be_another_day(self, streamer: YahooStreamer, now: int) -> None:
        quote(streamer, price=10.0, time=now - 7 * HOUR, market_hours=1, change=1.0, day_volume=7, currency="USD")
        found = quote(streamer, price=11.0, time=now)
        assert found.previous_close is None and found.volume is None and found.currency == "USD"

    def test_a_previous_close_that_is_said_comes_before_one_that_is_counted(
        self, streamer: YahooStreamer, now: int
    ) -> None:
        assert quote(streamer, price=10.0, time=now, change=1.0, previous_close=9.25).previous_close == 9.25


@pytest.mark.parametrize(
    ("price", "hint", "expected"),
    [
        (305.760009765625, 2, 305.76),
        (305.760009765625, None, 305.76),
        (305.760009765625, -5, 305.76),
        (94745.078125, 2, 94745.08),
        (1.1655012369155884, 4, 1.1655),
        (1.2341e-05, 2, 1.234e-05),
        (0.0, 2, 0.0),
        (-37.63, 2, -37.63),
    ],
)
def test_prices_are_rounded_as_they_are_shown(price: float, hint: int | None, expected: float) -> None:
    assert rounded(price, hint) == expected


class TestMisfits:
    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ("no base64!", "its message is not base64"),
            (frame(id="AAPL", price=-1.0), "AAPL: -1 is not a price of AAPL"),
            (frame(id="AAPL", price=float("nan")), "AAPL: a price is not finite"),
            (frame(id="AAPL", price=1.0, time=-1), "AAPL: -1 is no time"),
            (frame(id="AAPL", price=1.0, time=1 << 62), "AAPL: 4611686018427387904 is no time"),
            (frame(id="AAPL", price=1.0, time=4_000_000_000_000), "AAPL: 2096-10-02T07:06:40+00:00 is a time to come"),
        ],
    )
    def test_what_does_not_fit_is_a_dead_letter_and_changes_nothing(
        self, streamer: YahooStreamer, now: int, bad: str, reason: str
    ) -> None:
        (letter,) = streamer.received(bad)
        assert isinstance(letter, DeadLetter) and letter.reason.startswith(reason)
        assert letter.topic == "yahoo:stream" and letter.payload == bad
        assert quote(streamer, price=10.0, time=now).price == 10.0

    def test_a_symbol_s_are_told_once_in_a_while(self, streamer: YahooStreamer, clock: FakeClock) -> None:
        bad = frame(id="AAPL", price=-1.0)
        assert [len(streamer.received(bad)) for _ in range(3)] == [1, 0, 0]
        assert len(streamer.received(frame(id="BRK-B", price=-1.0))) == 1
        clock.jump(MISFIT_EVERY)
        assert [len(streamer.received(bad)) for _ in range(3)] == [1, 0, 0]


class TestConnection:
    async def test_the_recorded_day(self, websocket: WebSocketServer, consume: Consume) -> None:
        frames = require(RECORDINGS / "frames-good-and-bad.made.ndjson").read_text().splitlines()
        subscribe, _ = require(RECORDINGS / "subscribe.made.ndjson").read_text().splitlines()
        clock = FakeClock(datetime(2026, 5, 22, 8, 30, tzinfo=UTC))
        websocket.on(sending(*frames))
        watchlist = Watchlist(["AAPL", "BTC-USD"])
        streamer = YahooStreamer(lambda symbol: ticker_of(symbol, watchlist), clock)
        limits = StreamLimits(connection=CONNECTION, pace=0.0)
        consumer = consume(
            MessageStream(websocket.url, streamer, clock, name="Yahoo", limits=limits), watchlist, symbol_of
        )
        await consumer.until(lambda: len(consumer.messages) == 3)
        assert json.loads(websocket.received[0]) == json.loads(subscribe)
        quotes = {message.ticker: message for message in consumer.messages if isinstance(message, Quote)}
        assert quotes["AAPL"] == Quote(
            ticker="AAPL",
            ts=datetime(2026, 5, 22, 8, 10, 22, tzinfo=UTC),
            price=305.76,
            previous_close=304.99,
            session="pre",
            revision=1_779_437_422_000,
            source="yahoo",
        )
        crypto = quotes["BTC-USD"]
        assert (crypto.price, crypto.previous_close, crypto.currency) == (94745.08, 93313.19, "USD")
        assert (crypto.open, crypto.high, crypto.low) == (92529.99, 95227.55, 92517.22)
        assert crypto.market_cap == 1_876_726_640_000.0

    async def test_what_is_known_outlives_a_connection(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume, now: int
    ) -> None:
        websocket.on(
            sending(frame(id="AAPL", price=10.0, time=now, currency="USD"), then=cut),
            sending(frame(id="AAPL", price=11.0, time=now + 1)),
        )
        watchlist = Watchlist(["AAPL"])
        limits = StreamLimits(connection=CONNECTION, pace=0.0)
        stream = MessageStream(websocket.url, YahooStreamer(ticker_of, clock), clock, name="Yahoo", limits=limits)
        consumer = consume(stream, watchlist, symbol_of)
        await eventually(lambda: stream.state.next_try is not None)
        await clock.advance(1)
        await consumer.until(lambda: len(consumer.messages) == 2)
        assert [message.currency for message in consumer.messages] == ["USD", "USD"]

    async def test_it_is_asked_again_and_again(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        streamer = YahooStreamer(ticker_of, clock)
        stream = MessageStream(
            websocket.url,
            streamer,
            clock,
            name="Yahoo",
            resubscribe_every=RESUBSCRIBE_EVERY,
            limits=StreamLimits(connection=CONNECTION),
        )
        watchlist = Watchlist(["BRK.B"])
        consume(stream, watchlist, symbol_of)
        await eventually(lambda: len(websocket.received) == 1)
        await clock.advance(RESUBSCRIBE_EVERY)
        await eventually(lambda: len(websocket.received) == 2)
        watchlist.become(["AAPL"])
        await eventually(lambda: len(websocket.received) == 4)
        assert websocket.sent("subscribe") == [["BRK-B"], ["BRK-B"], ["AAPL"]]
        assert websocket.sent("unsubscribe") == [["BRK-B"]]


def test_the_bare_message_of_the_first_version_is_read(streamer: YahooStreamer, now: int) -> None:
    (found,) = streamer.received(b64encode(message(id="AAPL", price=10.0, time=now)))
    assert isinstance(found, Quote) and found.price == 10.0
