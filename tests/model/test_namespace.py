"""Which namespace data are in, what it is called on each engine, and who reads which."""

from pathlib import Path

import pytest

from pipeline.bus.named import Names
from pipeline.bus.records import of_origin, record_of
from pipeline.config.cli_options import RunFlags
from pipeline.config.settings import Loaded, SettingsError, load
from pipeline.config.where import Where
from pipeline.engines import choose_engines, namespace_to_read
from pipeline.model.messages import Article, Bar
from pipeline.model.namespace import MAX_LENGTH, is_simulated, namespace_for, own_part
from pipeline.model.topics import GROUPS, PRODUCER_GROUP, SINK_GROUP, split_topic, topics_of
from pipeline.sources.base import SourceError
from pipeline.sources.choice import choose_source
from pipeline.storage.datadir import DataDir
from pipeline.storage.layout import Layout
from tests.upgrade.test_migration import START, bar

LIVE = {"alpha_vantage": {"api_key": "KEY"}, "stocktwits": {"enabled": False}}


def loaded(path: Path, **sections: dict[str, object]) -> Loaded:
    config = path / "config.toml"
    config.touch()
    pipeline = {"data_dir": str(path / "data")} | sections.pop("pipeline", {})
    return load(config, {"pipeline": pipeline, **sections}, environ={})


