"""Which sources there are, how plug-ins are found, and how several become one."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Loaded, SettingsError, load
from pipeline.config.sources import BUILT_IN_SOURCES
from pipeline.model.messages import AnyMessage, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources import registry
from pipeline.sources.base import HistoryChunk, Routing, SourceError, TickerTrouble, kind_of
from pipeline.sources.choice import SourceChoice, choose_source
from pipeline.sources.combined import CombinedSource
from testkit.fakes import START

PLUGIN = """
class Feed:
    def __init__(self, name):
        self.name = name

    async def stream(self, watchlist):
        yield []


class Source:
    simulated = False

    def __init__(self, name, *feeds):
        self.name = name
        self._feeds = [Feed(feed) for feed in feeds]

    def feeds(self):
        return self._feeds

    async def history(self, ticker):
        yield

    async def close(self):
        pass
"""
CREDENTIALS = '[reddit]\nclient_id = "i"\nclient_secret = "s"\n'


def loaded(tmp_path: Path, text: str, source: str | None = None) -> Loaded:
    path = tmp_path / "config.toml"
    path.write_text(f'[pipeline]\ndata_dir = "data"\n{text}')
    path.chmod(0o600)
    return load(path, {"pipeline": {"source": source}} if source else None, {})


async def chosen(loaded: Loaded) -> tuple[list[str], SourceChoice]:
    choice = choose_source(loaded)
    await choice.source.close()
    return [feed.name for feed in choice.source.feeds()], choice


def plugin(tmp_path: Path, module: str, text: str) -> None:
    (tmp_path / f"{module}.py").write_text(text)


class TestChoice:
    async def test_auto_without_a_key_is_live_and_says_what_could_serve_too(self, tmp_path: Path) -> None:
        names, choice = await chosen(loaded(tmp_path, CREDENTIALS))
        assert names == [
            "market yahoo",
            "market coinbase",
            "market kraken",
            "news yahoo_news",
            "economic fred",
            "social stocktwits",
            "social reddit",
        ]
        assert choice.note == (
            "live from yahoo (market), coinbase (market), kraken (market), yahoo_news (news), fred (economic), "
            "stocktwits (social), reddit (social); not set up: alpaca, alpha_vantage, edgar, finnhub"
        )
        assert "ALPHA_VANTAGE_API_KEY" in choice.missing["alpha_vantage"]
        assert not choice.source.simulated

    async def test_auto_with_a_free_key_has_its_news_and_keeps_its_prices_for_when_others_fail(
        self, tmp_path: Path
    ) -> None:
        names, choice = await chosen(loaded(tmp_path, '[alpha_vantage]\napi_key = "KEY"\n'))
        assert {"market alpha_vantage", "news alpha_vantage", "economic alpha_vantage", "economic fred"} < {*names}
        assert isinstance(choice.source, Routing)
        choice.source.feeds()
        assert choice.source.serving("AAPL") == ["yahoo", "alpha_vantage"]
        assert choice.source.serving("^GSPC") == ["yahoo"]
        assert choice.source.serving("BTC-USD") == ["coinbase", "kraken", "yahoo"]

    async def test_a_premium_plan_comes_first_unless_routes_say_otherwise(self, tmp_path: Path) -> None:
        premium = '[alpha_vantage]\napi_key = "KEY"\nplan = "premium"\n'
        for text, order in (
            (premium, ["alpha_vantage", "yahoo"]),
            (premium + '[routes]\nus_share = ["yahoo"]\n', ["yahoo"]),
        ):
            _, choice = await chosen(loaded(tmp_path, text))
            assert isinstance(choice.source, Routing)
            assert choice.source.serving("AAPL") == order

    def test_a_route_that_names_no_source_is_a_settings_error(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"routes\.crypto: 'binance' must be .*coinbase"):
            loaded(tmp_path, '[routes]\ncrypto = ["binance"]\n')

    async def test_a_plug_in_with_market_data_serves_where_a_route_names_it(self, tmp_path: Path) -> None:
        plugin(tmp_path, "routed", f"{PLUGIN}\ndef create(context):\n    return Source('stooq', 'market')\n")
        text = '[sources]\nstooq = "routed:create"\n'
        names, _ = await chosen(loaded(tmp_path, text))
        assert "market stooq" not in names
        names, choice = await chosen(loaded(tmp_path, f'{text}[routes]\nindex = ["stooq", "yahoo"]\n'))
        assert "market stooq" in names
        assert isinstance(choice.source, Routing)
        assert choice.source.serving("^GSPC") == ["stooq", "yahoo"]

    async def test_one_source_alone_with_what_runs_beside_it(self, tmp_path: Path) -> None:
        names, choice = await chosen(loaded(tmp_path, '[alpha_vantage]\napi_key = "KEY"\n', "alpha_vantage"))
        assert names == [
            "market alpha_vantage",
            "news alpha_vantage",
            "economic alpha_vantage",
            "social stocktwits",
        ]
        assert choice.note == (
            "live from alpha_vantage (market, news, economic), stocktwits (social); "
            "without reddit: no Reddit credentials (REDDIT_CLIENT_ID, REDDIT_CLIENT_SECRET)"
        )
        assert (choice.source.name, choice.source.simulated) == ("alpha_vantage", False)
        assert [kind_of(feed) for feed in choice.source.feeds()] == ["market", "news", "economic", "social"]

    async def test_with_credentials_reddit_too_and_stocktwits_can_be_turned_off(self, tmp_path: Path) -> None:
        names, choice = await chosen(
            loaded(
                tmp_path,
                f'{CREDENTIALS}[alpha_vantage]\napi_key = "KEY"\n[stocktwits]\nenabled = false\n',
                "alpha_vantage",
            )
        )
        assert names[3:] == ["social reddit"]
        assert choice.note.endswith("without stocktwits: turned off (stocktwits.enabled)")

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("alpha_vantage", "ALPHA_VANTAGE_API_KEY"),
            ("reddit", "REDDIT_CLIENT_ID"),
            ("replay:nowhere", "there is no directory"),
        ],
    )
    def test_one_that_was_asked_for_and_cannot_run_is_an_error(self, tmp_path: Path, source: str, words: str) -> None:
        with pytest.raises(SourceError, match=words):
            choose_source(loaded(tmp_path, "", source))

    async def test_posts_alone_can_be_asked_for(self, tmp_path: Path) -> None:
        names, choice = await chosen(loaded(tmp_path, CREDENTIALS, "reddit"))
        assert names == ["social reddit", "social stocktwits"]
        assert choice.source.name == "reddit"

    def test_an_unknown_name_is_a_settings_error_that_lists_what_there_is(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError) as caught:
            loaded(tmp_path, '[sources]\nmine = "mine:create"\n', "crystal ball")
        for word in ("the command line", "'crystal ball'", "auto", "alpha_vantage", "stocktwits", "mine", "replay:DIR"):
            assert word in str(caught.value)

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('mine = "mine"', r"sources\.mine.*package\.module:factory"),
            ("mine = 3", r"sources.*str.*int"),
            ('simulator = "mine:create"', r"sources\.simulator.*name of your own"),
            ('"no name" = "mine:create"', r"sources\.no name.*name of your own"),
        ],
    )
    def test_a_line_that_names_no_plugin_is_a_settings_error(self, tmp_path: Path, line: str, words: str) -> None:
        with pytest.raises(SettingsError, match=words):
            loaded(tmp_path, f"[sources]\n{line}\n")

    def test_a_plugin_can_come_from_the_environment(self, tmp_path: Path) -> None:
        settings = load(None, None, {"FINTRENDS_SOURCES__MINE": "mine:create"}).settings
        assert settings.sources == {"mine": "mine:create"}

    def test_the_names_that_settings_know_are_those_of_the_registry(self) -> None:
        assert set(BUILT_IN_SOURCES) == set(registry.BUILT_IN)


class TestPlugins:
    """Each has a module of its own name: an interpreter imports a module once."""

    async def test_one_with_market_data_is_chosen_by_name_and_one_without_runs_beside(self, tmp_path: Path) -> None:
        plugin(tmp_path, "two_sources", f"{PLUGIN}\ndef prices(context):\n    return Source('prices', 'market')\n")
        with (tmp_path / "two_sources.py").open("a") as file:
            file.write("\ndef posts(context):\n    return Source('posts', 'social', 'news')\n")
        text = '[sources]\nprices = "two_sources:prices"\nposts = "two_sources:posts"\n'
        names, choice = await chosen(loaded(tmp_path, text, "prices"))
        assert names == ["market prices", "social stocktwits", "social posts", "news posts"]
        assert choice.note.startswith(
            "live from prices (market), stocktwits (social), posts (social, news); without reddit: "
        )
        names, _ = await chosen(loaded(tmp_path, f'{text}[alpha_vantage]\napi_key = "K"\n', "alpha_vantage"))
        assert "market prices" not in names
        assert "social posts" in names
        names, _ = await chosen(loaded(tmp_path, text, "simulator"))
        assert names == ["market", "news", "social", "economic"]

    async def test_it_gets_settings_clock_http_and_a_directory(self, tmp_path: Path) -> None:
        plugin(
            tmp_path,
            "wants_all",
            f"{PLUGIN}\ndef create(context):\n    global got\n    got = context\n"
            "    context.http\n    return Source('all', 'market')\n",
        )
        config = loaded(tmp_path, '[sources]\nmine = "wants_all:create"\n', "mine")
        await chosen(config)
        import wants_all  # type: ignore[import-not-found]

        context: Any = wants_all.got
        assert (context.settings, context.data_dir) == (config.settings, tmp_path / "data")
        assert context.http is context.http

    @pytest.mark.parametrize(
        ("module", "text", "words"),
        [
            ("not_there", None, r"there is no module not_there; put it into .*, or install it"),
            ("bad_syntax", "x = 1\nthis is not a python\n", r"bad_syntax\.py, line 2: invalid syntax"),
            (
                "bad_import",
                "\n\nimport nothing_like_it\n",
                r"bad_import\.py, line 3: ModuleNotFoundError: .*nothing_like",
            ),
            ("bad_module", "\n1 / 0\n", r"bad_module\.py, line 2: ZeroDivisionError"),
            ("bad_factory", "def create(context):\n    1 / 0\n", r"bad_factory\.py, line 2: ZeroDivisionError"),
            ("no_factory", "", r"module 'no_factory' has no attribute 'create'"),
            ("no_source", "def create(context):\n    return 3\n", r"makes no source: it has no name, .*feeds"),
            (
                "odd_feed",
                f"{PLUGIN}\ndef create(context):\n    return Source('x', 'weather')\n",
                r"feeds named weather",
            ),
            ("twice", f"{PLUGIN}\ndef create(context):\n    return Source('x', 'news', 'news')\n", r"each once"),
        ],
    )
    def test_one_that_does_not_work_says_where(self, tmp_path: Path, module: str, text: str | None, words: str) -> None:
        if text is not None:
            plugin(tmp_path, module, text)
        with pytest.raises(SourceError, match=words) as caught:
            choose_source(loaded(tmp_path, f'[sources]\nmine = "{module}:create"\n', "mine"))
        assert f'sources.mine = "{module}:create"' in str(caught.value)


class FakeFeed:
    def __init__(self, name: str, batch: Sequence[AnyMessage] = ()) -> None:
        self.name = name
        self._batch = batch

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        yield self._batch or [quote()]


class FakeSource:
    simulated = False

    def __init__(
        self, name: str, *chunks: HistoryChunk, error: SourceError | None = None, batch: Sequence[AnyMessage] = ()
    ) -> None:
        self.name = name
        self._batch = batch
        self.closed = 0
        self._chunks = chunks
        self._error = error

    def feeds(self) -> Sequence[FakeFeed]:
        return [FakeFeed("social", self._batch)]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        for chunk in self._chunks:
            yield chunk
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self.closed += 1


def quote() -> Quote:
    return Quote(ticker="TSLA", ts=START, price=1)


async def nothing() -> None: ...


class TestCombined:
    async def test_feeds_of_one_kind_have_names_of_their_own(self) -> None:
        source = CombinedSource([FakeSource("a"), FakeSource("b")], nothing)
        assert [feed.name for feed in source.feeds()] == ["social a", "social b"]
        async with aclosing(source.feeds()[1].stream(Watchlist())) as batches:
            assert [batch async for batch in batches] == [[quote()]]

    def test_two_of_one_name_are_refused(self) -> None:
        with pytest.raises(SourceError, match="same name"):
            CombinedSource([FakeSource("a"), FakeSource("a")], nothing)

    async def test_history_is_that_of_all_and_what_is_left_out_is_noted(self) -> None:
        first = FakeSource("a", HistoryChunk([quote()], 1, 2), HistoryChunk([quote()], 2, 2, "no splits"))
        second = FakeSource("b", error=SourceError("blocked"))
        third = FakeSource("c", HistoryChunk([quote()], 1, 1))
        chunks = [chunk async for chunk in CombinedSource([first, second, third], nothing).history("TSLA")]
        assert [(chunk.done, chunk.total) for chunk in chunks] == [(1, 2), (2, 2), (3, 3), (3, 3)]
        assert chunks[-1].note == "no splits; without b: blocked"

    async def test_a_first_that_has_none_is_an_error_after_what_the_others_have(self) -> None:
        first = FakeSource("a", error=SourceError("there is no such symbol"))
        chunks = CombinedSource([first, FakeSource("b", HistoryChunk([quote()], 1, 1))], nothing).history("X")
        assert (await anext(chunks)).done == 1
        with pytest.raises(SourceError, match="no such symbol"):
            await anext(chunks)

    def test_the_troubles_are_those_of_the_first_whose_market_data_are_shown(self) -> None:
        class Troubled(FakeSource):
            def troubles(self) -> dict[str, TickerTrouble]:
                return {"NOPE": TickerTrouble(f"{self.name} knows no NOPE", START)}

        first, second = Troubled("a"), Troubled("b")
        assert CombinedSource([first, second], nothing).troubles()["NOPE"].why == "a knows no NOPE"
        assert CombinedSource([FakeSource("c"), second], nothing).troubles() == {}
        assert CombinedSource([], nothing).troubles() == {}

    async def test_all_are_closed_then_what_they_share(self) -> None:
        sources = [FakeSource("a"), FakeSource("b")]
        closed: list[int] = []

        async def shared() -> None:
            closed.extend(source.closed for source in sources)

        await CombinedSource(sources, shared).close()
        assert closed == [1, 1]
