"""Each fault that the doctor knows, provoked."""

import asyncio
import io
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.bus.base import Record
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.clock import SystemClock
from pipeline.config.settings import (
    AlphaVantageSettings,
    KafkaSettings,
    Loaded,
    PipelineSettings,
    Settings,
)
from pipeline.config.sources import RedditSettings, RoutesSettings
from pipeline.config.where import Where
from pipeline.contract.protocol import Command
from pipeline.control.server import ControlServer
from pipeline.doctor import engines, live, machine
from pipeline.doctor.alpha_vantage import alpha_vantage
from pipeline.doctor.examine import configuration, examine
from pipeline.doctor.finding import Finding, fault, ok, warning, written
from pipeline.doctor.sources import reddit, source
from pipeline.model.documents import Document
from pipeline.sources.alpha_vantage import budget_of, memory_of
from pipeline.storage.datadir import DataDir
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.system.streams import is_utf8
from testkit.engines.process import free_port
from testkit.fakes import FakeClock
from tests.ui import samples

KEY = "PLANTEDKEY"


def loaded_with(path: Path, **sections: object) -> Loaded:
    return Loaded(Settings(**sections), None, path, path / "logs")  # type: ignore[arg-type]


async def collected(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]


class TestReport:
    def test_a_finding_that_is_well_is_a_line(self) -> None:
        assert written(ok("all is well"), "utf-8") == "✓ all is well\n"

    def test_a_fault_says_why_and_what_to_do(self) -> None:
        text = written(fault("it is broken", "it fell", "glue it"), "UTF8")
        assert text == "✗ it is broken\n    cause: it fell\n    fix: glue it\n"

    def test_a_terminal_without_utf8_is_written_to_in_ascii(self) -> None:
        text = written(warning("/home/zoë is full", "–", "rm"), "iso8859-1")
        assert text == "! /home/zo\\xeb is full\n    cause: \\u2013\n    fix: rm\n"

    def test_what_engines_say_reaches_the_terminal_as_plain_text(self) -> None:
        assert written(ok("the broker is at \x1b[2Jevil\u202e\n:1"), "utf-8") == "✓ the broker is at evil :1\n"

    @pytest.mark.parametrize(
        ("encoding", "answer"), [("utf-8", True), ("UTF8", True), ("ascii", False), (None, False), ("nonsense", False)]
    )
    def test_encodings(self, encoding: str | None, answer: bool) -> None:
        assert is_utf8(encoding) is answer


