"""What all news have in common: how they are polled for, and what an article must have."""

import hashlib
import re
from datetime import datetime
from typing import Any, Final

import msgspec

from pipeline.model.messages import Article
from pipeline.sources.base import Source, SourceContext
from pipeline.sources.polling.feed import PolledSource
from pipeline.sources.polling.items import ItemProvider
from pipeline.sources.polling.round_robin import RoundRobin
from pipeline.sources.polling.seen import SeenRecently

_LONGEST_ID: Final = 256
_ADDRESS: Final = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)


def polled(context: SourceContext, provider: ItemProvider, spacing: float) -> Source:
    """The source that asks the provider for each ticker as often as `schedule.news` says, at least `spacing` seconds
    apart."""
    seen = SeenRecently(context.space / f"{provider.name}.json")
    round_robin = RoundRobin(context.settings.schedule.news, spacing)
    return PolledSource(provider, seen, context.clock, round_robin, "news")


def article(ts: datetime | None, id_: str, title: str, url: str, **fields: Any) -> Article:
    """The article.

    Raises:
        ValueError: if it has no time, no title, or no address on the web.
    """
    if ts is None:
        raise ValueError("it has no time that can be read")
    if not title:
        raise ValueError("it has no title")
    if not _ADDRESS.fullmatch(url):
        raise ValueError("it has no address on the web")
    shared = {"type": "article", "ts": ts, "id": _short(id_ or url), "title": title, "url": url}
    return msgspec.convert(shared | fields, Article)  # only that checks the ranges


def _short(id_: str) -> str:
    """The identifier, or a digest where that is too long: cut, two of them might be one."""
    return id_ if len(id_) <= _LONGEST_ID else hashlib.blake2b(id_.encode(), digest_size=16).hexdigest()
