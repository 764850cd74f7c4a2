"""RSS and Atom: what is read of it, and that what is hostile does no harm."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.news.rss import MAX_BYTES, MAX_DEPTH, FeedEntry, NotAFeedError, entries
from testkit.data import RECORDED, require

RECORDINGS = RECORDED / "providers" / "rss"
LATIN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><id>x</id>
<entry><id>urn:1</id><title>Société Générale &amp; Co</title><updated>2026-01-29T16:30:40-05:00</updated>
<link href="https://www.example.com/1" rel="alternate"/></entry></feed>"""
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]><rss version='2.0'><channel><item><title>&lol9;</title></item></channel></rss>"
)
FILE = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<rss version='2.0'><channel><item><title>&x;</title></item></channel></rss>"
)


def rss(*items: str) -> bytes:
    found = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{found}</channel></rss>'.encode()


def test_an_item_is_plain_text_with_a_time_of_utc() -> None:
    (entry,) = entries(
        rss(
            "<guid>g-1</guid><title>Up &amp;amp; &lt;b&gt;away&lt;/b&gt;</title><link>https://example.com/a?b=1&amp;c=2</link>"
            "<description>One &lt;a href='x'&gt;two&lt;/a&gt;</description>"
            "<pubDate>Fri, 03 Jul 2026 08:00:00 -0400</pubDate><source url='https://e.com'>The Outlet</source>"
        )
    )
    assert (entry.id, entry.title, entry.summary) == ("g-1", "Up & away", "One two")
    assert (entry.url, entry.publisher) == ("https://example.com/a?b=1&c=2", "The Outlet")
    assert entry.published == datetime(2026, 7, 3, 12, tzinfo=UTC)


def test_what_is_missing_is_empty() -> None:
    (entry,) = entries(rss("<title/><pubDate>yesterday</pubDate>"))
    assert (entry.id, entry.title, entry.url, entry.publisher, entry.published) == ("", "", "", "", None)


def test_latin_letters_of_an_atom_feed_are_read_as_it_says() -> None:
    (entry,) = entries(LATIN.encode("latin-1"))
    assert entry.title == "Société Générale & Co"
    assert entry.published == datetime(2026, 1, 29, 21, 30, 40, tzinfo=UTC)


def test_the_recorded_feeds_are_read() -> None:
    yahoo = entries(require(RECORDINGS / "yahoo-headline-AAPL.made.xml").read_bytes())
    assert [entry.title for entry in yahoo] == [
        "Example: Apple rises after results & guidance",
        "Example with an empty description",
    ]
    assert yahoo[0].summary == "Example summary with an & and markup ." and yahoo[1].summary == ""
    (google,) = entries(require(RECORDINGS / "google-news-AAPL.made.xml").read_bytes())
    assert google.publisher == "Example Outlet"
    (filing,) = entries(require(RECORDINGS / "sec-8k-AAPL.made.atom.xml").read_bytes())
    assert filing.title == "8-K - Current report"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BOMB.encode(), "defines a document type"),
        (FILE.encode(), "defines a document type"),
        (b"<rss><channel>" + b"<a>" * MAX_DEPTH, "nested too deeply"),
        (rss("<title>" + "A" * MAX_BYTES + "</title>"), "larger than 1 MiB"),
        (rss("<title>x</title>")[:-20], "not well-formed XML"),
        (b"<rss version='2.0'>" + b"&lt" * 1000, "not well-formed XML"),
        (b"", "not well-formed XML"),
        (b'{"a": 1}', "not well-formed XML"),
        (b"Too Many Requests\r\n", "not well-formed XML"),
        (b"/etc/passwd", "not well-formed XML"),
        (b"http://127.0.0.1/feed", "not well-formed XML"),
        (b"\xff\xfe\x00", "not well-formed XML"),
        (b"<?xml version='1.0' encoding='no-such'?><rss/>", "not well-formed XML"),
        (b"<?xml version='1.0'?><svg/>", "neither RSS nor Atom"),
        (b"\n<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", "it is a web page"),
        (b"<HTML><body>", "it is a web page"),
    ],
)
def test_what_is_no_feed_says_what_it_is(body: bytes, words: str) -> None:
    with pytest.raises(NotAFeedError, match=words):
        entries(body)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: rss(f"<title>{text}</title>")))
def test_nothing_else_comes_of_any_bytes(body: bytes) -> None:
    with suppress(NotAFeedError):
        assert all(isinstance(entry, FeedEntry) for entry in entries(body))