class TestDirectories:
    def test_one_that_is_there_or_can_be_made_is_well_and_left_as_it_was(self, tmp_path: Path) -> None:
        assert machine.directory("data", tmp_path, "").level == "ok"
        absent = machine.directory("data", tmp_path / "a" / "b", "")
        assert absent.level == "ok" and "can be made" in absent.what
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("below", ["", "data"])
    def test_a_file_in_its_place_is_a_fault(self, tmp_path: Path, below: str) -> None:
        obstacle = tmp_path / "my file"
        obstacle.touch()
        found = machine.directory("data", obstacle / below, "choose another")
        assert found.level == "fault"
        assert f"{obstacle} is not a directory" in found.cause
        assert found.fix == f"mv '{obstacle}' '{obstacle}'.old, or choose another"

    def test_one_that_may_not_be_written_is_a_fault(self) -> None:
        # Nobody may make files there, not even root.
        found = machine.directory("log", Path("/proc"), "set another as logging.dir")
        assert found.level == "fault"
        assert found.fix.endswith("set another as logging.dir")

    def test_one_that_is_open_to_others_is_a_warning(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        assert machine.privacy(tmp_path) == []
        assert machine.privacy(tmp_path / "absent") == []
        tmp_path.chmod(0o750)
        (found,) = machine.privacy(tmp_path)
        assert (found.level, found.fix) == ("warning", f"chmod 700 {tmp_path}")

    @pytest.mark.parametrize(
        ("free", "level"),
        [
            (10**9, "ok"),
            (10**9 - 1, "warning"),
            (10**8, "warning"),
            (10**8 - 1, "fault"),
        ],
    )
    def test_the_space_left(self, tmp_path: Path, free: int, level: str) -> None:
        (found,) = machine.disk({"data": tmp_path, "logs": tmp_path / "logs"}, lambda place: free)
        assert found.level == level
        assert "free for data and logs" in found.what

    def test_the_space_is_asked_of_the_file_system(self, tmp_path: Path) -> None:
        (found,) = machine.disk({"data": tmp_path})
        assert int(found.what.split()[0].replace(",", "")) > 0


class TestRunning:
    def test_nothing_runs(self, tmp_path: Path) -> None:
        assert machine.running(DataDir(tmp_path)) == ok("no pipeline runs on the data directory")

    def test_a_pipeline_that_listens_is_named(self, tmp_path: Path) -> None:
        owner = DataDir(tmp_path)
        owner.lock()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(owner.prepare_socket()))
            server.listen()
            found = machine.running(DataDir(tmp_path))
        owner.unlock()
        assert found == ok(f"a pipeline (pid {os.getpid()}) runs on the data directory")

    def test_a_pipeline_that_does_not_listen_is_a_warning(self, tmp_path: Path) -> None:
        owner = DataDir(tmp_path)
        owner.lock()
        found = machine.running(DataDir(tmp_path))
        owner.unlock()
        assert found.level == "warning"
        assert f"kill {os.getpid()}" in found.fix

    def test_the_socket_of_a_killed_pipeline_is_a_warning(self, tmp_path: Path) -> None:
        script = (
            "import os, signal, socket, sys; from pathlib import Path; from pipeline.storage.datadir import DataDir\n"
            "d = DataDir(Path(sys.argv[1])); d.lock(); s = socket.socket(socket.AF_UNIX)\n"
            "s.bind(str(d.prepare_socket())); os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
        assert done.returncode == -signal.SIGKILL
        found = machine.running(DataDir(tmp_path))
        assert found.level == "warning"
        assert str(DataDir(tmp_path).socket) in found.what


class TestLive:
    async def test_what_runs_says_what_it_runs_on(self, tmp_path: Path) -> None:
        """Beside what a start with the settings would have."""
        snapshot = samples.snapshot(
            pipeline=samples.pipeline(source="simulator", source_note="simulated data", bus="embedded")
        )

        async def execute(_: Command) -> None:
            raise AssertionError("it changes nothing")

        server = ControlServer(execute, lambda _: snapshot)
        owner = DataDir(tmp_path)
        owner.lock()
        await server.start(owner.prepare_socket())
        try:
            running = await live.told(DataDir(tmp_path))
        finally:
            await server.close()
            owner.unlock()
        assert running is not None
        assert "its source: simulated data; its bus: embedded; " in live.described(running).what
        auto = loaded_with(tmp_path, pipeline=PipelineSettings(source="auto"))
        found = [finding.what for finding in await collected(source(auto, running.source))]
        assert found[0].startswith("a start with these settings has another source: live from ")
        simulated = loaded_with(tmp_path, pipeline=PipelineSettings(source="simulator"))
        (first, *_) = await collected(source(simulated, running.source))
        assert first.what.startswith("source: ")

    async def test_nobody_answers(self, tmp_path: Path) -> None:
        assert await live.told(DataDir(tmp_path)) is None
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(DataDir(tmp_path).prepare_socket()))
            server.listen()
            assert await live.told(DataDir(tmp_path), patience=0.05) is None

    async def test_who_answers_is_no_pipeline(self, tmp_path: Path) -> None:
        async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 ready\n")
            writer.close()

        async with await asyncio.start_unix_server(babble, DataDir(tmp_path).prepare_socket()):
            assert await live.told(DataDir(tmp_path)) is None


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8", *, isatty: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._isatty = isatty

    def isatty(self) -> bool:
        return self._isatty

    def fileno(self) -> int:
        return 1


class TestTerminal:
    def levels(self, out: Terminal, environ: dict[str, str], columns: int = 80, rows: int = 24) -> list[str]:
        found = machine.terminal(out, environ, lambda descriptor: os.terminal_size((columns, rows)))
        return [finding.level for finding in found]

    def test_one_that_will_do(self) -> None:
        assert self.levels(Terminal(), {"TERM": "xterm-256color"}) == ["ok", "ok", "ok"]

    def test_what_is_no_terminal_has_neither_colour_nor_size(self) -> None:
        assert self.levels(Terminal(isatty=False), {}, 10, 10) == ["ok", "ok"]

    def test_encoding(self) -> None:
        assert self.levels(Terminal("ascii"), {"TERM": "xterm"}) == ["warning", "ok", "ok"]

    @pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}])
    def test_colour(self, environ: dict[str, str]) -> None:
        assert self.levels(Terminal(), environ) == ["ok", "warning", "ok"]

    @pytest.mark.parametrize(("columns", "rows"), [(79, 24), (80, 23)])
    def test_size(self, columns: int, rows: int) -> None:
        assert self.levels(Terminal(), {"TERM": "xterm"}, columns, rows) == ["ok", "ok", "warning"]


