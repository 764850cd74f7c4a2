import asyncio
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pipeline.config.settings import MetricsSettings, SettingsError
from pipeline.contract.snapshot import (
    BudgetView,
    CollectionView,
    GroupLag,
    PipelineView,
    ServiceView,
    Snapshot,
    TickerView,
    TopicView,
)
from pipeline.ops.metrics import metrics_of, served
from testkit.engines.process import free_port

PIPELINE = PipelineView(
    pid=1,
    version="1.2",
    state="running",
    started_at=1000.0,
    source="simulator",
    source_note="",
    simulated=True,
    bus="embedded",
    store="embedded",
    roles=["sink"],
    dead_letters=3,
)
SNAPSHOT = Snapshot(
    seq=1,
    at=1001.0,
    pipeline=PIPELINE,
    tickers=[TickerView(ticker="BRK.B", source="yahoo", updated_at=999.0, state="delayed"), TickerView(ticker="NEW")],
    services=[ServiceView(name="sink", role="sink", state="backing off", total=7, restarts=2, skipped=5)],
    topics=[TopicView(topic="stock_data_aapl", records=12, groups=[GroupLag(group="sink", lag=4)])],
    collections=[CollectionView(name="news", total=9, documents=5, p50_ms=2.0, delay_p99_ms=30.0)],
    budgets=[BudgetView(name="AV", used=7, limit=25, left=18), BudgetView(name="free", used=3, limit=None, left=None)],
)


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(port: int) -> str:
    def get() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
            return str(reply.read().decode())

    return await asyncio.to_thread(get)


async def test_a_scrape_sees_the_snapshot() -> None:
    port = free_port()
    with served(MetricsSettings(port=port), lambda: SNAPSHOT):
        found = samples(await scrape(port))
    assert found["fintrends_service_items_total", (("role", "sink"), ("service", "sink"))] == 7
    assert found["fintrends_service_restarts_total", (("role", "sink"), ("service", "sink"))] == 2
    assert found["fintrends_service_skipped_total", (("role", "sink"), ("service", "sink"))] == 5
    assert found["fintrends_service_state", (("role", "sink"), ("service", "sink"), ("state", "backing off"))] == 1
    assert found["fintrends_consumer_lag_records", (("group", "sink"), ("topic", "stock_data_aapl"))] == 4
    assert found["fintrends_store_writes_total", (("collection", "news"),)] == 9
    assert found["fintrends_store_write_seconds", (("collection", "news"), ("quantile", "0.5"))] == 0.002
    assert found["fintrends_delivery_seconds", (("collection", "news"), ("quantile", "0.99"))] == 0.03
    assert found["fintrends_ticker_updated_time_seconds", (("ticker", "BRK.B"),)] == 999
    assert ("fintrends_ticker_updated_time_seconds", (("ticker", "NEW"),)) not in found
    states = [labels for name, labels in found if name == "fintrends_ticker_state"]
    assert states == [(("source", "yahoo"), ("state", "delayed"), ("ticker", "BRK.B"))]
    assert found["fintrends_dead_letters", ()] == 3
    assert found["fintrends_budget_used_requests", (("provider", "AV"),)] == 7
    assert found["fintrends_budget_left_requests", (("provider", "AV"),)] == 18
    assert found["fintrends_budget_used_requests", (("provider", "free"),)] == 3
    assert ("fintrends_budget_left_requests", (("provider", "free"),)) not in found


async def test_each_scrape_asks_on_the_event_loop() -> None:
    loop = asyncio.get_running_loop()
    asked: list[asyncio.AbstractEventLoop] = []

    def snapshot() -> Snapshot:
        asked.append(asyncio.get_running_loop())
        return SNAPSHOT

    port = free_port()
    with served(MetricsSettings(port=port), snapshot):
        await scrape(port)
        await scrape(port)
    assert asked == [loop, loop]


async def test_the_port_is_free_again_afterwards_and_taken_meanwhile() -> None:
    port = free_port()
    with (
        served(MetricsSettings(port=port), lambda: SNAPSHOT),
        pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port}: .*; change metrics\.port"),
        served(MetricsSettings(port=port), lambda: SNAPSHOT),
    ):
        pass
    with pytest.raises(urllib.error.URLError):
        await scrape(port)


def test_names_and_labels_are_legal() -> None:
    """The registry refuses what Prometheus would."""

    class Fixed(Collector):
        def collect(self) -> list[Metric]:
            return metrics_of(SNAPSHOT)

    registry = CollectorRegistry()
    registry.register(Fixed())
    names = [metric.name for metric in registry.collect()]
    assert len(names) == len(set(names))
    assert all(name.startswith("fintrends_") for name in names)
