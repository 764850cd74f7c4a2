import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from pipeline.aio import Backoff, first_of
from pipeline.bus.base import BusError
from pipeline.config.settings import SupervisorSettings
from pipeline.contract.snapshot import ServiceState
from pipeline.model.outage import WaitsFor
from pipeline.net.errors import CircuitOpenError, RefusedError, TimedOutError, UnavailableError
from pipeline.sources.base import SourceError
from pipeline.store.base import StoreError
from pipeline.supervision.outage import REPEAT
from pipeline.supervision.supervisor import (
    REFUSED,
    STEADY,
    Context,
    Service,
    Supervisor,
    UnknownServiceError,
)
from testkit.fakes import START, FakeClock

SETTINGS = SupervisorSettings(backoff_initial=1, backoff_max=8, max_restarts=3, restart_window=100)


class BrokenError(Exception):
    pass


def supervisor(clock: FakeClock | None = None, settings: SupervisorSettings = SETTINGS) -> Supervisor:
    return Supervisor(settings, clock or FakeClock(), random.Random(1), secrets=["S3CR3T"])


async def reaches(service: Service, state: ServiceState) -> None:
    """Return once the service is in the state; the test's timeout is the only bound."""
    async with asyncio.timeout(5):
        while service.state != state:
            await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def serve(context: Context) -> None:
    context.ready()
    while not context.stopping.is_set():
        await context.checkpoint()
        context.count(1)
        await asyncio.sleep(0)


def only(s: Supervisor) -> Service:
    (service,) = s.services
    return service


def test_backoff_grows_to_its_maximum_and_never_collapses() -> None:
    backoff = Backoff(0.5, 30)
    rng = random.Random(1)
    for failures in range(1, 2000):
        step = min(30, 0.5 * 2 ** min(failures - 1, 10))
        assert step / 2 <= backoff.delay(failures, rng) <= step


async def test_a_service_runs_and_stops() -> None:
    s = supervisor()
    s.add("it", "producer", serve)
    await reaches(only(s), "running")
    assert await s.stop(5)
    assert only(s).state == "stopped"
    assert only(s).view().total > 0


async def test_a_failure_is_shown_backed_off_from_and_recovered_from() -> None:
    clock = FakeClock()
    runs: list[float] = []

    async def fail_twice(context: Context) -> None:
        runs.append(clock.monotonic())
        if len(runs) <= 2:
            raise BrokenError("the key S3CR3T is wrong")
        await serve(context)

    s = supervisor(clock)
    s.add("it", "producer", fail_twice)
    await reaches(only(s), "backing off")
    view = only(s).view()
    assert view.error == "BrokenError: the key *** is wrong"
    assert view.retry_in is not None
    assert 0.5 <= view.retry_in <= 1
    await clock.advance(1)
    await until(lambda: len(runs) == 2)
    await reaches(only(s), "backing off")
    await clock.advance(2)
    await reaches(only(s), "running")
    assert only(s).restarts == 2
    assert 0.5 <= runs[1] - runs[0] <= 1
    await s.stop(5)


async def test_a_service_fails_since_its_first_failure_until_it_has_run_for_a_while() -> None:
    clock = FakeClock()
    failing = asyncio.Event()

    async def run(context: Context) -> None:
        context.ready()
        await first_of(failing.wait(), context.stopping.wait())
        if failing.is_set():
            raise BrokenError

    s = supervisor(clock)
    s.add("it", "producer", run)
    await reaches(only(s), "running")
    await clock.advance(100)
    assert only(s).view().failing_since is None
    failing.set()
    await reaches(only(s), "backing off")
    await clock.advance(1)
    await reaches(only(s), "backing off")
    assert only(s).view().failing_since == START.timestamp() + 100
    failing.clear()
    await clock.advance(10)
    await reaches(only(s), "running")
    assert only(s).view().failing_since == START.timestamp() + 100
    await clock.advance(STEADY)
    assert only(s).view().failing_since is None
    again = clock.now().timestamp()
    failing.set()
    await reaches(only(s), "backing off")
    assert only(s).view().failing_since == again
    s.restart("it")
    assert only(s).view().failing_since is None
    assert only(s).view().error is not None
    await s.stop(5)


