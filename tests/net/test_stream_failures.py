"""What any provider of a stream may do to us, through the real client."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import StreamRefusedError
from pipeline.net.stream import MessageStream, StreamLimits
from pipeline.net.websocket import ConnectionLimits
from testkit.engines.process import free_port
from testkit.fakes import START, FakeClock
from testkit.websocket_fixtures import CONNECTION, Consume
from testkit.websocket_server import (
    Behaviour,
    Client,
    WebSocketServer,
    break_handshake,
    closing,
    cut,
    cut_in_frame,
    eventually,
    garbage,
    hang_handshake,
    refusing,
    sending,
    stall,
)
from tests.net.streams import GreetedTicks, Ticks

SECRET = "S3CR3T-KEY"  # noqa: S105
LIMITS = StreamLimits(connection=CONNECTION, pace=0.0)
SMALL_FRAMES = replace(LIMITS, connection=replace(CONNECTION, frame=100))
QUOTE = sending('["AAPL", 1.5]')


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def lost(stream: MessageStream, clock: FakeClock) -> float:
    """Until the stream waits for its next try: in how many seconds that is."""
    await eventually(lambda: (next_try := stream.state.next_try) is not None and next_try > clock.now())
    assert stream.state.next_try is not None
    return (stream.state.next_try - clock.now()) / timedelta(seconds=1)


async def tried_again(stream: MessageStream, clock: FakeClock) -> float:
    """Let that time pass."""
    pause = await lost(stream, clock)
    await clock.advance(pause + 0.001)
    return pause


FAILURES = {
    "closed": (closing(), "closed by the provider (1000)"),
    "closed with words": (closing(1013, "come\x1b[31m again"), "closed by the provider (1013: come again)"),
    "cut": (cut, "the connection broke off"),
    "cut in a frame": (cut_in_frame, "the connection broke off"),
    "garbage": (garbage, "cut off by us (invalid opcode)"),
    "too large a frame": (sending("x" * 101), "cut off by us (frame with 101 bytes exceeds limit of 100 bytes)"),
    "broken handshake": (break_handshake, "the connection broke off during the handshake"),
    "status 500": (refusing(500), "refused with status 500 Internal Server Error"),
    "status 429": (refusing(429), "refused with status 429 Too Many Requests"),
    "redirect": (refusing(302, {"Location": "ws://127.0.0.1:1/"}), "refused with status 302 Found"),
}


@pytest.mark.parametrize(("failure", "why"), FAILURES.values(), ids=FAILURES)
async def test_a_lost_connection_is_made_again(
    websocket: WebSocketServer,
    clock: FakeClock,
    consume: Consume,
    caplog: pytest.LogCaptureFixture,
    failure: Behaviour,
    why: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    websocket.on(failure, QUOTE)
    stream = MessageStream(f"{websocket.url}/?token={SECRET}", Ticks(), clock, name="ticks", limits=SMALL_FRAMES)
    consumer = consume(stream, Watchlist(["AAPL"]))
    await lost(stream, clock)
    assert not stream.state.connected and stream.state.why == why
    assert len(websocket.requests) == 1
    await tried_again(stream, clock)
    await consumer.until(lambda: consumer.messages)
    assert stream.state.connected and stream.state.since > START
    assert len(websocket.requests) == 2 and websocket.sent("subscribe")[-1] == ["AAPL"]
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("failure", "limits", "why"),
    [
        (stall, ConnectionLimits(ping=0.01, pong=0.01, close=0.01), "cut off by us (keepalive ping timeout)"),
        (hang_handshake, ConnectionLimits(connect=0.02), "no connection within 0.02 s"),
    ],
)
async def test_one_that_does_not_answer_is_given_up(
    websocket: WebSocketServer,
    clock: FakeClock,
    consume: Consume,
    failure: Behaviour,
    limits: ConnectionLimits,
    why: str,
) -> None:
    websocket.on(failure)
    stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=replace(LIMITS, connection=limits))
    consume(stream, Watchlist(["AAPL"]))
    await lost(stream, clock)
    assert stream.state.why == why


async def test_a_host_that_is_not_there_is_tried_again(clock: FakeClock, consume: Consume) -> None:
    stream = MessageStream(f"ws://127.0.0.1:{free_port()}", Ticks(), clock, name="ticks", limits=LIMITS)
    consume(stream, Watchlist(["AAPL"]))
    await lost(stream, clock)
    assert stream.state.why == "the host refuses the connection"


@pytest.mark.parametrize("failure", [closing(), cut, break_handshake, refusing(503), sending('["AAPL", 1]', then=cut)])
async def test_a_provider_that_keeps_failing_is_left_in_peace(
    websocket: WebSocketServer,
    clock: FakeClock,
    consume: Consume,
    caplog: pytest.LogCaptureFixture,
    failure: Behaviour,
) -> None:
    caplog.set_level(logging.INFO, logger="pipeline")
    websocket.on(failure)
    stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
    consume(stream, Watchlist(["AAPL"]))
    pauses: list[float] = []
    for attempts in range(1, 13):
        await lost(stream, clock)
        assert len(websocket.requests) == attempts
        pauses.append(await tried_again(stream, clock))
    steps = [min(60.0, 2.0**failures) for failures in range(12)]
    assert all(step / 2 - 0.002 <= pause <= step for pause, step in zip(pauses, steps, strict=True))
    assert [record.message.split(",")[0] for record in caplog.records] == ["ticks: the stream is lost"]


async def test_while_it_waits_nothing_is_tried(websocket: WebSocketServer, clock: FakeClock, consume: Consume) -> None:
    websocket.on(closing())
    stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
    consume(stream, Watchlist(["AAPL"]))
    await lost(stream, clock)
    await asyncio.sleep(0.02)
    assert len(websocket.requests) == 1


async def test_a_connection_that_has_lived_makes_the_next_failure_the_first(
    websocket: WebSocketServer, clock: FakeClock, consume: Consume, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pipeline")
    websocket.on(*[cut] * 5, QUOTE)
    stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
    consumer = consume(stream, Watchlist(["AAPL"]))
    for _ in range(5):
        await tried_again(stream, clock)
    await consumer.until(lambda: consumer.messages)
    await clock.advance(LIMITS.settled)
    websocket.clients[-1].abort()
    assert await lost(stream, clock) <= LIMITS.first_pause
    said = [record.message.partition(",")[0] for record in caplog.records]
    assert said == ["ticks: the stream is lost", "ticks: the stream is back", "ticks: the stream is lost"]


async def test_the_provider_may_ask_for_a_longer_pause(
    websocket: WebSocketServer, clock: FakeClock, consume: Consume
) -> None:
    websocket.on(refusing(429, {"Retry-After": "120"}))
    stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
    consume(stream, Watchlist(["AAPL"]))
    await lost(stream, clock)
    assert stream.state.next_try == clock.now() + timedelta(seconds=120)


class TestQuiet:
    async def test_a_silent_connection_is_replaced(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", quiet=30.0, limits=LIMITS)
        consumer = consume(stream, Watchlist(["AAPL"]))
        await eventually(lambda: websocket.received)
        await clock.advance(20)
        await websocket.send('["AAPL", 1]')
        await consumer.until(lambda: consumer.messages)
        await clock.advance(29)
        assert stream.state.connected
        await clock.advance(1)
        await lost(stream, clock)
        assert stream.state.why == "no frame for 30 s"
        await tried_again(stream, clock)
        await eventually(lambda: len(websocket.requests) == 2)

    async def test_silence_is_in_order_while_the_market_is_closed(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        is_open = False
        stream = MessageStream(
            websocket.url, Ticks(), clock, name="ticks", quiet=30.0, open_now=lambda: is_open, limits=LIMITS
        )
        consume(stream, Watchlist(["AAPL"]))
        await eventually(lambda: websocket.received)
        await clock.advance(3600)
        assert stream.state.connected
        is_open = True
        await clock.advance(30)
        await lost(stream, clock)
        assert stream.state.why == "no frame for 30 s"


class TestRefusals:
    @pytest.mark.parametrize(
        ("failure", "why"),
        [
            (sending({"error": "invalid key", "permanent": True}), "ticks: invalid key"),
            (refusing(401), "ticks: refused with status 401 Unauthorized"),
            (refusing(403), "ticks: refused with status 403 Forbidden"),
        ],
    )
    async def test_a_permanent_one_is_raised(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume, failure: Behaviour, why: str
    ) -> None:
        websocket.on(failure)
        stream = MessageStream(f"{websocket.url}/?token={SECRET}", Ticks(), clock, name="ticks", limits=LIMITS)
        consumer = consume(stream, Watchlist(["AAPL"]))
        with pytest.raises(StreamRefusedError) as caught:
            await consumer.task
        assert str(caught.value) == why and caught.value.permanent
        assert not stream.state.connected

    async def test_it_is_raised_after_what_came_before(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        websocket.on(sending('["AAPL", 1]', {"error": "moved", "permanent": True}))
        consumer = consume(
            MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS), Watchlist(["AAPL"])
        )
        with pytest.raises(StreamRefusedError):
            await consumer.task
        assert len(consumer.messages) == 1

    async def test_it_is_raised_although_the_connection_has_been_closed_since(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        async def session(client: Client) -> None:
            await client.send({"error": "invalid key", "permanent": True})
            client.connection.transport.close()

        websocket.on(Behaviour(session))
        consumer = consume(
            MessageStream(websocket.url, GreetedTicks(), clock, name="ticks", limits=LIMITS), Watchlist(["AAPL"])
        )
        with pytest.raises(StreamRefusedError, match="invalid key"):
            await consumer.task

    async def test_a_source_that_can_do_without_waits_it_out(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        websocket.on(refusing(403), QUOTE)
        stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", raise_refusals=False, limits=LIMITS)
        consumer = consume(stream, Watchlist(["AAPL"]))
        await lost(stream, clock)
        assert stream.state.why == "refused with status 403 Forbidden"
        assert stream.state.next_try == clock.now() + timedelta(seconds=LIMITS.refused_pause)
        await tried_again(stream, clock)
        await consumer.until(lambda: consumer.messages)

    async def test_one_that_passes_is_waited_out(
        self, websocket: WebSocketServer, clock: FakeClock, consume: Consume
    ) -> None:
        websocket.on(sending({"error": "too many connections", "permanent": False}), QUOTE)
        stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
        consumer = consume(stream, Watchlist(["AAPL"]))
        await lost(stream, clock)
        assert stream.state.why == "too many connections"
        await tried_again(stream, clock)
        await consumer.until(lambda: consumer.messages)


async def test_each_connection_is_opened_anew(websocket: WebSocketServer, clock: FakeClock, consume: Consume) -> None:
    websocket.on(sending({"accepted": True}, then=cut), sending({"accepted": True}))
    stream = MessageStream(websocket.url, GreetedTicks(), clock, name="ticks", limits=LIMITS)
    consume(stream, Watchlist(["AAPL"]))
    await tried_again(stream, clock)
    await eventually(lambda: len(websocket.clients) == 2 and stream.state.connected)
    assert websocket.sent("key") == [SECRET, SECRET]


async def test_the_environment_s_proxy_is_not_used(
    websocket: WebSocketServer, clock: FakeClock, consume: Consume, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    stream = MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS)
    consume(stream, Watchlist(["AAPL"]))
    await eventually(lambda: stream.state.connected)


async def test_a_fault_of_ours_is_no_failure_of_the_provider(
    websocket: WebSocketServer, clock: FakeClock, consume: Consume
) -> None:
    websocket.on(sending('["not a ticker!", 1]'))
    consumer = consume(MessageStream(websocket.url, Ticks(), clock, name="ticks", limits=LIMITS), Watchlist(["AAPL"]))
    with pytest.raises(ValueError, match="not a ticker"):
        await consumer.task
