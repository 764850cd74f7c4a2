"""What any provider may do to us, through the real client."""

import asyncio
import logging
import tracemalloc
from collections.abc import Callable
from datetime import timedelta

import pytest

from pipeline.net import circuit_breaker as circuit
from pipeline.net.errors import (
    CircuitOpenError,
    HttpError,
    RateLimitedError,
    RefusedError,
    TimedOutError,
    UnavailableError,
)
from pipeline.net.http import Http, Limits
from testkit.engines.process import free_port
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, answer, gzipped, hang, held, reset, trickle, truncated

SECRET = "S3CR3T-KEY"  # noqa: S105
OK = answer(b"ok")


class Permits:
    """Counts what is asked for; a budget in small."""

    def __init__(self) -> None:
        self.given = 0
        self.taken_back = 0

    async def __call__(self) -> Callable[[], None]:
        self.given += 1
        return self._take_back

    def _take_back(self) -> None:
        self.taken_back += 1


@pytest.fixture
def permit() -> Permits:
    return Permits()


class TestRequests:
    async def test_get_sends_parameters_and_headers(self, server: HttpServer, http: Http) -> None:
        server.on(OK)
        assert await http.get(f"{server.url}/a", params={"q": "x y&z"}, headers={"X-A": "b"}) == b"ok"
        (request,) = server.requests
        assert (request.method, request.path, request.params) == ("GET", "/a", {"q": "x y&z"})
        assert request.headers["x-a"] == "b" and request.headers["user-agent"].startswith("fintrends-tui/")

    async def test_post_sends_a_form(self, server: HttpServer, http: Http) -> None:
        server.on(OK)
        assert await http.post(f"{server.url}/a", data={"grant_type": "x"}) == b"ok"
        assert (server.requests[0].method, server.requests[0].body) == ("POST", b"grant_type=x")

    async def test_a_compressed_answer_is_decompressed(self, server: HttpServer, http: Http) -> None:
        server.on(gzipped(b"ok" * 1000))
        assert await http.get(server.url) == b"ok" * 1000

    async def test_the_environment_s_proxy_is_not_used(
        self, server: HttpServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        server.on(OK)
        http = Http(clock)
        assert await http.get(server.url) == b"ok"
        await http.close()


class TestRetries:
    @pytest.mark.parametrize(
        "failure",
        [
            answer(status=500),
            answer(status=502),
            answer(status=503),
            answer(status=504),
            reset,
            truncated(b"half"),
        ],
        ids=["500", "502", "503", "504", "reset", "truncated"],
    )
    async def test_what_may_pass_is_tried_again(
        self, server: HttpServer, http: Http, permit: Permits, failure: Behaviour
    ) -> None:
        server.on(failure, failure, OK)
        assert await http.get(server.url, permit=permit) == b"ok"
        assert len(server.requests) == permit.given == 3
        assert permit.taken_back == 0  # all of them were heard

    async def test_without_a_connection_the_permit_is_taken_back(self, http: Http, permit: Permits) -> None:
        with pytest.raises(UnavailableError, match="no connection, the host refuses it"):
            await http.get(f"http://127.0.0.1:{free_port()}", permit=permit)
        assert permit.given == permit.taken_back == 3

    async def test_what_did_not_leave_is_taken_back(self, server: HttpServer, http: Http, permit: Permits) -> None:
        server.on(trickle)
        busy = [asyncio.create_task(http.get(server.url)) for _ in range(16)]
        while len(server.requests) < len(busy):
            await asyncio.sleep(0.001)
        with pytest.raises(HttpError, match="too many requests are in progress"):
            await http.get(server.url, permit=permit)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        assert permit.given == permit.taken_back == 1

    async def test_what_the_circuit_held_back_after_the_permit_is_taken_back(
        self, server: HttpServer, http: Http, permit: Permits
    ) -> None:
        async def slow_permit() -> Callable[[], None]:
            await _open_circuit(server, http)
            return await permit()

        with pytest.raises(CircuitOpenError):
            await http.get(server.url, permit=slow_permit)
        assert permit.given == permit.taken_back == 1

    async def test_a_compressed_answer_that_ends_early_is_tried_again(self, server: HttpServer, http: Http) -> None:
        half = bytes.fromhex("1f8b0800000000000203")
        server.on(answer(half, headers={"Content-Encoding": "gzip"}), OK)
        assert await http.get(server.url) == b"ok"

    async def test_the_tries_are_bounded(self, server: HttpServer, http: Http, permit: Permits) -> None:
        server.on(answer(status=500))
        with pytest.raises(UnavailableError, match=r"^127\.0\.0\.1:\d+: status 500 Internal Server Error$"):
            await http.get(server.url, permit=permit)
        assert len(server.requests) == permit.given == 3

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
    async def test_a_refusal_is_final(self, server: HttpServer, http: Http, status: int) -> None:
        server.on(answer(b"because", status))
        with pytest.raises(RefusedError, match=f"status {status} ") as error:
            await http.get(server.url)
        assert (error.value.status, error.value.body, len(server.requests)) == (status, b"because", 1)

    async def test_a_long_refusal_is_cut(self, server: HttpServer, http: Http) -> None:
        server.on(answer(b"x" * 100_000, 400))
        with pytest.raises(RefusedError) as error:
            await http.get(server.url)
        assert error.value.body == b"x" * 4096

    async def test_a_pause_asked_for_is_kept(self, server: HttpServer, http: Http, clock: FakeClock) -> None:
        server.on(answer(status=503, headers={"Retry-After": "7"}), OK)
        assert await http.get(server.url) == b"ok"
        assert 7 <= clock.monotonic() < 8

    async def test_a_pause_too_long_to_wait_for_is_the_caller_s(self, server: HttpServer, http: Http) -> None:
        server.on(answer(status=503, headers={"Retry-After": "3600"}))
        with pytest.raises(UnavailableError) as error:
            await http.get(server.url)
        assert (error.value.retry_after, len(server.requests)) == (3600, 1)

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("30", 30),
            ("Wed, 04 Mar 2026 15:02:00 GMT", 120),
            ("Wed, 04 Mar 2026 14:00:00 GMT", 0),
            ("soon", None),
            ("-1", None),
            ("9" * 400, 86_400),
            (None, None),
        ],
    )
    async def test_too_many_requests_are_the_caller_s_to_schedule(
        self, server: HttpServer, http: Http, header: str | None, seconds: float | None
    ) -> None:
        server.on(answer(status=429, headers={"Retry-After": header} if header else {}))
        with pytest.raises(RateLimitedError) as error:
            await http.get(server.url)
        assert (error.value.retry_after, len(server.requests)) == (seconds, 1)