async def test_a_service_that_keeps_failing_is_given_up_until_restarted_by_hand() -> None:
    clock = FakeClock()
    broken = True
    runs = 0

    async def run(context: Context) -> None:
        nonlocal runs
        runs += 1
        if broken:
            raise BrokenError
        await serve(context)

    s = supervisor(clock)
    s.add("it", "sink", run)
    for _ in range(40):  # more seconds than three backoffs take
        await clock.advance(1)
    assert only(s).state == "failed"
    await clock.advance(1000)
    assert (only(s).state, runs) == ("failed", 4)
    broken = False
    s.restart("it")
    await reaches(only(s), "running")
    await s.stop(5)
    assert only(s).error is None


async def test_what_no_second_try_would_mend_is_given_up_at_once() -> None:
    class MisconfiguredError(Exception):
        permanent = True

    runs = 0

    async def run(_: Context) -> None:
        nonlocal runs
        runs += 1
        raise MisconfiguredError("no such directory")

    s = supervisor()
    s.add("it", "producer", run)
    await reaches(only(s), "failed")
    s.retry_failed("sink")
    s.retry_failed("producer")
    await until(lambda: runs == 2)
    await reaches(only(s), "failed")
    await s.stop(5)


class Provider(Exception):  # noqa: N818 - a plug-in's own, which knows nothing of ours
    """Raised from what the machine said."""


def _cut_off() -> Exception:
    error = Provider("no quotes today")
    error.__cause__ = ConnectionResetError("reset by peer")
    return error


AWAY: dict[str, tuple[WaitsFor, Exception]] = {
    "store": ("store", StoreError("cannot write to MongoDB: there is no connection")),
    "bus": ("bus", BusError("cannot publish to Kafka: it did not answer in time")),
    "provider": ("provider", UnavailableError("quotes.example", "status 503")),
    "provider that is slow": ("provider", TimedOutError("quotes.example", "silent for 15 s")),
    "provider left alone": ("provider", CircuitOpenError("quotes.example", "not tried", until=START)),
    "network": ("system", ConnectionRefusedError("no")),
    "disk": ("system", OSError(28, "No space left on device")),
    "network under a plug-in": ("system", _cut_off()),
}


