"""Deleting a ticker deletes all of it, and nothing of others."""

from pathlib import Path

from pipeline.admin.administration import carry_out, make_plan
from pipeline.bus.records import dead_letter, records_of
from pipeline.contract.plans import Purge, PurgePlan, described
from pipeline.model.documents import document_of
from pipeline.store.base import Query
from tests.admin.engines import NOW, bar, engines, partition, put


async def test_a_purged_ticker_leaves_nothing_behind(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, *(bar(minute, ticker) for minute in range(5) for ticker in ("AAPL", "BRK.B")))
        for topic in ("stock_data_aapl", "stock_data_brk_2eb"):
            (received,) = [r async for batch in bus.read(partition(topic), 4, 5) for r in batch]
            await put(bus, store, dead_letter(received, "it is not JSON"))
        plan = await make_plan(bus, store, Purge("brk.b"), NOW, frozenset({"BRK.B"}))
        assert isinstance(plan, PurgePlan)
        assert (plan.ticker, plan.watched, plan.topics) == ("BRK.B", True, {"stock_data_brk_2eb": 5})
        assert {name: count for name, count in plan.documents.items() if count} == {"stock_data": 5, "dead_letter": 1}
        assert "topic stock_data_brk_2eb  5 records" in described(plan)
        assert (await store.counts())["stock_data"] == 10, "a plan changes nothing"
        assert await carry_out(bus, store, plan) == "deleted 1 topics and 6 documents of BRK.B"
        assert await bus.topics() == {"stock_data_aapl", "dead_letter"}
        assert {d["ticker"] for d in await store.find(Query("stock_data"))} == {"AAPL"}
        assert [d["topic"] for d in await store.find(Query("dead_letter"))] == ["stock_data_aapl"]
        again = await make_plan(bus, store, Purge("BRK.B"), NOW)
        assert not again.does_anything


async def test_more_documents_than_are_read_at_once_are_deleted(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        await bus.publish(records_of([bar(0)]))
        await store.upsert("stock_data", [document_of(bar(minute)) for minute in range(2500)])
        await carry_out(bus, store, await make_plan(bus, store, Purge("AAPL"), NOW))
        assert (await store.counts())["stock_data"] == 0
