"""Metrics for Prometheus: the snapshot in its exposition format, served over HTTP.

Counters begin at zero with the process. Latencies are gauges by quantile, over the last 1,024 batches.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.config.settings import MetricsSettings, SettingsError
from pipeline.contract.snapshot import Snapshot

_PATIENCE: Final = 5.0
"""Seconds that a scrape waits for the event loop."""


@contextmanager
def served(settings: MetricsSettings, snapshot: Callable[[], Snapshot]) -> Iterator[None]:
    """Serve them on http://HOST:PORT/metrics meanwhile.

    Raises:
        SettingsError: if the address cannot be listened on.
    """
    registry = CollectorRegistry()
    registry.register(_OfSnapshot(snapshot, asyncio.get_running_loop()))
    ProcessCollector(registry=registry)  # processor time and memory, on Linux
    try:
        server, thread = start_http_server(settings.port, settings.host, registry)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise SettingsError(f"metrics cannot be served on {where}: {error.strerror}; change metrics.port") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _OfSnapshot(Collector):
    """Scrapes come in threads of the server, and the state belongs to the event loop: it is asked for there."""

    def __init__(self, snapshot: Callable[[], Snapshot], loop: asyncio.AbstractEventLoop) -> None:
        self._snapshot = snapshot
        self._loop = loop

    def describe(self) -> Iterable[Metric]:
        """Nothing: to say it would need a snapshot before there is one."""
        return ()

    def collect(self) -> Iterable[Metric]:
        async def on_the_loop() -> Snapshot:
            return self._snapshot()

        return metrics_of(asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result(_PATIENCE))


def metrics_of(snapshot: Snapshot) -> list[Metric]:
    """All metrics of a snapshot."""
    parts = (_pipeline, _services, _topics, _collections, _budgets)
    return [metric for part in parts for metric in part(snapshot)]


def _pipeline(snapshot: Snapshot) -> Iterator[Metric]:
    pipeline = snapshot.pipeline
    yield InfoMetricFamily(
        "fintrends_pipeline",
        "The pipeline: its version and what it runs on.",
        {
            "version": pipeline.version,
            "source": pipeline.source,
            "bus": pipeline.bus,
            "store": pipeline.store,
            "simulated": str(pipeline.simulated).lower(),
        },
    )
    yield GaugeMetricFamily(
        "fintrends_start_time_seconds", "When the pipeline started, since the epoch.", pipeline.started_at
    )
    yield GaugeMetricFamily("fintrends_dead_letters", "Documents in dead_letter.", pipeline.dead_letters)
    heard = GaugeMetricFamily(
        "fintrends_ticker_updated_time_seconds", "When the ticker was last heard of, since the epoch.", None, ["ticker"]
    )
    state = GaugeMetricFamily(
        "fintrends_ticker_state", "1 for what the ticker's price is worth.", None, ["ticker", "source", "state"]
    )
    for ticker in snapshot.tickers:
        if ticker.updated_at is not None:
            heard.add_metric([ticker.ticker], ticker.updated_at)
        if ticker.state:
            state.add_metric([ticker.ticker, ticker.source, ticker.state], 1)
    yield from (heard, state)


def _services(snapshot: Snapshot) -> Iterator[Metric]:
    labels = ["service", "role"]
    items = CounterMetricFamily("fintrends_service_items", "What the service has handled.", None, labels)
    restarts = CounterMetricFamily("fintrends_service_restarts", "Restarts of the service.", None, labels)
    skipped = CounterMetricFamily(
        "fintrends_service_skipped", "Records that were deleted before the service could read them.", None, labels
    )
    state = GaugeMetricFamily("fintrends_service_state", "1 for the state it is in.", None, [*labels, "state"])
    for service in snapshot.services:
        of = [service.name, service.role]
        items.add_metric(of, service.total)
        restarts.add_metric(of, service.restarts)
        skipped.add_metric(of, service.skipped)
        state.add_metric([*of, service.state], 1)
    yield from (items, restarts, skipped, state)


def _topics(snapshot: Snapshot) -> Iterator[Metric]:
    ends = GaugeMetricFamily("fintrends_topic_end_offset", "End offsets, summed over partitions.", None, ["topic"])
    lags = GaugeMetricFamily(
        "fintrends_consumer_lag_records", "Records a group has yet to commit.", None, ["topic", "group"]
    )
    for topic in snapshot.topics:
        ends.add_metric([topic.topic], topic.records)
        for group in topic.groups:
            lags.add_metric([topic.topic, group.group], group.lag)
    yield from (ends, lags)


def _collections(snapshot: Snapshot) -> Iterator[Metric]:
    writes = CounterMetricFamily("fintrends_store_writes", "Documents written or confirmed.", None, ["collection"])
    documents = GaugeMetricFamily("fintrends_store_documents", "Documents in the collection.", None, ["collection"])
    labels = ["collection", "quantile"]
    batches = GaugeMetricFamily("fintrends_store_write_seconds", "Time that a batch takes to write.", None, labels)
    delays = GaugeMetricFamily(
        "fintrends_delivery_seconds", "From entry into the bus to durable in the store, by batch.", None, labels
    )
    for collection in snapshot.collections:
        writes.add_metric([collection.name], collection.total)
        if collection.documents is not None:
            documents.add_metric([collection.name], collection.documents)
        for family, quantile, value in (
            (batches, "0.5", collection.p50_ms),
            (batches, "0.99", collection.p99_ms),
            (delays, "0.5", collection.delay_p50_ms),
            (delays, "0.99", collection.delay_p99_ms),
        ):
            if value is not None:
                family.add_metric([collection.name, quantile], value / 1000)
    yield from (writes, documents, batches, delays)


def _budgets(snapshot: Snapshot) -> Iterator[Metric]:
    used = GaugeMetricFamily("fintrends_budget_used_requests", "Requests to a provider today.", None, ["provider"])
    left = GaugeMetricFamily("fintrends_budget_left_requests", "Requests that today still has.", None, ["provider"])
    for budget in snapshot.budgets:
        used.add_metric([budget.name], budget.used)
        if budget.left is not None:
            left.add_metric([budget.name], budget.left)
    yield from (used, left)
