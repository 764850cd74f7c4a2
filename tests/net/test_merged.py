"""Several generators as one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from pipeline.aio import merged


class Spring:
    """A generator that yields what a test puts in, until None; it says how often it was asked to go on."""

    def __init__(self, *items: int | Exception | None) -> None:
        self.items: asyncio.Queue[int | Exception | None] = asyncio.Queue()
        for item in items:
            self.items.put_nowait(item)
        self.went_on = 0
        self.closed = False

    async def flow(self) -> AsyncGenerator[int]:
        try:
            while (item := await self.items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
                self.went_on += 1
        finally:
            self.closed = True


async def test_items_come_as_they_are_there() -> None:
    first, second = Spring(), Spring(1, 2)
    async with aclosing(merged(first.flow(), second.flow())) as items:
        assert [await anext(items), await anext(items)] == [1, 2]
        first.items.put_nowait(3)
        assert await anext(items) == 3
    assert first.closed and second.closed


async def test_it_ends_when_all_have_ended() -> None:
    first, second = Spring(1, None), Spring(2, 3, None)
    assert sorted([item async for item in merged(first.flow(), second.flow())]) == [1, 2, 3]
    assert [item async for item in merged()] == []


async def test_a_generator_goes_on_when_its_item_has_been_dealt_with() -> None:
    first, second = Spring(1, 2), Spring()
    async with aclosing(merged(first.flow(), second.flow())) as items:
        assert await anext(items) == 1
        await asyncio.sleep(0)
        assert first.went_on == 0
        assert await anext(items) == 2
        assert first.went_on == 1


async def test_what_one_raises_ends_it_and_all_are_closed() -> None:
    first, second = Spring(), Spring(1, ValueError("broken"))
    items = merged(first.flow(), second.flow())
    assert await anext(items) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(items)
    assert first.closed and second.closed


async def test_one_that_is_cancelled_closes_all() -> None:
    first, second = Spring(), Spring()
    items = merged(first.flow(), second.flow())
    step = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0.001)
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert first.closed and second.closed
