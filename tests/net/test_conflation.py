"""What waits for a slow consumer."""

import asyncio
from datetime import timedelta

from msgspec.structs import replace

from pipeline.model.messages import Bar, DeadLetter, Quote
from pipeline.net.conflation import Conflation
from tests.net.streams import TS

QUOTE = Quote(ticker="AAPL", price=1.0, ts=TS, revision=5)
BAR = Bar(ticker="AAPL", ts=TS, interval="1min", open=1.0, high=1.0, low=1.0, close=1.0)
LETTER = DeadLetter(ts=TS, topic="t", partition=0, offset=0, reason="r", payload="p")


async def test_the_latest_quote_of_each_ticker_is_kept() -> None:
    waiting = Conflation(10)
    await waiting.put([QUOTE, replace(QUOTE, ticker="MSFT"), replace(QUOTE, price=2.0), replace(QUOTE, price=3.0)])
    assert {quote.ticker: quote.price for quote in waiting.take()} == {"AAPL": 3.0, "MSFT": 1.0}
    assert waiting.take() == []


async def test_a_quote_that_comes_late_replaces_none() -> None:
    waiting = Conflation(10)
    await waiting.put([QUOTE, replace(QUOTE, price=2.0, revision=4)])
    await waiting.put([replace(QUOTE, price=3.0, ts=TS - timedelta(seconds=1))])
    assert waiting.take() == [QUOTE]


async def test_bars_and_dead_letters_are_kept_all() -> None:
    waiting = Conflation(10)
    bars = [BAR, replace(BAR, revision=1), replace(BAR, ts=TS + timedelta(minutes=1))]
    await waiting.put([bars[0], LETTER, QUOTE, *bars[1:], LETTER])
    assert waiting.take() == [bars[0], LETTER, *bars[1:], LETTER, QUOTE]


async def test_a_bar_that_forms_is_superseded_by_its_next_state() -> None:
    waiting = Conflation(10)
    forming = [replace(BAR, closed=False, revision=number) for number in range(20)]
    later = replace(BAR, closed=False, ts=TS + timedelta(minutes=1))
    await waiting.put([*forming[:10], later])
    await waiting.put([*forming[10:], BAR])
    assert waiting.take() == [BAR, forming[-1], later]


async def test_it_is_full_of_what_cannot_be_replaced() -> None:
    waiting = Conflation(2)
    await waiting.put([replace(QUOTE, ticker=f"A{number}") for number in range(10)])
    assert not waiting.full
    putting = asyncio.ensure_future(waiting.put([BAR, LETTER, LETTER]))
    await asyncio.sleep(0)
    assert waiting.full and not putting.done()
    assert len(waiting.take()) == 13
    await putting
    assert not waiting.full


async def test_whoever_waits_is_told() -> None:
    waiting = Conflation(2)
    told = asyncio.ensure_future(waiting.wait())
    await waiting.put([])
    await asyncio.sleep(0)
    assert not told.done()
    await waiting.put([QUOTE])
    await told
