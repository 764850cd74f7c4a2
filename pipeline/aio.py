"""Waiting: exponential backoff, for the first or all of several things, and for what several generators yield."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential; each delay is somewhere between half and the whole of its step."""

    initial: float
    maximum: float

    def delay(self, failures: int, rng: random.Random | None = None) -> float:
        """Seconds to wait after the given number of failures in a row (at least 1)."""
        step = min(self.maximum, self.initial * 2.0 ** min(failures - 1, 62))
        return step * (rng or random).uniform(0.5, 1.0)


async def first_of(*awaitables: Awaitable[object]) -> None:
    """Wait for the first of them, cancel the others, and raise what the first raised."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def all_of[T](awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Their results in order, or what the first of them that failed raised. In any case all of them have ended."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    found: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        found.append(result)
    return found


async def merged[T](*generators: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """What they yield, as it comes. Ends when all have ended, and with what one raises; all are closed then.

    As with a single generator, each goes on only when what it yielded last has been dealt with.
    """
    steps: dict[asyncio.Future[T | None], AsyncGenerator[T]] = {}
    try:
        steps |= {asyncio.ensure_future(anext(generator, None)): generator for generator in generators}
        while steps:
            done, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
            for step in done:
                generator = steps.pop(step)
                item = step.result()
                if item is not None:
                    yield item
                    steps[asyncio.ensure_future(anext(generator, None))] = generator
    finally:
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)
        for generator in generators:
            await generator.aclose()