class TestNames:
    @pytest.mark.parametrize("own", ["", "a", "staging", "a-b-2", "x" * MAX_LENGTH])
    def test_simulated_data_are_below_the_users_namespace(self, own: str) -> None:
        beside = namespace_for(own, simulated=True)
        assert namespace_for(own, simulated=False) == own
        assert is_simulated(beside) and not is_simulated(own)
        assert own_part(beside) == own_part(own) == own

    @pytest.mark.parametrize(
        "name",
        [
            "A",
            "ä",
            "a.b",
            "a_b",
            "a b",
            "-a",
            "a-",
            "-",
            "a/b",
            "..",
            "x" * (MAX_LENGTH + 1),
            "simulated",
            "a-simulated",
        ],
    )
    def test_what_is_no_namespace_is_refused_with_what_is_allowed(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(SettingsError, match=r"namespace .*(a-z, digits and -|kept for simulated data)"):
            loaded(tmp_path, pipeline={"namespace": name})

    def test_the_environment_sets_it_too(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").touch()
        found = load(tmp_path / "config.toml", {}, environ={"FINTRENDS_PIPELINE__NAMESPACE": "staging"})
        assert found.settings.pipeline.namespace == "staging"

    @pytest.mark.parametrize("namespaces", [("", "staging"), ("", "simulated"), ("a", "a-b"), ("a-b", "a"), ("a", "")])
    def test_no_namespace_takes_the_topics_of_another_for_its_own(self, namespaces: tuple[str, str]) -> None:
        mine, theirs = (Names(namespace) for namespace in namespaces)
        for topic in (
            *topics_of("AAPL"),
            *topics_of("BTC-USD"),
            *topics_of("^A_B-C.D"),
            "economic_general",
            "dead_letter",
        ):
            assert mine.inverse(mine.topic(topic)) == topic
            seen = mine.inverse(theirs.topic(topic))
            if seen is not None:
                with pytest.raises(ValueError, match="not a topic"):
                    split_topic(seen)

    def test_groups_are_of_a_namespace_and_of_a_store_but_producers_share_one(self) -> None:
        names = [Names(), Names("a"), Names("a", "0123abcd"), Names("a", "4567abcd"), Names("", "0123abcd")]
        groups = {name.group(group) for name in names for group in GROUPS if group != PRODUCER_GROUP}
        assert len(groups) == len(names) * (len(GROUPS) - 1)
        assert Names("a", "0123abcd").group(SINK_GROUP) == "a-sink-0123abcd"
        assert {name.group(PRODUCER_GROUP) for name in names} == {"producer", "a-producer"}


class TestWhoIsSimulated:
    @pytest.mark.parametrize(
        ("pipeline", "sections", "namespace"),
        [
            ({}, {}, ""),
            ({"source": "simulator"}, {}, "simulated"),
            ({"source": "simulator"}, LIVE, "simulated"),
            ({}, LIVE, ""),
            ({"namespace": "staging"}, {}, "staging"),
            ({"namespace": "staging", "source": "simulator"}, {}, "staging-simulated"),
            ({"namespace": "staging"}, LIVE, "staging"),
            ({"roles": ["processor", "sink"]}, {}, ""),
            ({"roles": ["sink"], "source": "simulator"}, {}, "simulated"),
            ({"roles": ["producer"]}, {}, ""),
        ],
    )
    def test_it_follows_from_the_source(
        self, tmp_path: Path, pipeline: dict[str, object], sections: dict[str, dict[str, object]], namespace: str
    ) -> None:
        settings = loaded(tmp_path, pipeline=pipeline, **sections)
        assert choose_engines(settings, DataDir(settings.data_dir)).namespace == namespace
        assert namespace_to_read(settings) == namespace

    async def test_a_replay_is_of_real_data(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, pipeline={"source": f"replay:{tmp_path}"})
        assert choose_engines(settings, DataDir(settings.data_dir)).namespace == ""

    PLUG_IN = """
from pipeline.model.messages import Quote
from datetime import datetime, UTC
class Feed:
    def __init__(self, name): self.name = name
    async def stream(self, watchlist): yield [Quote(ticker="AAPL", ts=datetime(2026, 1, 1, tzinfo=UTC), price=1.0)]
class Source:
    def __init__(self, name, simulated, feed): self.name, self.simulated, self._feed = name, simulated, feed
    def feeds(self): return [Feed(self._feed)]
    async def history(self, ticker):
        return
        yield
    async def close(self): pass
def made_up(context): return Source("made_up", True, "market")
def made_up_news(context): return Source("made_up_news", True, "news")
def quotes(context): return Source("quotes", False, "market")
"""

    @pytest.fixture
    def plug_ins(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
        name = f"ns_{abs(hash(str(tmp_path)))}"
        (tmp_path / f"{name}.py").write_text(self.PLUG_IN)
        monkeypatch.syspath_prepend(str(tmp_path))
        return {"sources": {made: f"{name}:{made}" for made in ("made_up", "made_up_news", "quotes")}}

    async def test_a_plug_in_says_itself_whether_it_is(self, tmp_path: Path, plug_ins: dict[str, object]) -> None:
        for source, namespace in (("made_up", "simulated"), ("quotes", "")):
            settings = loaded(tmp_path, pipeline={"source": source}, **plug_ins)  # type: ignore[arg-type]
            assert choose_engines(settings, DataDir(settings.data_dir)).namespace == namespace
            assert namespace_to_read(settings) == namespace

    async def test_sources_of_the_other_kind_are_left_out_and_said(
        self, tmp_path: Path, plug_ins: dict[str, object]
    ) -> None:
        choice = choose_source(loaded(tmp_path, pipeline={"source": "quotes"}, **plug_ins))  # type: ignore[arg-type]
        assert "without made_up_news: its data are simulated" in choice.note
        choice = choose_source(loaded(tmp_path, pipeline={"source": "made_up"}, **plug_ins))  # type: ignore[arg-type]
        assert "without stocktwits: its data are real" in choice.note
        assert "simulated by made_up (market), made_up_news (news)" in choice.note

    async def test_what_a_simulated_source_gives_is_marked(self, tmp_path: Path, plug_ins: dict[str, object]) -> None:
        choice = choose_source(loaded(tmp_path, pipeline={"source": "made_up"}, **plug_ins))  # type: ignore[arg-type]
        async for batch in choice.source.feeds()[0].stream(None):  # type: ignore[arg-type]
            assert all(message.simulated for message in batch)


class TestWhichIsLookedInto:
    def test_that_of_the_pipeline_that_ran_last(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, **LIVE)
        DataDir(settings.data_dir).create()
        Layout.of(settings.data_dir).remember("simulated")
        assert namespace_to_read(settings) == "simulated"
        Layout.of(settings.data_dir).remember("")
        assert namespace_to_read(loaded(tmp_path)) == "", "although there is no key any longer"

    def test_the_users_namespace_goes_before_it(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, pipeline={"namespace": "staging"}, **LIVE)
        DataDir(settings.data_dir).create()
        Layout.of(settings.data_dir).remember("simulated")
        assert namespace_to_read(settings) == "staging"
        Layout.of(settings.data_dir).remember("staging-simulated")
        assert namespace_to_read(settings) == "staging-simulated"

    @pytest.mark.parametrize(
        ("name", "last", "shown"),
        [
            ("", "simulated", ""),
            ("", "other", ""),
            ("simulated", "", "simulated"),
            ("staging-simulated", "staging", "staging-simulated"),
            ("staging", "staging", "staging"),
            ("staging", "staging-simulated", "staging-simulated"),
            ("staging", "simulated", "staging"),
        ],
    )
    def test_the_one_that_is_named_goes_before_all(self, tmp_path: Path, name: str, last: str, shown: str) -> None:
        """A user's namespace by its name is what a run with the same flags is in."""
        (tmp_path / "config.toml").touch()
        where = Where(config=tmp_path / "config.toml", data_dir=tmp_path, namespace=name)
        Layout.of(tmp_path).remember(last)
        assert namespace_to_read(where.load()) == shown
        assert where.arguments()[-2:] == ["--namespace", name]

    def test_a_run_cannot_be_told_to_use_one_of_simulated_data(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").touch()
        flags = RunFlags(namespace="simulated")
        with pytest.raises(SettingsError, match="kept for simulated data"):
            load(tmp_path / "config.toml", flags.with_tickers(()), environ={})

    def test_a_plug_in_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, pipeline={"source": "mine"}, sources={"mine": "no_such_module:create"})
        with pytest.raises(SourceError, match="no_such_module"):
            namespace_to_read(settings)


class TestStoreId:
    def test_it_is_that_of_the_store(self, tmp_path: Path) -> None:
        data_dir = DataDir(tmp_path / "data", "staging")
        assert data_dir.store_id(make=False) == "none"
        first = data_dir.store_id(make=True)
        data_dir.store.touch()
        assert data_dir.store_id(make=True) == data_dir.store_id(make=False) == first
        data_dir.store.unlink()  # an empty store is yet to be given everything
        second = data_dir.store_id(make=True)
        assert second != first
        data_dir.store.touch()
        (data_dir.space / "store.id").write_bytes(b"\xff")
        assert data_dir.store_id(make=True) not in (first, second)
        assert DataDir(tmp_path / "data").store_id(make=True) != data_dir.store_id(make=False)


def test_data_of_the_other_origin_are_left_out() -> None:
    news: list[Bar | Article] = [
        Article(ticker="AAPL", ts=START, id=str(n), title="t", simulated=simulated)
        for n, simulated in enumerate((True, False))
    ]
    messages = [bar("AAPL", 0, simulated=True), bar("AAPL", 1, simulated=False), *news]
    decoded = [(record_of(message), message) for message in messages]
    assert [m.simulated for _, m in of_origin(decoded, simulated=False)] == [False, False]  # type: ignore[arg-type]
    assert [m.simulated for _, m in of_origin(decoded, simulated=True)] == [True, True]  # type: ignore[arg-type]
