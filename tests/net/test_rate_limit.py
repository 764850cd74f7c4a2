"""So many requests in a time, and so many at once."""

import asyncio
from itertools import pairwise

from pipeline.net.rate_limit import RateLimiter
from pipeline.net.request_budget import RateLimit
from testkit.fakes import FakeClock


async def permitted(limiter: RateLimiter, clock: FakeClock, number: int, seconds: float) -> list[float]:
    """When each of so many was let through."""
    times: list[float] = []

    async def ask() -> None:
        await limiter.permit()
        times.append(clock.monotonic())

    asking = [asyncio.create_task(ask()) for _ in range(number)]
    await clock.advance(seconds)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return times


async def test_no_span_holds_more_than_are_allowed() -> None:
    clock = FakeClock()
    times = await permitted(RateLimiter(clock, [RateLimit(2, 1.0)], at_once=4), clock, 10, 3.9)
    assert times == [0, 0, 1, 1, 2, 2, 3, 3]


async def test_of_several_rates_each_holds() -> None:
    clock = FakeClock()
    limiter = RateLimiter(clock, [RateLimit(1, 0.25), RateLimit(3, 10.0)], at_once=1)
    assert await permitted(limiter, clock, 7, 20.5) == [0, 0.25, 0.5, 10, 10.25, 10.5, 20]


async def test_one_that_gives_up_leaves_its_turn_to_the_next() -> None:
    clock = FakeClock()
    limiter = RateLimiter(clock, [RateLimit(1, 1.0)], at_once=1)
    await limiter.permit()
    waiting = [asyncio.create_task(limiter.permit()) for _ in range(2)]
    await clock.advance(0.5)
    waiting[0].cancel()
    await clock.advance(0.6)
    assert waiting[1].done()


async def test_so_many_at_once() -> None:
    limiter = RateLimiter(FakeClock(), [], at_once=2)
    inside: list[int] = [0]
    leave = asyncio.Event()

    async def ask() -> None:
        async with limiter.slot():
            inside.append(inside[-1] + 1)
            await leave.wait()
            inside.append(inside[-1] - 1)

    asking = [asyncio.create_task(ask()) for _ in range(5)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert inside[-1] == 2
    leave.set()
    await asyncio.gather(*asking)
    assert max(inside) == 2
    assert all(abs(after - before) == 1 for before, after in pairwise(inside))
