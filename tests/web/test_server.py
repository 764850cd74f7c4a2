"""The server for browsers, asked as a browser asks and as those do who are not to get in."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from aiohttp import (
    ClientSession,
    ClientWebSocketResponse,
    CookieJar,
    WSCloseCode,
    WSMsgType,
    WSServerHandshakeError,
    web,
)
from yarl import URL

from fintrends_tui.web import server as module
from fintrends_tui.web.admission import Admission
from fintrends_tui.web.page import assets, page
from fintrends_tui.web.server import WebServer
from fintrends_tui.web.terminal import TerminalSize

TOKEN = "a-token-of-which-nobody-knows-anything-at-all"  # noqa: S105


@dataclass
class FakeViewer:
    """A dashboard that draws what it is typed, and ends at q."""

    sizes: list[TerminalSize]
    drawn: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    status: int = 0
    closed: bool = False

    async def read(self) -> bytes:
        return await self.drawn.get()

    async def write(self, data: bytes) -> None:
        self.drawn.put_nowait(b"" if data == b"q" else data.upper())

    def resize(self, size: TerminalSize) -> None:
        self.sizes.append(size)
        self.drawn.put_nowait(b"resized")

    async def close(self) -> int:
        self.closed = True
        return self.status


class Site:
    """A server, and a browser that may have been there before."""

    def __init__(self, session: ClientSession, url: URL) -> None:
        self.browser = session
        self.url = url
        self.viewers: list[FakeViewer] = []
        self.failure: OSError | None = None

    async def open_viewer(self, size: TerminalSize) -> FakeViewer:
        if self.failure is not None:
            raise self.failure
        self.viewers.append(FakeViewer([size]))
        return self.viewers[-1]

    async def enter(self) -> None:
        async with self.browser.get(self.url.with_query(token=TOKEN)) as answer:
            assert answer.status == 200

    async def status(self, path: str = "", **headers: str) -> int:
        async with self.browser.get(self.url / path if path else self.url, headers=headers) as answer:
            return answer.status

    async def connect(self, query: str = "", **headers: str) -> ClientWebSocketResponse:
        headers = {"Origin": str(self.url.origin())} | headers
        return await self.browser.ws_connect((self.url / "ws").with_query(query), headers=headers)


@asynccontextmanager
async def serving(admission: Admission | None = None, base_path: str = "") -> AsyncIterator[Site]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        site = Site(session, URL())
        server = WebServer(admission or Admission(TOKEN), site.open_viewer, base_path=base_path)
        runner = web.AppRunner(server.application(), shutdown_timeout=5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            site.url = URL.build(scheme="http", host="127.0.0.1", port=runner.addresses[0][1], path=f"{base_path}/")
            yield site
        finally:
            await runner.cleanup()


async def test_without_the_token_there_is_a_sentence_and_nothing_else() -> None:
    async with serving() as site:
        for path in ("", "alive", "ws", "static/textual.js", "nothing"):
            assert await site.status(path) == 403, path
        async with site.browser.get(site.url) as answer:
            assert "lacks the token" in await answer.text()
            assert "Set-Cookie" not in answer.headers
        async with site.browser.get(site.url.with_query(token=TOKEN[:-1])) as answer:
            assert answer.status == 403
        with pytest.raises(WSServerHandshakeError, match="403"):
            await site.connect()
        assert site.viewers == []


async def test_the_token_becomes_a_cookie_and_leaves_the_address() -> None:
    async with serving() as site:
        async with site.browser.get(site.url.with_query(token=TOKEN), allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            cookie = answer.headers["Set-Cookie"]
        assert TOKEN not in cookie
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {*cookie.split("; ")}
        assert "Secure" not in cookie
        async with site.browser.get(site.url) as answer:
            assert answer.status == 200
            assert TOKEN not in await answer.text()
        assert await site.status("static/textual.js") == 200
        assert await site.status("static/passwd") == 404
        assert await site.status("alive") == 204


async def test_a_name_pointed_at_this_machine_gets_nothing_even_with_the_token() -> None:
    async with serving() as site:
        await site.enter()
        assert await site.status(Host="evil.example") == 403
        with pytest.raises(WSServerHandshakeError, match="403"):
            await site.connect(Host="evil.example", Origin="http://evil.example")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
async def test_another_pages_socket_is_refused_though_it_has_the_cookie(origin: str) -> None:
    async with serving() as site:
        await site.enter()
        with pytest.raises(WSServerHandshakeError, match="403"):
            await site.connect(Origin=origin)
        assert site.viewers == []


async def test_what_is_typed_goes_in_and_what_is_drawn_comes_out() -> None:
    async with serving() as site:
        await site.enter()
        socket = await site.connect("width=132&height=43")
        await socket.send_json(["stdin", "j"])
        assert await socket.receive_bytes(timeout=5) == b"J"
        await socket.send_json(["resize", {"width": 99, "height": 10**9}])
        assert await socket.receive_bytes(timeout=5) == b"resized"
        await socket.send_json(["ping", "1"])
        assert await socket.receive_json(timeout=5) == ["pong", "1"]
        [viewer] = site.viewers
        assert viewer.sizes == [(132, 43), (99, 300)]
        for nonsense in ("", "[", "{}", '["stdin"]', '["stdin", 1]', '["resize", {"width": "1"}]', "[" * 5000):
            await socket.send_str(nonsense)
        await socket.send_json(["stdin", "q"])
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.OK)
        assert viewer.closed


async def test_each_has_a_dashboard_that_ends_when_they_leave() -> None:
    async with serving() as site:
        await site.enter()
        first, second = await site.connect(), await site.connect()
        await second.send_json(["stdin", "b"])
        assert await second.receive_bytes(timeout=5) == b"B"
        await first.close()
        async with asyncio.timeout(5):
            while not site.viewers[0].closed:
                await asyncio.sleep(0.01)
        assert not site.viewers[1].closed
        await second.close()


async def test_one_that_fails_says_so() -> None:
    async with serving() as site:
        await site.enter()
        socket = await site.connect()
        await socket.send_json(["ping", "1"])
        await socket.receive(timeout=5)
        site.viewers[0].status = 1
        await socket.send_json(["stdin", "q"])
        assert (await socket.receive(timeout=5)).data == WSCloseCode.INTERNAL_ERROR
        site.failure = OSError(11, "Resource temporarily unavailable")
        socket = await site.connect()
        assert b"cannot start a dashboard: Resource" in await socket.receive_bytes(timeout=5)
        assert (await socket.receive(timeout=5)).data == WSCloseCode.INTERNAL_ERROR


async def test_no_more_than_a_machine_can_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VIEWERS", 1)
    async with serving() as site:
        await site.enter()
        socket = await site.connect()
        assert await site.status("alive") == 503
        with pytest.raises(WSServerHandshakeError, match="503"):
            await site.connect()
        await socket.close()
        async with asyncio.timeout(5):
            while await site.status("alive") != 204:
                await asyncio.sleep(0.01)


async def test_the_end_of_the_server_is_told_as_such() -> None:
    async with serving() as site:
        await site.enter()
        socket = await site.connect()
        receiving = asyncio.create_task(socket.receive(timeout=5))
        await asyncio.sleep(0)
    assert (await receiving).data == WSCloseCode.GOING_AWAY


async def test_under_a_base_path_behind_a_proxy() -> None:
    admission = Admission(TOKEN, frozenset({"https://dash.example.com"}))
    proxied = {"Host": "dash.example.com"}
    async with serving(admission, "/markets") as site:
        async with site.browser.get(site.url.with_query(token=TOKEN), headers=proxied, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/markets/"
            cookie = answer.headers["Set-Cookie"]
        assert {"Secure", "Path=/markets"} <= {*cookie.split("; ")}
        await site.enter()
        async with site.browser.get(site.url, headers=proxied) as answer:
            text = await answer.text()
        assert answer.status == 200
        assert {link.partition("/static")[0] for link in links(text)} == {"/markets"}
        assert await site.status("static/web.js") == 200
        socket = await site.connect(Origin="https://dash.example.com", **proxied)
        await socket.close()
        async with site.browser.get(site.url.with_path("/markets"), allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (308, "/markets/")
        async with site.browser.get(site.url.with_path("/")) as answer:
            assert answer.status == 403  # the cookie is not for there


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.found += [value for name in ("href", "src") if (value := named.get(name)) and value != "data:,"]
        self.inline += tag == "style" or (tag == "script" and "src" not in named)


def links(text: str) -> list[str]:
    parser = _Links()
    parser.feed(text)
    assert parser.inline == 0
    return parser.found


async def test_nothing_comes_from_another_host() -> None:
    names = [link.removeprefix("/static/") for link in links(page(""))]
    files = assets()
    assert {*names} <= {*files}
    for name in ("xterm.css", "web.css", "web.js"):
        text = files[name].read_text("utf-8")
        assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)), (
            name
        )
    assert {*re.findall(r'url\("(.+?)"\)', files["web.css"].read_text("utf-8"))} <= {*files}
    async with serving() as site:
        await site.enter()
        async with site.browser.get(site.url) as answer:
            policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["font-src"] == "'self'"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
