"""When simulated data are shown that nobody asked for, and when they give way."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from pipeline import preview
from pipeline.config.settings import Loaded, load
from pipeline.contract.snapshot import ServiceView
from pipeline.model.documents import document_of
from pipeline.model.messages import AnyMessage, Article, Quote
from pipeline.model.outage import OutsideError
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, HistoryChunk
from pipeline.store.embedded.store import EmbeddedStore
from testkit.fakes import START, FakeClock
from testkit.faults.inside import running
from testkit.faults.recording import record

QUOTE = Quote(ticker="AAPL", ts=START, price=1.0, source="yahoo")


def loaded(tmp_path: Path, text: str = "", **pipeline: object) -> Loaded:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path, {"pipeline": pipeline} if pipeline else None, {})


class TestWhoGetsOne:
    def test_a_plain_run_may(self, tmp_path: Path) -> None:
        assert preview.is_allowed(loaded(tmp_path), ends_by_itself=False)

    @pytest.mark.parametrize(
        ("text", "pipeline", "ends"),
        [
            ('[kafka]\nbootstrap_servers = "localhost:9092"', {}, False),
            ('[mongodb]\nuri = "mongodb://localhost"', {}, False),
            ("", {"source": "yahoo"}, False),
            ("", {"source": "alpha_vantage"}, False),
            ("", {"roles": ["producer"]}, False),
            ("", {}, True),
        ],
        ids=["kafka", "mongodb", "one source", "another", "one role", "one that ends"],
    )
    def test_others_never(self, tmp_path: Path, text: str, pipeline: dict[str, object], ends: bool) -> None:
        assert not preview.is_allowed(loaded(tmp_path, text, **pipeline), ends_by_itself=ends)

    def test_it_watches_what_is_watched(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, "", tickers=["AAPL"])
        now = preview.watching(settings, Watchlist(["MSFT", "TSLA"]), "simulator").settings.pipeline
        assert (now.source, now.tickers) == ("simulator", ["MSFT", "TSLA"])
        again = preview.watching(settings, Watchlist(["TSLA"])).settings.pipeline
        assert (again.source, again.tickers) == ("auto", ["TSLA"])


def feed(name: str, *, total: int = 0, error: str | None = None) -> ServiceView:
    since = None if error is None else 1.0
    return ServiceView(name=name, role="producer", state="backing off", total=total, error=error, failing_since=since)


class TestUnreachable:
    """The clock is turned by the test: whoever waits on is not done."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> EmbeddedStore:
        store = EmbeddedStore(tmp_path / "store.db")
        await store.open()
        return store

    async def found(self, services: Sequence[ServiceView], store: EmbeddedStore, seconds: float) -> str | None:
        clock = FakeClock()
        waiting = asyncio.create_task(preview.until_unreachable(lambda: list(services), store, clock))
        try:
            while clock.monotonic() < seconds and not waiting.done():
                await clock.advance(0.5)
                await store.counts()  # as long as the other's look takes
                await asyncio.sleep(0)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await store.close()

    async def test_it_is_known_after_a_few_seconds_and_says_why(self, store: EmbeddedStore) -> None:
        away = [feed("market yahoo", error="yahoo: no connection"), feed("market coinbase"), feed("news x", total=3)]
        assert await self.found(away, store, 30) == "yahoo: no connection"

    async def test_not_at_once(self, store: EmbeddedStore) -> None:
        assert await self.found([feed("market yahoo", error="no connection")], store, preview.AFTER - 1) is None

    async def test_not_where_one_has_answered(self, store: EmbeddedStore) -> None:
        services = [feed("market yahoo", error="no connection"), feed("market coinbase", total=1)]
        assert await self.found(services, store, 30) is None

    async def test_not_while_nothing_has_failed(self, store: EmbeddedStore) -> None:
        assert await self.found([feed("market yahoo"), feed("social reddit", error="blocked")], store, 30) is None

    async def test_not_where_live_data_are_stored(self, store: EmbeddedStore) -> None:
        await store.upsert("stock_data", [document_of(QUOTE)])
        assert await self.found([feed("market yahoo", error="no connection")], store, 30) is None


class Provider:
    """A source that fails a number of times, and then answers."""

    name = "auto"
    simulated = False

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.closed = False

    def feeds(self) -> Sequence[Feed]:
        return [MarketFeed(self)]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        yield HistoryChunk([], 0, 0)

    async def close(self) -> None:
        self.closed = True


class MarketFeed:
    name = "market yahoo"

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        if self._provider.failures:
            self._provider.failures -= 1
            raise OutsideError("no connection")
        yield [Article(ticker="AAPL", ts=START, id="1", title="no price yet")]
        assert tuple(watchlist) == ("AAPL",)
        yield [QUOTE]
        raise AssertionError("one answer is enough")


async def test_a_preview_gives_way_to_the_first_price() -> None:
    provider = Provider(failures=3)
    await preview.until_answered(provider, Watchlist(["AAPL"]), FakeClock(auto=True))
    assert provider.failures == 0
    assert provider.closed


async def test_who_stops_a_run_that_is_about_to_give_way_stops_all(tmp_path: Path) -> None:
    recording = record(tmp_path / "recording", ["AAPL"], minutes=1)
    async with running(tmp_path, recording) as inside:
        inside.pipeline._gives_way = "no provider answers"
        assert inside.pipeline.gives_way
        inside.pipeline.request_stop()
        assert not inside.pipeline.gives_way, "no other run begins"