class TestBounds:
    async def test_a_hung_connection_ends(self, server: HttpServer, http: Http) -> None:
        server.on(hang)
        with pytest.raises(TimedOutError, match=r"silent for 1 s"):
            await http.get(server.url)
        assert len(server.requests) == 1, "others wait while it is tried"

    async def test_a_trickle_ends(self, server: HttpServer, clock: FakeClock) -> None:
        server.on(trickle)
        http = Http(clock, limits=Limits(silence=5, total=0.5))
        with pytest.raises(TimedOutError, match=r"no complete answer within 0\.5 s"):
            await http.get(server.url)
        await http.close()
        assert len(server.requests) == 1

    @pytest.mark.parametrize("size", [(1 << 20) + 1, 3 << 20])
    async def test_a_large_answer_is_refused(self, server: HttpServer, http: Http, size: int) -> None:
        server.on(answer(bytes(size)))
        with pytest.raises(HttpError, match="larger than 1 MiB"):
            await http.get(server.url)
        assert len(server.requests) == 1

    async def test_the_largest_answer_is_taken(self, server: HttpServer, http: Http) -> None:
        server.on(gzipped(bytes(1 << 20)))
        assert len(await http.get(server.url)) == 1 << 20

    async def test_a_bomb_is_not_inflated(self, server: HttpServer, http: Http) -> None:
        server.on(gzipped(bytes(64 << 20)))
        tracemalloc.start()
        try:
            with pytest.raises(HttpError, match="larger than 1 MiB"):
                await http.get(server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 << 20

    @pytest.mark.parametrize("encoding", ["gzip", "br"])
    async def test_what_cannot_be_decompressed_is_an_error(self, server: HttpServer, http: Http, encoding: str) -> None:
        server.on(answer(b"plain", headers={"Content-Encoding": encoding}))
        with pytest.raises(HttpError, match="compressed"):
            await http.get(server.url)

    async def test_a_redirect_within_the_host_is_followed(self, server: HttpServer, http: Http) -> None:
        server.on(answer(status=302, headers={"Location": "/there"}), path="/here")
        server.on(OK, path="/there")
        assert await http.get(f"{server.url}/here") == b"ok"

    @pytest.mark.parametrize(
        ("location", "message"),
        [
            ("http://127.0.0.2:9/?apikey=x", r"redirects elsewhere, to http://127\.0\.0\.2:9$"),
            ("/", "more than 3 redirects"),
        ],
    )
    async def test_other_redirects_are_not(self, server: HttpServer, http: Http, location: str, message: str) -> None:
        server.on(answer(status=302, headers={"Location": location}))
        with pytest.raises(HttpError, match=message):
            await http.get(server.url)
        assert len(server.requests) <= 4


class TestCircuit:
    async def test_it_opens_tries_once_and_closes(
        self, server: HttpServer, http: Http, clock: FakeClock, permit: Permits
    ) -> None:
        server.on(answer(status=500))
        with pytest.raises(UnavailableError):
            await http.get(server.url)
        with pytest.raises(CircuitOpenError):  # the third try of this one is the sixth in all
            await http.get(server.url)
        opened = clock.now()
        with pytest.raises(CircuitOpenError) as error:
            await http.get(server.url, permit=permit)
        until = error.value.until
        assert until <= opened + timedelta(seconds=circuit.PAUSE)
        assert str(error.value).endswith("status 500 Internal Server Error, again and again")
        assert (len(server.requests), permit.given) == (5, 0)

        clock.jump(circuit.PAUSE)
        server.on(OK)
        assert await http.get(server.url) == b"ok"
        await _open_circuit(server, http)  # which again takes as many failures

    async def test_while_it_is_probed_nobody_else_tries(self, server: HttpServer, http: Http, clock: FakeClock) -> None:
        await _open_circuit(server, http)
        clock.jump(circuit.PAUSE)
        release = asyncio.Event()
        server.on(held(release, OK))
        asked = len(server.requests)
        probe = asyncio.create_task(http.get(server.url))
        while len(server.requests) == asked:
            await asyncio.sleep(0.001)
        with pytest.raises(CircuitOpenError):
            await http.get(server.url)
        release.set()
        assert await probe == b"ok"
        assert await http.get(server.url) == b"ok"

    async def test_a_probe_that_is_cancelled_is_followed_by_another(
        self, server: HttpServer, http: Http, clock: FakeClock
    ) -> None:
        await _open_circuit(server, http)
        clock.jump(circuit.PAUSE)
        server.on(hang)
        asked = len(server.requests)
        probe = asyncio.create_task(http.get(server.url))
        while len(server.requests) == asked:
            await asyncio.sleep(0.001)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        server.on(OK)
        with pytest.raises(CircuitOpenError):
            await http.get(server.url)
        clock.jump(circuit.PAUSE)
        assert await http.get(server.url) == b"ok"

    @pytest.mark.parametrize(
        "error", [HttpError("x", "not asked", sent=False), ValueError("a fault of ours")], ids=["not sent", "ours"]
    )
    @pytest.mark.parametrize("failures", [2, circuit.THRESHOLD, circuit.THRESHOLD + 1])
    def test_a_try_that_never_left_changes_nothing(self, clock: FakeClock, error: Exception, failures: int) -> None:
        of = circuit.Circuit("x", clock)

        def attempt(error: Exception) -> None:
            with pytest.raises(type(error)), of.attempt():
                raise error

        for _ in range(failures):
            attempt(UnavailableError("x", "down"))
            clock.jump(circuit.PAUSE)
        attempt(error)
        attempt(error)  # for the try that was due has not been taken
        for _ in range(max(1, circuit.THRESHOLD - failures)):
            attempt(UnavailableError("x", "down"))
        with pytest.raises(CircuitOpenError):
            of.check()

    async def test_a_provider_that_answers_is_not_failing(self, server: HttpServer, http: Http) -> None:
        server.on(answer(status=404))
        for _ in range(10):
            with pytest.raises(RefusedError):
                await http.get(server.url)

    async def test_each_host_has_its_own(self, server: HttpServer, http: Http) -> None:
        await _open_circuit(server, http)
        with pytest.raises(UnavailableError, match="no connection, the host refuses it"):
            await http.get("http://127.0.0.1:1")
        with pytest.raises(CircuitOpenError):
            await http.get(server.url)


async def _open_circuit(server: HttpServer, http: Http) -> None:
    server.on(answer(status=500))
    asked = len(server.requests)
    with pytest.raises(UnavailableError):
        await http.get(server.url)
    with pytest.raises(CircuitOpenError):
        await http.get(server.url)
    assert len(server.requests) == asked + circuit.THRESHOLD


class TestSecrets:
    @pytest.mark.parametrize(
        "behaviour",
        [
            OK,
            answer(SECRET, 401),
            answer(SECRET, 429),
            answer(SECRET, 500),
            answer(status=302, headers={"Location": f"http://127.0.0.2:9/?apikey={SECRET}"}),
            reset,
            truncated(b"x"),
            hang,
        ],
        ids=["200", "401", "429", "500", "302", "reset", "truncated", "hung"],
    )
    async def test_none_is_in_an_error_or_a_log(
        self, server: HttpServer, http: Http, behaviour: Behaviour, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.on(behaviour)
        told = ""
        for call in (
            http.get(server.url, params={"apikey": SECRET}, headers={"Authorization": SECRET}),
            http.post(server.url, data={"password": SECRET}),
        ):
            try:
                await call
            except HttpError as error:
                told += f"{error!r} {error.__cause__} {error}"
        assert len(server.requests) >= 2
        assert SECRET not in told + caplog.text
