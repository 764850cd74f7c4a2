"""The control server through its real socket, with real and with hostile clients."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fintrends_tui.link.client import NotRunningError, connect
from fintrends_tui.link.port import LinkError
from pipeline.contract.protocol import Add, Command, Focus, GetSnapshot, Pause, Stop, TickersChanged
from pipeline.contract.snapshot import PipelineView, Snapshot, TickerDetail
from pipeline.control.server import CommandError, ControlServer


class Server:
    def __init__(self) -> None:
        self.seq = 0
        self.commands: list[Command] = []

    def snapshot(self, focus: str | None = None) -> Snapshot:
        self.seq += 1
        view = PipelineView(
            pid=1, version="0", state="running", started_at=0, source="s", source_note="", simulated=False,
            bus="b", store="s", roles=[],
        )  # fmt: skip
        detail = TickerDetail(ticker=focus) if focus else None
        return Snapshot(seq=self.seq, at=0, pipeline=view, detail=detail)

    async def execute(self, command: Command) -> Any:
        self.commands.append(command)
        match command:
            case Add(tickers):
                return TickersChanged(tickers, "added")
            case GetSnapshot():
                return self.snapshot()
            case Stop():
                raise RuntimeError("a bug")
            case _:
                raise CommandError("no such thing")


@pytest.fixture
def path() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory() as directory:  # pytest's own paths can be too long for a socket
        yield Path(directory) / "s.sock"


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Server]:
    server = Server()
    control = ControlServer(server.execute, server.snapshot)
    await control.start(path)
    try:
        yield server
    finally:
        await control.close()


async def raw(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        for line in lines:
            writer.write(line)
        writer.write_eof()
        answers = []
        with contextlib.suppress(ConnectionError):  # hung up on with our garbage unread
            while line := await reader.readline():
                answers.append(json.loads(line))
        return answers
    finally:
        writer.close()


HELLO = b'{"type":"hello","protocol":1,"client":"test"}\n'


async def test_the_socket_is_the_users_alone(path: Path) -> None:
    async with serving(path):
        assert (await asyncio.to_thread(path.stat)).st_mode & 0o777 == 0o600


async def test_commands_have_typed_replies_and_refusals(path: Path) -> None:
    async with serving(path), connect(path) as connection:
        assert await connection.ask(Add(["AAPL"])) == TickersChanged(["AAPL"], "added")
        assert isinstance(await connection.ask(GetSnapshot()), Snapshot)
        with pytest.raises(LinkError, match="no such thing"):
            await connection.ask(Pause())
        with pytest.raises(LinkError, match="unexpectedly"):
            await connection.ask(Stop())


async def test_snapshots_are_pushed_to_those_who_ask_with_the_detail_of_their_focus(path: Path) -> None:
    arrived: asyncio.Queue[Snapshot] = asyncio.Queue()
    async with serving(path), connect(path, arrived.put_nowait) as connection:
        assert (await arrived.get()).detail is None
        await connection.ask(Focus("AAPL"))
        while (await arrived.get()).detail != TickerDetail(ticker="AAPL"):
            pass


async def test_another_protocol_is_refused_with_what_to_do(path: Path) -> None:
    async with serving(path):
        (answer,) = await raw(path, HELLO.replace(b"1", b"99"))
        assert answer["type"] == "refused"
        assert "fintrends-tui stop" in answer["reason"]


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff\n", b"{}\n", b'{"type":"request","id":1}\n', b"x" * 600_000, b"\n"],
)
async def test_garbage_ends_its_own_connection_and_no_other(path: Path, garbage: bytes) -> None:
    async with serving(path), connect(path) as connection:
        for lines in ((garbage,), (HELLO, garbage)):
            answers = await raw(path, *lines)
            assert not answers or answers[-1]["type"] in ("refused", "welcome")
        assert await connection.ask(Add(["MSFT"])) == TickersChanged(["MSFT"], "added")


async def test_a_client_that_never_reads_holds_nothing_up_and_skips_to_the_latest(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.control.server.PUSH_PERIOD", 0)
    async with serving(path) as server:
        reader, writer = await asyncio.open_unix_connection(path, limit=1024)
        writer.write(HELLO.replace(b"}", b',"snapshots":true}'))
        await reader.readline()
        before = -1
        while server.seq != before:  # until its pipe is full and snapshots stop being made for it
            before = server.seq
            async with connect(path) as connection:
                for _ in range(20):
                    await connection.ask(Add(["AAPL"]))
        writer.close()


@pytest.mark.parametrize("more", [b',"snapshots":true}', b"}"], ids=["does not read", "asks for nothing"])
async def test_who_is_idle_gives_way_where_places_are_scarce_and_nobody_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    monkeypatch.setattr("pipeline.control.server.PUSH_PERIOD", 0)
    monkeypatch.setattr("pipeline.control.server._MAX_CLIENTS", 2)
    monkeypatch.setattr("pipeline.control.server._IDLE_SECONDS", 0.05)
    async with serving(path), connect(path, lambda _: None) as polite:
        _, writer = await asyncio.open_unix_connection(path, limit=1024)
        writer.write(HELLO.replace(b"}", more))
        async with asyncio.timeout(20):
            while True:
                try:
                    async with connect(path, lambda _: None) as other:
                        assert await other.ask(Add(["AAPL"])) == TickersChanged(["AAPL"], "added")
                        with pytest.raises(LinkError, match="2 clients are connected already"):
                            async with connect(path):
                                pass
                        break
                except LinkError:  # it is not idle yet
                    await asyncio.sleep(0.01)
        assert await polite.ask(Add(["AAPL"])) == TickersChanged(["AAPL"], "added")
        writer.close()


async def test_nobody_listening_is_told_apart(path: Path) -> None:
    with pytest.raises(NotRunningError):
        async with connect(path):
            pass


async def test_asking_a_pipeline_that_goes_away_fails_at_once(path: Path) -> None:
    async with serving(path):
        async with connect(path) as connection:
            pass
        with pytest.raises(LinkError, match="was closed"):
            await connection.ask(GetSnapshot())
