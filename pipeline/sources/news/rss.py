"""RSS and Atom as entries. No I/O: only bytes that our HTTP client has fetched are read."""

import calendar
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.parsers import expat

import feedparser

from pipeline.model.text import clean_html

MAX_BYTES: Final = 1024 * 1024
"""Of one document; a page of twenty headlines has twenty thousand."""
MAX_DEPTH: Final = 32
"""Elements within each other."""
_LONGEST_SUMMARY: Final = 20_000
_TAG: Final = re.compile(r"<[^<>]*>")


class NotAFeedError(ValueError):
    """The bytes are no RSS or Atom; the message says what they are instead. `html` says that it is a web page."""

    def __init__(self, why: str, *, html: bool = False) -> None:
        super().__init__(why)
        self.html = html


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One item as published; a text is "" and a time None where it has none. Texts are plain, the address as sent."""

    id: str
    title: str
    summary: str
    url: str
    publisher: str
    published: datetime | None


def entries(body: bytes) -> Sequence[FeedEntry]:
    """The items of a document, in its order.

    Raises:
        NotAFeedError
    """
    _check(body)
    # Markup is removed here, and every address is used as it is: what the parser would do for a browser is not needed.
    parsed = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    if not parsed.version:
        raise NotAFeedError("it is neither RSS nor Atom")
    return [_entry(item) for item in parsed.entries]


def _check(body: bytes) -> None:
    """See that it is small, well-formed XML without a document type: then nothing in it can be expanded or fetched, and
    the parser never falls back to guessing, which takes minutes for what is hostile."""
    if len(body) > MAX_BYTES:
        raise NotAFeedError(f"it is larger than {MAX_BYTES / 1024**2:g} MiB")
    if re.match(rb"\s*<(?:!doctype\s+html|html)\b", body, re.IGNORECASE):
        raise NotAFeedError("it is a web page", html=True)
    parser = expat.ParserCreate()
    depth = 0

    def start(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise NotAFeedError("its elements are nested too deeply")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> None:
        raise NotAFeedError("it defines a document type, as no feed does")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # an encoding may be impossible, or unknown
        if isinstance(error, NotAFeedError):
            raise
        raise NotAFeedError(f"it is not well-formed XML ({error})") from error


def _entry(item: Any) -> FeedEntry:
    return FeedEntry(
        id=item.get("id", "").strip(),
        title=_plain(item.get("title", "")),
        summary=_plain(item.get("summary", "")),
        url=item.get("link", "").strip(),
        publisher=_plain((item.get("source") or {}).get("title", "")),
        published=_moment(dict.get(item, "published_parsed") or dict.get(item, "updated_parsed")),
    )


def _plain(text: str) -> str:
    """The text without markup."""
    return clean_html(_TAG.sub(" ", text[:_LONGEST_SUMMARY]))


def _moment(utc: time.struct_time | None) -> datetime | None:
    """The time that the parser has read, which it gives in UTC; None for what is in no calendar."""
    try:
        return None if utc is None else datetime.fromtimestamp(calendar.timegm(utc), UTC)
    except (ValueError, OverflowError, OSError):
        return None
