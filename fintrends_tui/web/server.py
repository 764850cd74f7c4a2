"""The HTTP server: a page, the files it loads, and a websocket for each who looks."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from fintrends_tui.web.admission import Admission
from fintrends_tui.web.page import HEADERS, assets, page
from fintrends_tui.web.terminal import TerminalSize
from pipeline.aio import first_of

VIEWERS: Final = 16
"""How many can look at the same time: each is a process of some 50 MB."""
_COOKIE_SECONDS: Final = 30 * 86_400
_MAX_MESSAGE: Final = 256 * 1024
_ALIVE_SECONDS: Final = 20.0
_LEFT: Final = WSCloseCode.OK
_FAILED: Final = WSCloseCode.INTERNAL_ERROR
_STRANGER: Final = (
    "This address lacks the token, or it is an old one. Open the whole address that `fintrends-tui web` has printed, "
    "with what follows token=."
)
_NOT_OURS: Final = (
    "This address is not one of the server's. Open the one that `fintrends-tui web` has printed, or name this one with "
    "--origin where a proxy serves it."
)
_FULL: Final = f"{VIEWERS} are looking already, which is as many as can. Close one of the others; this one waits."


class Viewer(Protocol):
    """A dashboard process, see `PtyProcess`."""

    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    def resize(self, size: TerminalSize) -> None: ...
    async def close(self) -> int: ...


class WebServer:
    """`open_viewer` starts the dashboard process of one who has come in. `name` keeps the cookies of several servers on
    one host apart."""

    def __init__(
        self,
        admission: Admission,
        open_viewer: Callable[[TerminalSize], Awaitable[Viewer]],
        *,
        base_path: str = "",
        name: str = "fintrends",
    ) -> None:
        self._admission = admission
        self._open_viewer = open_viewer
        self._base_path = base_path
        self._cookie = name
        self._page = page(base_path)
        self._assets = assets()
        self._looking: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._admit])
        base = self._base_path
        application.add_routes(
            [
                web.get(f"{base}/", self._show),
                web.get(f"{base}/alive", self._alive),
                web.get(f"{base}/ws", self._look),
                web.get(f"{base}/static/{{name}}", self._asset),
                *([web.get(base, self._add_slash)] if base else []),
            ]
        )
        application.on_shutdown.append(self._hang_up)
        return application

    @web.middleware
    async def _admit(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Nothing is served to whoever has not come in by our address with the token, or with the cookie it gave."""
        if not self._admission.is_our_host(request.host):
            response: web.StreamResponse = _refused(403, _NOT_OURS)
        elif self._admission.knows_token(request.query.get("token", "")):
            response = self._welcomed(request)
        elif not self._admission.knows_pass(request.cookies.get(self._cookie, "")):
            response = _refused(403, _STRANGER)
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = _refused(error.status, f"{error.status} {error.reason}")
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def _welcomed(self, request: web.Request) -> web.Response:
        """To the same page without the token, which so is neither in the address bar nor in the history."""
        response = web.Response(status=303, headers={"Location": f"{self._base_path}/", "Cache-Control": "no-store"})
        response.set_cookie(
            self._cookie,
            self._admission.pass_,
            max_age=_COOKIE_SECONDS,
            path=self._base_path or "/",
            httponly=True,
            # Not strict: the address may have been followed from another page, such as a mail.
            samesite="Lax",
            secure=self._admission.is_our_origin(f"https://{request.host}", request.host),
        )
        return response

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _add_slash(self, _: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": f"{self._base_path}/"})

    async def _alive(self, _: web.Request) -> web.Response:
        """For a page that has lost its connection: whether it would get one now."""
        return _refused(503, _FULL) if self._is_full else web.Response(status=204)

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        path = self._assets.get(request.match_info["name"])
        if path is None:
            return _refused(404, "404 Not Found")
        return web.FileResponse(path, headers={"Cache-Control": "private, max-age=3600"})

    @property
    def _is_full(self) -> bool:
        return len(self._looking) >= VIEWERS

    async def _look(self, request: web.Request) -> web.StreamResponse:
        if not self._admission.is_our_origin(request.headers.get("Origin"), request.host):
            return _refused(403, _NOT_OURS)
        if self._is_full:
            return _refused(503, _FULL)
        size = TerminalSize.within_reason(
            _whole(request.query.get("width"), 80), _whole(request.query.get("height"), 24)
        )
        socket = web.WebSocketResponse(heartbeat=_ALIVE_SECONDS, max_msg_size=_MAX_MESSAGE)
        self._looking.add(socket)
        try:
            await socket.prepare(request)
            status = await self._run(size, socket)
            await socket.close(code=_FAILED if status else _LEFT)
        finally:
            self._looking.discard(socket)
        return socket

    async def _run(self, size: TerminalSize, socket: web.WebSocketResponse) -> int:
        """A dashboard for as long as both sides stay; its exit status."""
        try:
            viewer = await self._open_viewer(size)
        except OSError as error:
            await socket.send_bytes(f"cannot start a dashboard: {error.strerror}\r\n".encode())
            return 1
        try:
            await first_of(_draw(viewer, socket), _type(socket, viewer))
        finally:
            status = await viewer.close()
        return status

    async def _hang_up(self, _: web.Application) -> None:
        """The server ends; the pages will look for the next one."""
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in [*self._looking]))


async def _draw(viewer: Viewer, socket: web.WebSocketResponse) -> None:
    """Until the dashboard has ended. A browser that does not take it holds the dashboard up, and nobody else."""
    with contextlib.suppress(ConnectionError):
        while data := await viewer.read():
            await socket.send_bytes(data)


async def _type(socket: web.WebSocketResponse, viewer: Viewer) -> None:
    """Until the browser has gone."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        match _said(message.data):
            case ["stdin", str(keys)]:
                await viewer.write(keys.encode("utf-8", "replace"))
            case ["resize", {"width": int(columns), "height": int(lines)}]:
                viewer.resize(TerminalSize.within_reason(columns, lines))
            case ["ping", str(data)]:
                await socket.send_json(["pong", data])
            case _:
                pass  # focus and blur, which the terminal says itself where it is asked to


def _said(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 6 else otherwise


def _refused(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=f"{sentence}\n", headers={"Cache-Control": "no-store"})