class TestDatabases:
    async def test_those_that_are_not_there_yet_are_no_fault(self, tmp_path: Path) -> None:
        data_dir = DataDir(tmp_path)
        data_dir.bus.touch()
        assert (await engines.embedded_bus(data_dir)).level == "ok"
        assert (await engines.embedded_store(data_dir)).level == "ok"

    async def test_healthy_ones_while_a_pipeline_writes(self, tmp_path: Path) -> None:
        data_dir = DataDir(tmp_path)
        bus = EmbeddedBus(data_dir.bus)
        await bus.open()
        await bus.publish([Record("news_aapl", "AAPL", b"{}", ts=1)])
        assert await engines.embedded_bus(data_dir) == ok(f"the embedded bus {data_dir.bus} is healthy")
        await bus.close()

    async def test_what_is_no_database_is_a_fault(self, tmp_path: Path) -> None:
        data_dir = DataDir(tmp_path)
        data_dir.bus.write_bytes(b"no database at all\n" * 100)
        found = await engines.embedded_bus(data_dir)
        assert found.level == "fault"
        assert "not a database" in found.cause
        assert f"mv {data_dir.bus}*" in found.fix

    async def test_damage_inside_is_found_and_not_touched(self, tmp_path: Path) -> None:
        data_dir = DataDir(tmp_path)
        store = EmbeddedStore(data_dir.store)
        await store.open()
        ts = datetime(2026, 1, 2, tzinfo=UTC)
        documents = [Document("news", f"AAPL|{n}", "1", ts, {"n": n}, "AAPL") for n in range(2000)]
        await store.upsert("news", documents)
        await store.close()
        assert (await engines.embedded_store(data_dir)).level == "ok"
        with data_dir.store.open("r+b") as file:
            file.seek(-20 * 4096, os.SEEK_END)
            file.write(os.urandom(4096) * 20)
        damaged = data_dir.store.read_bytes()
        found = await engines.embedded_store(data_dir)
        assert found.level == "fault"
        assert data_dir.store.read_bytes() == damaged

    async def test_the_format_of_another_version_is_a_fault(self, tmp_path: Path) -> None:
        data_dir = DataDir(tmp_path)
        connection = sqlite3.connect(data_dir.store)
        connection.executescript("CREATE TABLE t (a); PRAGMA user_version = 99")
        connection.close()
        found = await engines.embedded_store(data_dir)
        assert found.level == "fault"
        assert "format 99" in found.cause


@asynccontextmanager
async def broker(advertised_host: str, advertised_port: int) -> AsyncIterator[int]:
    """A port that answers the first questions of a Kafka client (API versions, metadata) as a broker would which
    advertises that address."""
    host = advertised_host.encode()
    answers = {
        18: struct.pack(">hi", 0, 2) + struct.pack(">hhh", 3, 0, 0) + struct.pack(">hhh", 18, 0, 0),
        3: struct.pack(">iih", 1, 1, len(host)) + host + struct.pack(">ii", advertised_port, 0),
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, correlation = struct.unpack(">hhi", (await reader.readexactly(size))[:8])
                writer.write(struct.pack(">ii", 4 + len(answers[key]), correlation) + answers[key])
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class TestKafka:
    async def test_a_closed_port_is_a_fault(self, tmp_path: Path) -> None:
        address = f"127.0.0.1:{free_port()}"
        loaded = loaded_with(tmp_path, kafka=KafkaSettings(bootstrap_servers=address))
        (found,) = await collected(engines.kafka(loaded, []))
        assert found.level == "fault"
        assert found.what == f"cannot connect to Kafka at {address}"
        assert "refuses connections" in found.cause
        assert "KAFKA_BOOTSTRAP_SERVERS" in found.fix

    @pytest.mark.parametrize("address", ["localhost:kafka", "localhost:99999"])
    async def test_an_address_that_is_none_is_a_fault(self, tmp_path: Path, address: str) -> None:
        loaded = loaded_with(tmp_path, kafka=KafkaSettings(bootstrap_servers=address))
        (found,) = await collected(engines.kafka(loaded, []))
        assert found.level == "fault"
        assert "KAFKA_BOOTSTRAP_SERVERS" in found.fix

    async def test_a_listener_that_speaks_otherwise_is_told_from_a_closed_port(self, tmp_path: Path) -> None:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            address = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
            loaded = loaded_with(tmp_path, kafka=KafkaSettings(bootstrap_servers=address))
            (found,) = await collected(engines.kafka(loaded, []))
        assert found.level == "fault"
        assert "kafka.security_protocol" in found.fix

    async def test_an_advertised_name_that_only_docker_knows_is_a_fault(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "CONNECT_SECONDS", 60.0)  # a resolver may take its time to say no
        async with broker("kafka.invalid", 29092) as port:
            settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}")
            answers, found = await collected(engines.kafka(loaded_with(tmp_path, kafka=settings), []))
        assert answers == ok(f"kafka 127.0.0.1:{port} answers")
        assert found.level == "fault"
        assert "kafka.invalid:29092, which does not resolve" in found.what
        assert f"PLAINTEXT://127.0.0.1:{port}" in found.fix
        assert "KAFKA_ADVERTISED_LISTENERS" in found.fix

    async def test_an_advertised_port_that_is_closed_is_a_fault(self, tmp_path: Path) -> None:
        closed = free_port()
        async with broker("127.0.0.1", closed) as port:
            settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}")
            _, found = await collected(engines.kafka(loaded_with(tmp_path, kafka=settings), []))
        assert found.level == "fault"
        assert f"127.0.0.1:{closed}, which refuses connections" in found.what


