"""What the monitor says of topics, on the embedded bus, second by second."""

from collections.abc import AsyncIterator, Collection
from pathlib import Path

import msgspec
import pytest

from pipeline.bus.base import Record, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.contract.retention import Retention
from pipeline.contract.snapshot import MAX_TOPICS, GroupLag
from pipeline.model.topics import FORECAST_GROUP, READERS, SINK_GROUP, topic_for
from pipeline.model.watchlist import Watchlist
from pipeline.stages.monitor import AT_REST, Monitor
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.supervision.lag import HISTORY, WINDOW
from testkit.fakes import START, FakeClock

TOPIC = "stock_data_aapl"
WEEK = Retention(ms=7 * 86_400_000)


class Watched:
    """A monitor and what it looks at."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.bus = EmbeddedBus(directory / "bus.sqlite")
        self.store = EmbeddedStore(directory / "store.sqlite")
        self.starting = False
        watchlist = Watchlist(["AAPL"])
        self.monitor = Monitor(self.bus, self.store, watchlist, self.clock, starting=lambda: self.starting)

    async def publish(self, count: int, topic: str = TOPIC) -> None:
        await self.bus.publish([Record(topic, "AAPL", b"{}", ts=n) for n in range(count)])

    async def commit(self, offset: int) -> None:
        consumer = self.bus.consumer(SINK_GROUP, [TOPIC])
        await consumer.commit({TopicPartition(TOPIC, 0): offset})
        await consumer.close()

    async def commit_all(self, offset: int) -> None:
        for group in READERS["stock_data"]:
            consumer = self.bus.consumer(group, [TOPIC])
            await consumer.commit({TopicPartition(TOPIC, 0): offset})
            await consumer.close()

    async def look(self, times: int = 1) -> None:
        """Look once a second."""
        for _ in range(times):
            self.clock.jump(1)
            await self.monitor.look({TOPIC, "news_aapl", "dead_letter"})

    def sink(self) -> GroupLag:
        (topic,) = (topic for topic in self.monitor.details() if topic.topic == TOPIC)
        return next(group for group in topic.groups if group.group == SINK_GROUP)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    watched = Watched(tmp_path)
    await watched.bus.open()
    await watched.store.open()
    yield watched
    await watched.bus.close()
    await watched.store.close()


async def test_it_knows_how_lag_moved_in_the_last_minute_and_no_more(watched: Watched) -> None:
    await watched.publish(3)
    await watched.look()
    await watched.commit(1)
    await watched.look()
    assert watched.sink().lags == [3, 2]
    await watched.look(HISTORY)
    assert watched.sink().lags == [2] * HISTORY


async def test_a_start_that_is_worked_off_is_no_stall(watched: Watched) -> None:
    watched.starting = True
    await watched.publish(3)
    await watched.look(3 * WINDOW)
    assert (watched.sink().status, watched.sink().lag) == ("OK", 3)
    watched.starting = False
    await watched.look(WINDOW)
    assert watched.sink().status == "STALL"


async def test_a_group_that_stalls_has_done_so_since_it_was_seen(watched: Watched) -> None:
    await watched.publish(3)
    await watched.look(WINDOW - 1)
    assert (watched.sink().status, watched.sink().since) == ("OK", None)
    await watched.look(5)
    assert (watched.sink().status, watched.sink().since) == ("STALL", START.timestamp() + WINDOW)
    await watched.commit(3)
    await watched.look()
    assert (watched.sink().status, watched.sink().since) == ("OK", None)


async def test_it_says_how_long_records_are_kept_from_the_first_look_on(watched: Watched) -> None:
    await watched.publish(1)
    await watched.look()
    assert {t.topic: t.retention for t in watched.monitor.details()} == {TOPIC: WEEK}
    await watched.publish(1, "news_aapl")
    await watched.look()
    assert {t.topic: t.retention for t in watched.monitor.details()} == {TOPIC: WEEK, "news_aapl": WEEK}


async def test_only_dead_letters_that_come_in_while_it_looks_are_news(watched: Watched) -> None:
    await watched.publish(2, "dead_letter")
    await watched.look(2)
    assert watched.monitor.dead_letter_at is None
    await watched.publish(1, "dead_letter")
    await watched.look()
    assert watched.monitor.dead_letter_at == START.timestamp() + 3
    await watched.look()
    assert watched.monitor.dead_letter_at == START.timestamp() + 3


async def test_the_first_dead_letter_of_all_is_news(watched: Watched) -> None:
    await watched.look()
    await watched.publish(1, "dead_letter")
    await watched.look()
    assert watched.monitor.dead_letter_at == START.timestamp() + 2


async def test_a_snapshot_of_many_topics_stays_small(watched: Watched) -> None:
    topics = {topic_for("stock_data", f"T{number}") for number in range(MAX_TOPICS)}
    await watched.bus.publish([Record(topic, "k", b"{}", 0) for topic in topics])
    for _ in range(HISTORY):
        watched.clock.jump(1)
        await watched.monitor.look(topics)
    assert len(watched.monitor.topics) == MAX_TOPICS
    assert len(msgspec.json.encode(watched.monitor.topics)) < 350 * MAX_TOPICS
    detail = watched.monitor.details()[0]
    assert (detail.partitions, detail.retention, len(detail.groups[0].lags)) == (1, WEEK, HISTORY)
    assert (watched.monitor.topics[0].retention, watched.monitor.topics[0].groups[0].lags) == (None, [])


async def test_what_is_at_rest_is_said_as_if_it_were_looked_at(watched: Watched) -> None:
    await watched.publish(3)
    await watched.look()
    await watched.commit_all(3)
    await watched.look(4)
    views = watched.monitor.topics
    await watched.look(AT_REST + 20)
    assert watched.sink().lags == [3, *[0] * (AT_REST + 24)]
    assert [view.records for view in watched.monitor.topics] == [view.records for view in views]
    assert all(view.rate == 0 for view in watched.monitor.topics)
    await watched.look(2 * HISTORY)
    await watched.publish(1)
    await watched.look()
    assert watched.sink().lags == [*[0] * (HISTORY - 1), 1]
    await watched.look(WINDOW)
    assert watched.sink().status == "STALL"


async def test_what_lags_is_never_at_rest(watched: Watched) -> None:
    await watched.publish(1)
    await watched.look(AT_REST + WINDOW)
    assert watched.sink().status == "STALL"


async def test_a_group_that_is_turned_off_counts_while_others_work_on_it(watched: Watched) -> None:
    def groups() -> set[str]:
        return {group.group for topic in watched.monitor.details() for group in topic.groups}

    watched.monitor = Monitor(watched.bus, watched.store, Watchlist(["AAPL"]), watched.clock, off=[FORECAST_GROUP])
    await watched.publish(3)
    await watched.look(AT_REST + 2)
    assert groups() == {*READERS["stock_data"]} - {FORECAST_GROUP}
    elsewhere = watched.bus.consumer(FORECAST_GROUP, [TOPIC])
    await watched.monitor._look_at_members()
    await watched.look()
    assert groups() == {*READERS["stock_data"]}
    await elsewhere.close()
    await watched.monitor._look_at_members()
    await watched.look()
    assert groups() == {*READERS["stock_data"]} - {FORECAST_GROUP}


async def test_a_group_is_asked_about_what_it_reads_alone(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}

    async def noted(group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        asked[group] = set(topics)
        return {}

    monkeypatch.setattr(watched.bus, "committed", noted)
    await watched.monitor.look({TOPIC, "indicators_aapl", "news_aapl", "economic_general"})
    assert asked == {
        "indicator-processor": {TOPIC},
        "forecast-processor": {TOPIC},
        "sentiment-processor": {"news_aapl"},
        "sink": {TOPIC, "indicators_aapl", "news_aapl", "economic_general"},
    }
