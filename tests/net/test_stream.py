"""What a stream asks for and hands out, through the real client."""

import asyncio
import json

import pytest
from websockets.frames import Frame, Opcode

from pipeline.model.messages import Bar, DeadLetter, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.net.stream import MessageStream, StreamLimits
from testkit.fakes import FakeClock
from testkit.websocket_fixtures import CONNECTION, Consume
from testkit.websocket_server import Behaviour, Client, WebSocketServer, eventually, sending
from tests.net.streams import GreetedTicks, Ticks

LIMITS = StreamLimits(connection=CONNECTION, pace=0.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class TestSymbols:
    async def test_all_that_is_watched_is_asked_for(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", headers={"X-Key": "k"}, limits=LIMITS)
        consume(stream, Watchlist(["AAPL", "MSFT"]))
        await eventually(lambda: websocket.received)
        assert websocket.sent("subscribe") == [["AAPL", "MSFT"]]
        (request,) = websocket.requests
        assert request.headers["User-Agent"].startswith("fintrends-tui/") and request.headers["X-Key"] == "k"
        assert stream.state.connected and stream.state.next_try is None

    async def test_changes_are_followed(self, websocket: WebSocketServer, clock: FakeClock, consume: Consume) -> None:
        watchlist = Watchlist(["AAPL", "MSFT"])
        consume(MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS), watchlist)
        await eventually(lambda: len(websocket.received) == 1)
        watchlist.become(["MSFT", "TSLA"])
        await eventually(lambda: len(websocket.received) == 3)
        assert [json.loads(frame) for frame in websocket.received[1:]] == [
            {"unsubscribe": ["AAPL"]},
            {"subscribe": ["TSLA"]},
        ]
        assert len(websocket.requests) == 1

    async def test_symbols_are_the_provider_s(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        symbols = {"BRK.B": "BRK-B", "BRK-B": "BRK-B"}
        watchlist = Watchlist(["BRK.B", "BRK-B", "^GSPC"])
        consume(MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS), watchlist, symbols.get)
        await eventually(lambda: websocket.received)
        assert websocket.sent("subscribe") == [["BRK-B"]]

    async def test_without_a_symbol_there_is_no_connection(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        watchlist = Watchlist(["^GSPC"])
        stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
        consume(stream, watchlist, {"AAPL": "AAPL"}.get)
        await clock.advance(60)
        assert not websocket.requests and not stream.state.connected
        watchlist.add(["AAPL"])
        await eventually(lambda: websocket.received)
        watchlist.remove(["AAPL"])
        await eventually(lambda: not stream.state.connected)
        assert stream.state.next_try is None and clock.monotonic() == 60

    async def test_they_are_asked_for_again_where_the_provider_forgets(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        watchlist = Watchlist(["AAPL", "MSFT"])
        consume(
            MessageStream(websocket.url, Ticks(), clock, name="ticks", resubscribe_every=15.0, limits=LIMITS), watchlist
        )
        await eventually(lambda: len(websocket.received) == 1)
        await clock.advance(14)
        watchlist.remove(["AAPL"])
        await eventually(lambda: len(websocket.received) == 2)
        await clock.advance(1)
        await eventually(lambda: len(websocket.received) == 3)
        assert websocket.sent("subscribe") == [["AAPL", "MSFT"], ["MSFT"]]
        assert websocket.sent("unsubscribe") == [["AAPL"]]

    async def test_nothing_is_asked_for_before_the_provider_has_answered(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        stream = MessageStream(websocket.url, GreetedTicks(), clock, name="ticks", limits=LIMITS)
        consume(stream, Watchlist(["AAPL"]))
        await eventually(lambda: websocket.received)
        await websocket.send({"connected": True})
        await asyncio.sleep(0.01)
        assert websocket.received == ['{"key": "S3CR3T-KEY"}'] and not stream.state.connected
        await websocket.send({"accepted": True})
        await eventually(lambda: websocket.sent("subscribe") == [["AAPL"]])
        assert stream.state.connected


class TestBatches:
    async def test_what_comes_is_handed_out(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        websocket.on(sending('["AAPL", 1.5]', '{"type": "heartbeat"}', b'["MSFT", 2, 0]', "no JSON"))
        watchlist = Watchlist(["AAPL", "MSFT"])
        consumer = consume(MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS), watchlist)
        await consumer.until(lambda: len(consumer.messages) == 3)
        assert {type(message) for message in consumer.messages} == {Quote, Bar, DeadLetter}

    async def test_a_slow_consumer_gets_the_latest_quote_of_each_ticker(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        protocol, count = Ticks(), 500
        frames = [f'["{ticker}", {number}]' for number in range(1, count + 1) for ticker in ("AAPL", "MSFT")]
        websocket.on(sending('["AAPL", 1]'))
        limits = StreamLimits(connection=CONNECTION, pace=0.25)
        stream = MessageStream(websocket.url, protocol, clock, name="ticks", limits=limits)
        consumer = consume(stream, Watchlist(["AAPL", "MSFT"]))
        await consumer.until(lambda: consumer.batches)
        await websocket.send(*frames)
        await consumer.until(lambda: protocol.frames == 1 + len(frames))
        assert len(consumer.batches) == 1
        await clock.advance(0.25)
        await consumer.until(lambda: len(consumer.batches) == 2)
        assert {quote.ticker: quote.price for quote in consumer.batches[1]} == {"AAPL": count, "MSFT": count}

    async def test_a_flood_lets_others_have_their_turn(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        frames = [Frame(Opcode.TEXT, b'["AAPL", %d]' % number).serialize(mask=False) for number in range(1, 2001)]

        async def session(client: Client) -> None:
            await client.receive()
            client.write(b"".join(frames))
            await client.listen()

        websocket.on(Behaviour(session))
        watchlist = Watchlist(["AAPL"])
        consumer = consume(MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS), watchlist)
        await consumer.until(lambda: consumer.batches and consumer.batches[-1][0].price == 2000)
        assert 5 < len(consumer.batches) < 500

    async def test_every_bar_is_kept_and_a_full_queue_stops_the_reading(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        protocol = Ticks()
        websocket.on(sending(*(f'["AAPL", 1, {minute}]' for minute in range(100))))
        limits = StreamLimits(connection=CONNECTION, pace=0.25, waiting=10)
        stream = MessageStream(websocket.url, protocol, clock, name="ticks", quiet=20.0, limits=limits)
        consumer = consume(stream, Watchlist(["AAPL"]))
        await consumer.until(lambda: consumer.batches)
        while (have := len(consumer.messages)) < 100:
            await consumer.until(lambda have=have: protocol.frames == min(100, have + 10))
            await asyncio.sleep(0.002)
            assert protocol.frames == min(100, have + 10)
            await clock.advance(0.25)
            await consumer.until(lambda have=have: len(consumer.messages) > have)
        minutes = [bar.ts for bar in consumer.messages]
        assert minutes == sorted(set(minutes)) and len(minutes) == 100

    async def test_what_was_removed_is_dropped(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        watchlist = Watchlist(["AAPL", "MSFT"])
        consumer = consume(MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS), watchlist)
        await eventually(lambda: websocket.received)
        watchlist.remove(["AAPL"])
        await websocket.send('["AAPL", 1]', '["MSFT", 2]')
        await consumer.until(lambda: consumer.messages)
        assert [message.ticker for message in consumer.messages] == ["MSFT"]

    async def test_an_ended_stream_leaves_nothing_behind(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
        before = asyncio.all_tasks()
        consumer = consume(stream, Watchlist(["AAPL"]))
        await eventually(lambda: websocket.received)
        consumer.task.cancel()
        await asyncio.gather(consumer.task, return_exceptions=True)
        await eventually(lambda: asyncio.all_tasks() <= before)
        assert not stream.state.connected
