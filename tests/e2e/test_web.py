"""The dashboard in a browser, from the command to its end."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pyte
import pytest
from aiohttp import ClientSession, CookieJar
from websockets.asyncio.client import connect
from yarl import URL

from testkit.engines.process import free_port
from testkit.product import COMMAND, environment

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Served:
    """A server on a free port, its address, and the processes below it."""

    def __init__(self, directory: Path, *arguments: str, port: int = 0) -> None:
        self._directory = directory / "data"
        self.process = subprocess.Popen(
            [COMMAND, "web", *arguments, "--port", str(port), "--data-dir", self._directory],
            cwd=directory,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = URL(self.process.stdout.readline().strip())

    def pipeline(self) -> int:
        """The pid of the one that runs on its data directory."""
        return int((self._directory / "pipeline.lock").read_text())

    def alive(self) -> dict[int, int]:
        """The parent of every process."""
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        return {int(pid): int(parent) for pid, parent in map(str.split, listed.splitlines())}

    def children(self) -> set[int]:
        return {pid for pid, parent in self.alive().items() if parent == self.process.pid}


@contextmanager
def served(directory: Path, *arguments: str, port: int = 0) -> Iterator[Served]:
    server = Served(directory, *arguments, port=port)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.communicate(timeout=60)


async def test_two_look_one_pipeline_runs_and_sigterm_leaves_nothing(tmp_path: Path) -> None:
    with served(tmp_path, "AAPL") as server:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
            async with browser.get(server.url) as answer:
                assert answer.status == 200
                here = answer.url
            assert not here.query
            headers = {"Origin": str(here.origin())}
            other = await browser.ws_connect(here.with_path("/ws"), headers=headers)
            socket = await browser.ws_connect(
                (here.with_path("/ws")).with_query("width=120&height=40"), headers=headers
            )
            screen = pyte.Screen(120, 40)
            stream = pyte.ByteStream(screen)

            async def until(text: str) -> None:
                async with asyncio.timeout(60):
                    while not re.search(text, "\n".join(screen.display)):
                        stream.feed(await socket.receive_bytes())

            await until(r"READ-ONLY .* SIMULATED [^$]*AAPL~ +\d+\.\d+")
            assert "Remove" not in "\n".join(screen.display)
            screen.resize(30, 100)
            await socket.send_json(["resize", {"width": 100, "height": 30}])
            await until(r"READ-ONLY .* SIMULATED [^$]*Chart +Indicators +Sentiment")  # as tabs: there is less room
            await socket.send_json(["stdin", "x\r"])
            await socket.send_json(["stdin", "q"])
            async with asyncio.timeout(30):
                async for _ in socket:
                    pass
            assert socket.close_code == 1000
            children = server.children()
            assert len(children) == 2  # the pipeline, and the dashboard of the other
            server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                async for _ in other:
                    pass
            assert other.close_code == 1001
        assert await asyncio.to_thread(server.process.wait, 60) == 0
        assert not children & server.alive().keys()
    assert json.loads((tmp_path / "data" / "watchlist.json").read_bytes()) == ["AAPL"]


class Tab:
    """A page of a real browser, by its DevTools protocol."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._count = 0
        self.urls: list[str] = []

    async def call(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        await self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            said = json.loads(await self._socket.recv())
            if said.get("method") == "Network.requestWillBeSent":
                self.urls.append(said["params"]["request"]["url"])
            if said.get("id") == self._count:
                return said["result"]

    async def wait_for(self, expression: str) -> None:
        async with asyncio.timeout(60):
            while not (await self.call("Runtime.evaluate", expression=expression))["result"].get("value"):
                await asyncio.sleep(0.2)


@contextmanager
def chromium(profile: Path) -> Iterator[str]:
    """The address of a page's DevTools."""
    assert CHROMIUM is not None
    flags = (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
    )
    process = subprocess.Popen([CHROMIUM, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (port := profile / "DevToolsActivePort").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        number = port.read_text().split()[0]
        with urlopen(Request(f"http://127.0.0.1:{number}/json/new", method="PUT")) as answer:
            yield json.load(answer)["webSocketDebuggerUrl"]
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.daily
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
async def test_in_a_real_browser_it_comes_back_by_itself(tmp_path: Path) -> None:
    drawn = "document.body.classList.contains('-first-byte') && document.getElementById('notice').hidden"
    port = free_port()
    with chromium(tmp_path / "profile") as target:
        async with connect(target, max_size=None) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Network", "Runtime"):
                await tab.call(f"{domain}.enable")
            with served(tmp_path, "AAPL", port=port) as server:
                await tab.call("Page.navigate", url=str(server.url))
                await tab.wait_for(drawn)
                await tab.wait_for("location.search === ''")
                await tab.wait_for("document.fonts.check(\"16px 'Roboto Mono'\")")
                assert {URL(url).host for url in tab.urls if not url.startswith("data:")} == {"127.0.0.1"}
                [viewer] = server.children() - {server.pipeline()}
                os.kill(viewer, signal.SIGKILL)
                await tab.wait_for("document.getElementById('notice').textContent.includes('failed')")
                await tab.call("Runtime.evaluate", expression="document.querySelector('#notice button').click()")
                await tab.wait_for(drawn)
                server.process.terminate()
                await tab.wait_for("document.getElementById('notice').textContent.includes('trying again')")
                assert await asyncio.to_thread(server.process.wait, 60) == 0
            with served(tmp_path, port=port):
                await tab.wait_for(drawn)