@pytest.mark.parametrize("call", [0.0, 10.0], ids=["refused at once", "after a time-out"])
@pytest.mark.parametrize(("kind", "error"), AWAY.values(), ids=AWAY.keys())
async def test_what_is_away_is_waited_for_over_a_weekend(
    kind: WaitsFor, error: Exception, call: float, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    tries: list[float] = []
    back = False

    async def run(context: Context) -> None:
        context.ready()
        if back:
            return await serve(context)
        tries.append(clock.monotonic())
        await clock.sleep(call)
        raise error

    settings = SupervisorSettings(backoff_initial=1, backoff_max=600, max_restarts=3, restart_window=3600)
    s = supervisor(clock, settings)
    with caplog.at_level(logging.INFO, "pipeline"):
        s.add("it", "sink", run)
        weekend = 60 * 3600
        while clock.monotonic() < weekend:
            assert only(s).state != "failed"
            view = only(s).view()
            await clock.advance(1800)
        pauses = [later - earlier - call for earlier, later in pairwise(tries)]
        assert len(tries) > weekend / 2 / settings.backoff_max
        assert max(pauses) <= settings.backoff_max + 0.001 and len(set(pauses[10:])) > 100
        assert view.failing_since == START.timestamp() + call
        assert view.waits_for == kind
        lines = len(caplog.records)
        assert 1 < lines <= 2 + weekend / REPEAT
        back = True
        await clock.advance(settings.backoff_max + call + STEADY)
        await until(lambda: only(s).view().failing_since is None)
    assert (only(s).state, only(s).view().waits_for) == ("running", "")
    ended = [record.getMessage() for record in caplog.records[lines:]]
    assert len(ended) == 1 and "it goes on" in ended[0] and "60 h" in ended[0]
    await s.stop(5)


@pytest.mark.parametrize("fault", [KeyError("close"), ValueError("no number"), ZeroDivisionError()], ids=repr)
async def test_an_outage_adds_nothing_to_the_faults_that_are_counted(fault: Exception) -> None:
    clock = FakeClock()
    errors: list[Exception] = [StoreError("away")] * 50 + [fault] * 3 + [BusError("away")] * 50 + [fault]

    async def run(_: Context) -> None:
        raise errors.pop(0)

    s = supervisor(clock)
    s.add("it", "sink", run)
    while len(errors) > 1:
        await clock.advance(1)
        assert only(s).state != "failed"
    assert only(s).view().waits_for == "bus"
    await clock.advance(SETTINGS.backoff_max)
    assert only(s).view().waits_for == ""
    assert only(s).state == "backing off"  # the other three are longer ago than the window
    errors += [fault] * 3
    await clock.advance(3 * SETTINGS.backoff_max)
    assert only(s).state == "failed"
    await s.stop(5)


REFUSALS = {
    "engine": BusError("it refuses the user name or password", permanent=True),
    "provider": RefusedError("quotes.example", "status 401", status=401, body=b""),
    "configuration": SourceError("there is nothing to replay"),
}


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_shows_at_once_and_is_tried_again_seldom(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    tries: list[float] = []
    granted = False

    async def run(context: Context) -> None:
        tries.append(clock.monotonic())
        if not granted:
            raise error
        await serve(context)

    s = supervisor(clock)
    s.add("it", "producer", run)
    await reaches(only(s), "failed")
    assert only(s).view().retry_in is not None
    await clock.advance(24 * 3600)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert min(pauses) >= REFUSED.initial / 2 and max(pauses) <= REFUSED.maximum
    assert 24 * 4 <= len(tries) < 24 * 4 * 3
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) <= 25
    granted = True
    await clock.advance(REFUSED.maximum + STEADY)
    assert only(s).state == "running"
    assert only(s).view().failing_since is None
    await s.stop(5)


async def test_an_error_that_knows_when_to_try_again_is_waited_for_however_often() -> None:
    class BlockedError(Exception):
        retry_after = 900.0

    clock = FakeClock()
    runs: list[float] = []

    async def run(context: Context) -> None:
        context.ready()
        runs.append(clock.monotonic())
        raise BlockedError("come back later")

    s = supervisor(clock)
    s.add("it", "producer", run)
    for _ in range(10):
        await reaches(only(s), "backing off")
        assert only(s).view().retry_in == 900
        await clock.advance(900)
    assert runs[:10] == [900.0 * n for n in range(10)]
    s.restart("it")
    await until(lambda: len(runs) == 12)
    await s.stop(5)


async def test_failures_far_apart_are_not_added_up() -> None:
    clock = FakeClock()
    runs = 0
    fail = asyncio.Event()

    async def run(context: Context) -> None:
        nonlocal runs
        runs += 1
        context.ready()
        await fail.wait()
        fail.clear()
        raise BrokenError

    s = supervisor(clock)
    s.add("it", "sink", run)
    for expected in range(1, 10):
        await until(lambda n=expected: runs == n)
        fail.set()
        await reaches(only(s), "backing off")
        await clock.advance(101)
    await reaches(only(s), "running")
    await s.stop(0)


async def test_a_restart_lets_the_batch_finish_and_does_not_wait_for_the_backoff() -> None:
    finished: list[int] = []

    async def run(context: Context) -> None:
        context.ready()
        await context.stopping.wait()
        assert context.hurry
        finished.append(1)

    s = supervisor()
    s.add("it", "processor", run)
    await reaches(only(s), "running")
    assert s.restart() == ["it"]
    await until(lambda: only(s).restarts == 1)
    await reaches(only(s), "running")
    assert finished == [1]
    with pytest.raises(UnknownServiceError, match="the services are it"):
        s.restart("nobody")
    await s.stop(0)


async def test_what_returns_has_finished_and_can_be_run_again() -> None:
    runs = 0

    async def run(_: Context) -> None:
        nonlocal runs
        runs += 1

    s = supervisor()
    s.add("it", "producer", run)
    await reaches(only(s), "finished")
    s.restart("it")
    await until(lambda: runs == 2)
    await s.stop(5)


async def test_pause_holds_producers_and_resume_lets_them_go() -> None:
    s = supervisor()
    s.add("feed", "producer", serve)
    s.add("sink", "sink", serve)
    feed, sink = s.services
    await reaches(feed, "running")
    await reaches(sink, "running")
    assert s.pause() == ["feed"]
    assert s.pause() == []
    await reaches(feed, "paused")
    assert s.paused
    held, other = feed.rate.total, sink.rate.total
    await until(lambda: sink.rate.total > other + 50)
    assert feed.rate.total == held
    assert s.resume("feed") == ["feed"]
    await until(lambda: feed.rate.total > held)
    assert feed.state == "running"
    await s.stop(5)


async def test_since_is_when_it_was_paused_and_when_it_was_resumed() -> None:
    clock = FakeClock()
    s = supervisor(clock)
    s.add("sink", "sink", serve)
    s.add("asleep", "producer", lambda context: _asleep(context, clock))
    for service in s.services:
        await reaches(service, "running")
    for at, state in ((10, "paused"), (20, "running"), (30, "paused")):
        await clock.advance(10)
        for service in s.services:
            (s.pause if state == "paused" else s.resume)(service.name)
        await clock.advance(0)
        assert [(v.state, v.since) for v in s.views()] == [(state, START.timestamp() + at)] * 2
    s.restart()  # those that are restarted while paused are paused from then on
    await clock.advance(5)
    await until(lambda: all(service.restarts == 1 and service.state == "paused" for service in s.services))
    await s.stop(5)


async def _asleep(context: Context, clock: FakeClock) -> None:
    """Comes to a checkpoint only every hour."""
    context.ready()
    while not context.stopping.is_set():
        await context.checkpoint()
        await first_of(clock.sleep(3600), context.stopping.wait())


async def test_services_stop_in_the_order_of_the_flow_also_when_paused() -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[Context], Awaitable[None]]:
        async def run(context: Context) -> None:
            await serve(context)
            order.append(name)

        return run

    s = supervisor()
    s.add("sink", "sink", named("sink"))
    s.add("processor", "processor", named("processor"))
    s.add("feed", "producer", named("feed"))
    for service in s.services:
        await reaches(service, "running")
    s.pause("feed")
    assert await s.stop(5)
    assert order == ["feed", "processor", "sink"]


