"""What others put into topics, and what retention takes out of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.bus.base import Record
from pipeline.model.messages import Article, Bar, Post, encode
from pipeline.model.text import clean
from pipeline.model.topics import READERS, split_topic
from pipeline.store.base import Query
from testkit.faults.inside import Inside, running
from testkit.faults.ledger import Ledger
from testkit.faults.recording import record
from testkit.faults.watching import settled, total

TS = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
MEGABYTE = 1_000_000
POISON = {
    "garbage": ("stock_data_aapl", b"\x00\xff\x1b[31m garbage", "malformed"),
    "nothing": ("stock_data_aapl", b"", "truncated"),
    "another type": ("stock_data_aapl", encode(Article(ticker="AAPL", ts=TS, id="1", title="t")), "article"),
    "another ticker": (
        "stock_data_aapl",
        encode(Bar(ticker="TSLA", ts=TS, interval="1min", open=1, high=1, low=1, close=1, volume=1)),
        "another ticker",
    ),
    "deep": ("stock_data_tsla", b"[" * 100_000, ""),
    "a deep unknown field": ("news_aapl", b'{"type":"article","x":' + b"[" * 100_000, "recursion"),
    "a megabyte": ("social_tsla", b"x" * MEGABYTE, "malformed"),
    "a row of indicators that is none": ("indicators_aapl", b'{"type":"indicators"}', "missing"),
    "an economic point without a value": ("economic_general", b'{"type":"economic","series":"GDP"}', "missing"),
}
"""Topic, value, and a word of the reason that is given."""


async def test_poison_is_dead_lettered_once_and_all_else_goes_on(tmp_path: Path, ledger: Ledger) -> None:
    recording = record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=300)
    text = b"up " * (MEGABYTE // 3)
    post = encode(Post(ticker="AAPL", ts=TS, id="long", text="TEXT")).replace(b"TEXT", text)
    async with running(tmp_path, recording, speed=3600) as inside:
        await inside.wait_for(lambda snapshot: total(snapshot, "indicators") > 100)
        for topic, value, _ in POISON.values():
            await inside.bus.publish([Record(topic, "somebody", value, -1)])
        await inside.bus.publish([Record("social_aapl", "AAPL", post, 0)])
        await inside.wait_for(
            lambda s: (
                total(s, "dead_letter") >= len(POISON)
                and total(s, "social") == total(s, "sentiment") == 1
                and settled(s)
            )
        )
        await _check(inside)
        (stored,) = await inside.store.find(Query("social"))
        assert stored["text"] == clean(text.decode())
        (score,) = await inside.store.find(Query("sentiment"))
        assert score["label"] in ("positive", "neutral", "negative")
    async with running(tmp_path, recording) as inside:  # again from the first bar
        await inside.wait_for(lambda s: total(s, "stock_data") >= len(recording.live) and settled(s))
        await _check(inside)
        ledger.enter("poison and oversized records", await inside.audit(recording))


async def _check(inside: Inside) -> None:
    letters = await inside.store.find(Query("dead_letter"))
    assert len(letters) == len(POISON), [(letter["topic"], letter["reason"]) for letter in letters]
    for name, (topic, value, word) in POISON.items():
        payload = clean(value[:2048].decode("utf-8", "replace"))
        found = [letter for letter in letters if (letter["topic"], letter["payload"]) == (topic, payload)]
        assert len(found) == 1, name
        assert found[0]["reason"] and word in found[0]["reason"].lower(), (name, found[0]["reason"])


async def test_retention_takes_nothing_that_a_group_has_yet_to_read(tmp_path: Path, ledger: Ledger) -> None:
    """Swept all the time, with nothing retained for longer than it must be."""
    recording = record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=400)
    async with running(tmp_path, recording, speed=6000, retention=timedelta(0)) as inside:
        deleted = 0
        await inside.wait_for(lambda snapshot: total(snapshot, "indicators") > 50)
        await _all_have_committed(inside)
        while not settled(inside.pipeline.snapshot()):
            deleted += await inside.bus.sweep()
            await asyncio.sleep(0.01)
        deleted += await inside.bus.sweep()
        assert deleted > len(recording.live)  # bars, and their rows
        ledger.enter("retention of nothing", await inside.audit(recording))


async def _all_have_committed(inside: Inside) -> None:
    """Those who have never committed on a topic are unknown to retention."""
    async with asyncio.timeout(20):
        topics = await inside.bus.topics()
        for group in {group for topic in topics for group in READERS[split_topic(topic)[0]]}:
            filled = {w.topic for w, (_, end) in (await inside.bus.offsets(topics)).items() if end}
            read = {topic for topic in filled if group in READERS[split_topic(topic)[0]]}
            while {where.topic for where in await inside.bus.committed(group, read)} != read:
                await asyncio.sleep(0.01)
