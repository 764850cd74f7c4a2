"""Publishing the records of dead letters again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.admin.administration import carry_out, make_plan
from pipeline.bus.base import Record, Refusal
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import dead_letter, record_of, refused
from pipeline.contract.plans import Plan, Retry, RetryPlan, described
from pipeline.model.messages import Article, DeadLetter, encode
from pipeline.model.topics import DEAD_LETTER
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from tests.admin.engines import NOW, TS, bar, engines, partition, put

AAPL = "stock_data_aapl"
ODD = Article(ticker="AAPL", ts=TS, id="1", title="long", summary="x" * 4000)


async def letters_of(bus: EmbeddedBus, topic: str, *reasons: str) -> list[DeadLetter]:
    """One of each of the first records of a topic."""
    records = [r async for batch in bus.read(partition(topic), 0, len(reasons)) for r in batch]
    return [dead_letter(record, reason) for record, reason in zip(records, reasons, strict=True)]


async def planned(bus: EmbeddedBus, store: EmbeddedStore, operation: Retry) -> RetryPlan:
    plan: Plan = await make_plan(bus, store, operation, NOW)
    assert isinstance(plan, RetryPlan)
    return plan


async def values(bus: EmbeddedBus, topic: str) -> list[bytes]:
    return [r.value async for batch in bus.read(partition(topic), 0, 100) for r in batch]


async def test_the_record_itself_is_published_again_and_its_letter_goes(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        original = record_of(ODD)  # longer than a letter keeps
        await bus.publish([original])
        await put(bus, store, *await letters_of(bus, "news_aapl", "sink cannot process it"))
        plan = await planned(bus, store, Retry())
        assert len(plan.retried) == 1 and await values(bus, "news_aapl") == [original.value]
        assert await carry_out(bus, store, plan) == "published 1 of 1 records again"
        assert await values(bus, "news_aapl") == [original.value] * 2
        (again,) = [r async for batch in bus.read(partition("news_aapl"), 1, 2) for r in batch]
        assert (again.key, again.ts, again.headers["schema"]) == ("AAPL", original.ts, b"article.v1")
        assert again.headers["ingested"] > original.headers["ingested"]
        assert await store.find(Query(DEAD_LETTER)) == []
        assert await carry_out(bus, store, plan) == "published 0 of 1 records again", "what is done is not done twice"


async def test_they_are_chosen_by_reason_or_by_key(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, bar(0), bar(1), bar(2))
        await put(bus, store, *await letters_of(bus, AAPL, "the disk is full", "the store refuses it", "Disk on fire"))
        assert {x.offset for x in (await planned(bus, store, Retry(reason="disk"))).retried} == {0, 2}
        assert {x.offset for x in (await planned(bus, store, Retry(keys=[f"{AAPL}|0|1"]))).retried} == {1}
        await carry_out(bus, store, await planned(bus, store, Retry(reason="refuses")))
        assert [d["offset"] for d in await store.find(Query(DEAD_LETTER))] == [0, 2]


async def test_what_would_fail_again_stays_and_says_why(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        await bus.publish([Record(AAPL, "AAPL", b'{"type": "bar"', 0), Record("other_topic", "k", b"{}", 0)])
        broken = await letters_of(bus, AAPL, "cut")
        foreign = await letters_of(bus, "other_topic", "foreign")
        await bus.publish([record_of(ODD)])
        (gone,) = await letters_of(bus, "news_aapl", "gone")
        await put(bus, store, *broken, *foreign, gone)
        await bus.delete_topics(["news_aapl"])
        plan = await planned(bus, store, Retry())
        assert not plan.does_anything
        told = {letter.reason: letter.obstacle for letter in plan.letters}
        assert told["cut"].startswith("stays: it still cannot be decoded (")
        assert told["foreign"] == "stays: its topic is none of ours"
        assert told["gone"] == "stays: its record is retained no longer, and the letter has a part of it only"
        assert (
            "0 records would be published again and processed by all that read its topic; 3 dead letters would stay."
            in (described(plan))
        )


async def test_a_letter_that_has_all_of_its_record_is_enough(tmp_path: Path) -> None:
    """Of a topic that was created again since, and of a record that its topic refused."""
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, bar(0), bar(1))
        letters = await letters_of(bus, AAPL, "first")
        await bus.delete_topics([AAPL])
        await bus.publish([record_of(bar(7))])  # at the same offset
        await put(bus, store, *letters, refused(record_of(bar(3)), "it is too late"))
        before = await values(bus, AAPL)
        await carry_out(bus, store, await planned(bus, store, Retry(reason="first")))
        assert await values(bus, AAPL) == [*before, encode(bar(0))]
        await carry_out(bus, store, await planned(bus, store, Retry()))
        assert await values(bus, AAPL) == [*before, encode(bar(0)), encode(bar(3))]


class Choosy(EmbeddedBus):
    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        await super().publish(records[1:])
        return [Refusal(records[0], "the topic is full")]


async def test_a_letter_whose_record_is_refused_stays(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, bar(0), bar(1))
        await put(bus, store, *await letters_of(bus, AAPL, "a", "b"))
        bus.__class__ = Choosy
        said = await carry_out(bus, store, await planned(bus, store, Retry()))
        assert said == "published 1 of 2 records again; refused: the topic is full"
        assert [d["offset"] for d in await store.find(Query(DEAD_LETTER))] == [0]


@pytest.mark.parametrize("count", [0, 3])
async def test_a_plan_has_a_limit_and_says_what_is_left(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.admin.dead_letters.MAX_LETTERS", 2)
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, *(bar(minute) for minute in range(count)))
        if count:
            await put(bus, store, *await letters_of(bus, AAPL, *(["why"] * count)))
        plan = await planned(bus, store, Retry())
        assert (len(plan.letters), plan.more) == (min(count, 2), max(0, count - 2))
