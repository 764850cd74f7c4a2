"""Recorded posts as their platforms answer with them."""

import asyncio
import json
from typing import Any

from testkit.data import RECORDED, require
from testkit.http_server import Behaviour, Request, answer

STOCKTWITS = RECORDED / "stocktwits"
CLOUDFLARE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
REDDIT = RECORDED / "reddit" / "TestSubreddit.test_search.json"


def messages(name: str = "all") -> list[dict[str, Any]]:
    """The messages of a recording of StockTwits, newest first."""
    recorded: list[dict[str, Any]] = json.loads(require(STOCKTWITS / f"symbol-msgs-{name}.json").read_text())
    return recorded


def stream(found: list[Any], *, more: bool = False, status: int = 200) -> bytes:
    """The envelope of StockTwits around messages."""
    ids = [message["id"] for message in found if isinstance(message, dict) and isinstance(message.get("id"), int)]
    cursor = {"more": more, "since": max(ids, default=None), "max": min(ids, default=None)}
    return json.dumps({"response": {"status": status}, "cursor": cursor, "messages": found}).encode()


def paged(found: list[dict[str, Any]], size: int) -> Behaviour:
    """As StockTwits pages: so many at once, older ones by `max`."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        below = [message for message in found if message["id"] < int(request.params.get("max", 1 << 62))]
        await answer(stream(below[:size], more=len(below) > size))(request, writer)

    return behave


def listing() -> dict[str, Any]:
    """The recorded search of Reddit; the words searched for were praw, oauth, search."""
    interactions = json.loads(require(REDDIT).read_text())["interactions"]
    recorded: dict[str, Any] = json.loads(interactions[1]["response"]["body"]["string"])
    return recorded
