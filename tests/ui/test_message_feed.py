from collections import deque
from typing import Any

import pytest

from fintrends_tui.link.port import LinkError
from fintrends_tui.state.digest import described, digest
from fintrends_tui.state.message_feed import KEPT, MessageFeed
from pipeline.contract.protocol import Command, GetMessages, MessagePage, TopicMessage
from tests.ui import samples
from tests.ui.fake_link import FakeTopic


class Pipeline:
    """A topic that grows; `fails` is what it answers next instead."""

    def __init__(self, count: int) -> None:
        self.all = samples.messages(3 * KEPT)
        self.topic = FakeTopic(self.all[:count])
        self.fails: deque[str] = deque()

    def grow(self, count: int) -> None:
        self.topic.messages = self.all[: len(self.topic.messages) + count]

    async def ask(self, command: Command) -> Any:
        assert isinstance(command, GetMessages)
        if self.fails:
            raise LinkError(self.fails.popleft())
        return self.topic.page(command)


def offsets(feed: MessageFeed) -> list[int]:
    return [message.offset for message in feed.messages]


async def test_it_holds_a_stretch_without_gaps() -> None:
    pipeline = Pipeline(250)
    feed = MessageFeed(pipeline.ask, "t")
    await feed.read_newer()
    assert (offsets(feed), feed.older) == ([*range(249, 149, -1)], True)
    pipeline.grow(3)
    await feed.read_newer()
    await feed.read_older()
    assert offsets(feed) == [*range(252, 49, -1)]
    await feed.read_older()
    assert (offsets(feed), feed.older) == ([*range(252, -1, -1)], False)
    await feed.read_older()
    assert len(feed.messages) == 253


async def test_a_flood_leaves_only_the_newest() -> None:
    pipeline = Pipeline(50)
    feed = MessageFeed(pipeline.ask, "t")
    await feed.read_newer()
    pipeline.grow(500)
    await feed.read_newer()
    assert offsets(feed) == [*range(549, 449, -1)]
    await feed.read_older()
    assert offsets(feed) == [*range(549, 349, -1)]


async def test_it_is_bounded_and_what_is_cut_can_be_read_no_further_back() -> None:
    pipeline = Pipeline(100)
    feed = MessageFeed(pipeline.ask, "t")
    await feed.read_newer()
    while len(pipeline.topic.messages) < KEPT + 500:
        pipeline.grow(100)
        await feed.read_newer()
    assert offsets(feed) == [*range(KEPT + 499, 499, -1)]
    assert not feed.older


async def test_a_text_narrows_what_is_read() -> None:
    pipeline = Pipeline(250)
    feed = MessageFeed(pipeline.ask, "t")
    await feed.load("NOT JSON")
    assert offsets(feed) == [248, 198, 148, 98, 48]
    pipeline.grow(50)
    await feed.read_newer()
    assert offsets(feed) == [298, 248, 198, 148, 98, 48]
    assert feed.looked_through == 300


async def test_an_answer_that_does_not_come_changes_nothing() -> None:
    pipeline = Pipeline(10)
    feed = MessageFeed(pipeline.ask, "t")
    await feed.load("")
    pipeline.fails.extend(["gone"] * 3)
    pipeline.grow(1)
    for read in (feed.read_newer(), feed.load("x")):
        with pytest.raises(LinkError):
            await read
    assert (len(feed.messages), feed.contains) == (10, "")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ('{"type":"bar","interval":"1min","open":1,"high":2,"low":0.5,"close":1.5,"volume":1200,"closed":false}',
         "○ 1min C 1.50 O 1.00 H 2.00 L 0.5000 vol 1,200.00"),
        ('{"type":"quote","price":170.5}', "price 170.50 previous close –"),
        ('{"type":"split","numerator":4,"denominator":1}', "split 4 for 1"),
        ('{"type":"dividend","amount":0.26,"currency":"USD"}', "dividend 0.2600 USD"),
        ('{"type":"dividend","amount":0.26,"currency":null}', "dividend 0.2600"),
        ('{"type":"indicators","interval":"5min","close":1.5,"rsi_14":null}',
         "5min close 1.50 rsi_14 – macd_hist – sma_20 – vwap –"),
        ('{"type":"forecast","interval":"1min","close":2,"horizons":[{"horizon":1,"low_80":1.5,"high_80":2.5},{"horizon":5}]}',
         "1min close 2.00, 80 % 1 ahead 1.50 to 2.50, 5 ahead – to –"),
        ('{"type":"forecast","interval":"1min","close":2,"horizons":[3]}', "1min close 2.00, 80 % "),
        ('{"type":"article","title":"Apple beats"}', "Apple beats"),
        ('{"type":"sentiment","compound":-0.5,"text":"bad"}', "▼ -0.5000 bad"),
        ('{"type":"economic","series":"CPI","interval":"monthly","value":3.1,"unit":"percent"}',
         "CPI monthly 3.10 percent"),
        ('{"type":"dead_letter","topic":"news_aapl","partition":0,"offset":7,"reason":"no JSON"}',
         "news_aapl/0 @7: no JSON"),
        ('{"ts":"2026","what":[1,2],"text":"x"}', "what [1,2] text x"),
        ('{"type":{"x":1},"a":1}', "a 1"),
        ("[1, 2]", "[1, 2]"),
        ("no JSON", "no JSON"),
        ("[" * 100_000, "[" * 100_000),
    ],
)  # fmt: skip
def test_a_message_has_a_gist(value: str, line: str) -> None:
    assert digest(value) == line


def test_fields_keep_their_order_and_their_text() -> None:
    assert described('{"b":"x y","a":{"c":[null]},"n":null,"t":true}') == [
        ("b", "x y"), ("a", '{"c":[null]}'), ("n", "–"), ("t", "true")
    ]  # fmt: skip
    assert described("hello") == [("value", "hello")]


def test_pages_of_the_samples_are_as_the_pipeline_makes_them() -> None:
    page = FakeTopic(samples.messages(5)).page(GetMessages("t", last=2))
    assert page == MessagePage(samples.messages(5)[:2:-1], {0: 3}, {0: 5}, older=True)
    assert isinstance(page.messages[0], TopicMessage)