class TestMongo:
    async def test_a_closed_port_is_a_fault_and_the_password_stays_secret(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "CONNECT_SECONDS", 0.5)
        port = free_port()
        (found,) = await collected(engines.mongodb(f"mongodb://me:hunter2@127.0.0.1:{port}/", SystemClock()))
        assert found.level == "fault"
        assert found.what == f"cannot open MongoDB at 127.0.0.1:{port}"
        assert "hunter2" not in written(found, "utf-8")

    async def test_a_uri_that_is_none_is_a_fault(self) -> None:
        (found,) = await collected(engines.mongodb("mongodb://me:hunter2:x@@host", SystemClock()))
        assert found.level == "fault"
        assert "hunter2" not in written(found, "utf-8")


class TestSettings:
    def test_where_they_come_from(self, tmp_path: Path) -> None:
        without = configuration(loaded_with(tmp_path), {"PATH": "/bin"})
        assert without == ok("there is no configuration file: defaults")
        file = Loaded(Settings(), tmp_path / "config.toml", tmp_path, tmp_path)
        environ = {"MONGODB_URI": "mongodb://me:hunter2@host", "FINTRENDS_PIPELINE__SPEED": "2"}
        assert configuration(file, environ) == ok(
            f"the configuration {tmp_path}/config.toml is valid, overridden by FINTRENDS_PIPELINE__SPEED, MONGODB_URI"
        )

    async def test_invalid_ones_are_a_fault_and_the_terminal_is_checked_all_the_same(self, tmp_path: Path) -> None:
        config = tmp_path / "config.toml"
        config.write_text("[pipeline]\nspede = 3\n")
        out = Terminal(isatty=False)
        assert await examine(Where(config=config), out, {}) == 1
        out.seek(0)
        first, cause, _, *rest = out.read().splitlines()
        assert first == "✗ the configuration cannot be used"
        assert "unknown key pipeline.spede" in cause
        assert [line[0] for line in rest] == ["✓", "✓"]

    async def test_a_source_that_cannot_be_used_is_a_fault(self, tmp_path: Path) -> None:
        absent = loaded_with(tmp_path, pipeline=PipelineSettings(source=f"replay:{tmp_path}/absent"))
        assert [finding.level async for finding in source(absent)] == ["fault"]

    async def test_what_could_serve_too_is_absent_and_says_what_it_lacks(self, tmp_path: Path) -> None:
        served, *others = await collected(source(loaded_with(tmp_path)))
        assert (served.level, served.what.startswith("source: live from yahoo")) == ("ok", True)
        absent = [finding.what for finding in others if finding.level == "absent"]
        assert any(what.startswith("alpha_vantage") and "ALPHA_VANTAGE_API_KEY" in what for what in absent)

    async def test_each_kind_of_ticker_has_a_line_that_says_what_serves_it(self, tmp_path: Path) -> None:
        told = await collected(source(loaded_with(tmp_path)))
        assert [finding.what for finding in told if ": from " in finding.what] == [
            "American shares (AAPL): from yahoo",
            "other shares (VOD.L): from yahoo",
            "indices (^GSPC): from yahoo",
            "currencies (EURUSD=X): from yahoo",
            "futures (GC=F): from yahoo",
            "funds (VFINX): from yahoo",
            "crypto-currencies (BTC-USD): from coinbase, else kraken, else yahoo",
            "news: from yahoo_news",
            "the economy: from fred",
            "posts: from stocktwits",
        ]

    async def test_a_key_puts_its_source_where_the_route_has_it(self, tmp_path: Path) -> None:
        settings = AlphaVantageSettings(api_key=KEY)
        told = [finding.what for finding in await collected(source(loaded_with(tmp_path, alpha_vantage=settings)))]
        assert "American shares (AAPL): from yahoo, else alpha_vantage" in told
        assert "news: from alpha_vantage and yahoo_news" in told
        assert not [what for what in told if KEY in what]

    async def test_a_kind_that_nothing_serves_is_absent(self, tmp_path: Path) -> None:
        """A source that is named for what it has none of serves nothing either."""
        routes = RoutesSettings(index=(), fund=("alpha_vantage",), crypto=("fred",))
        told = await collected(source(loaded_with(tmp_path, routes=routes)))
        assert [finding.what.partition(":")[0] for finding in told if "from nowhere" in finding.what] == [
            "indices (^GSPC)",
            "funds (VFINX)",
            "crypto-currencies (BTC-USD)",
        ]
        assert {finding.level for finding in told if "from nowhere" in finding.what} == {"absent"}

    async def test_one_source_for_all_has_no_routes(self, tmp_path: Path) -> None:
        told = await collected(source(loaded_with(tmp_path, pipeline=PipelineSettings(source="simulator"))))
        assert [finding.level for finding in told] == ["ok"]

    def test_half_of_the_reddit_credentials_is_a_warning_and_not_shown(self, tmp_path: Path) -> None:
        assert reddit(loaded_with(tmp_path)) == []
        (half,) = reddit(loaded_with(tmp_path, reddit=RedditSettings(client_id="MY-ID")))
        assert half.level == "warning"
        assert "REDDIT_CLIENT_SECRET" in half.fix
        (whole,) = reddit(loaded_with(tmp_path, reddit=RedditSettings(client_id="MY-ID", client_secret="MY-SECRET")))  # noqa: S106
        assert whole.level == "ok"
        assert not [s for s in ("MY-ID", "MY-SECRET") if s in written(half, "utf-8") + written(whole, "utf-8")]


