import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from pipeline.settings import SupervisorSettings
from pipeline.snapshot import ServiceState
from pipeline.supervisor import STEADY, Backoff, Context, Service, Supervisor, UnknownServiceError, first_of
from tests.fakes import START, FakeClock

SETTINGS = SupervisorSettings(backoff_initial=1, backoff_max=8, max_restarts=3, restart_window=100)


class BrokenError(Exception):
    pass


def supervisor(clock: FakeClock | None = None) -> Supervisor:
    return Supervisor(SETTINGS, clock or FakeClock(), random.Random(1), secrets=["S3CR3T"])


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
    with pytest.raises(UnknownServiceError, match="there are it"):
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