async def test_a_service_that_does_not_stop_in_time_is_cancelled_and_told() -> None:
    cancelled = asyncio.Event()

    async def stubborn(context: Context) -> None:
        context.ready()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    s = supervisor()
    s.add("it", "producer", stubborn)
    await reaches(only(s), "running")
    assert not await s.stop(0)
    assert cancelled.is_set()
    assert only(s).state == "stopped"


class TestSuspended:
    async def test_it_does_not_run_meanwhile_and_starts_again(self) -> None:
        s = supervisor()
        runs: list[str] = []

        def noting(name: str) -> Callable[[Context], Awaitable[None]]:
            async def run(context: Context) -> None:
                runs.append(f"{name} begins")
                await serve(context)
                runs.append(f"{name} ends")

            return run

        s.add("sink", "sink", noting("sink"))
        s.add("stock", "producer", noting("stock"))
        await until(lambda: len(runs) == 2)
        async with s.suspended({"sink", "processor"}):
            assert runs == ["sink begins", "stock begins", "sink ends"]
            assert {service.name: service.state for service in s.services} == {"sink": "suspended", "stock": "running"}
            s.restart("sink")
            await asyncio.sleep(0.01)
            assert runs[-1] == "sink ends", "a restart does not end it"
        await until(lambda: runs[-1] == "sink begins")
        assert await s.stop(1)

    async def test_one_that_is_paused_stays_so(self) -> None:
        s = supervisor()
        s.add("sink", "sink", serve)
        await reaches(only(s), "running")
        s.pause("sink")
        async with s.suspended({"sink"}):
            assert only(s).state == "suspended"
        await reaches(only(s), "paused")
        assert await s.stop(1)

    async def test_one_that_waits_for_an_engine_does_not_try_meanwhile(self) -> None:
        s = supervisor()
        tries = 0

        async def fail(context: Context) -> None:
            nonlocal tries
            tries += 1
            raise BusError("away")

        s.add("sink", "sink", fail)
        await reaches(only(s), "backing off")
        async with s.suspended({"sink"}):
            assert (only(s).state, tries) == ("suspended", 1)
        await until(lambda: tries == 2)
        await s.stop(1)

    async def test_a_stop_does_not_wait_for_it(self) -> None:
        s = supervisor()
        s.add("sink", "sink", serve)
        await reaches(only(s), "running")
        async with s.suspended({"sink"}):
            assert await s.stop(1)
        assert only(s).state == "stopped"