class TestBudget:
    """From what the last run remembers: no request is made."""

    @pytest.fixture(autouse=True)
    def at_ten(self, tmp_path: Path) -> None:
        self.clock = FakeClock()
        self.path = tmp_path
        settings = AlphaVantageSettings(api_key=KEY)
        self.budget = budget_of(settings, tmp_path, self.clock)
        self.memory = memory_of(settings, tmp_path)

    def findings(self, **options: object) -> list[Finding]:
        settings = AlphaVantageSettings(api_key=KEY, **options)  # type: ignore[arg-type]
        return alpha_vantage(loaded_with(self.path, alpha_vantage=settings), self.clock)

    def test_a_key_that_was_never_used_is_said_to_be_so_and_not_shown(self) -> None:
        key, budget = self.findings()
        assert (key.level, budget.level) == ("ok", "ok")
        assert "first request" in key.what and KEY not in key.what
        assert budget.what.startswith("0 of 25")
        assert not list(self.path.iterdir())

    async def test_what_is_left_of_the_day_is_told(self) -> None:
        await self.budget.permit()
        assert self.findings()[1].what == "1 of 25 Alpha Vantage requests are used today"
        spent = self.findings(requests_per_day=1)[1]
        assert spent.level == "warning" and "resume at 00:00 EST" in spent.fix

    def test_a_refused_key_is_a_fault(self) -> None:
        self.memory.facts.key_refused = self.clock.now().timestamp()
        self.memory.save()
        (found,) = self.findings()
        assert found.level == "fault" and "ALPHA_VANTAGE_API_KEY" in found.fix

    def test_a_reached_limit_a_lesser_plan_and_an_unknown_symbol_are_warnings(self) -> None:
        self.budget.refuse_today()
        now = self.clock.now().timestamp()
        self.memory.facts.lacking["bulk"] = now
        self.memory.facts.unknown["APPL"] = now
        self.memory.save()
        _, budget, plan, symbol = self.findings(plan="premium")
        assert {budget.level, plan.level, symbol.level} == {"warning"}
        assert "another program" in budget.cause and "bulk" in plan.cause and "APPL" in symbol.fix
