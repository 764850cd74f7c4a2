"""Addresses: taken as they are meant, or refused with what is wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.system.addresses import (
    check_bootstrap,
    check_host,
    check_mongodb_uri,
    check_stream_url,
    check_url,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:9092",
        "one:9092,two:9093",
        " one:9092 , two:9092,",
        "10.0.0.1:1",
        "[::1]:9092",
        "[2001:db8::7]:65535,b:1",
        "a_b.c-d.example.:9092",
        "one:9092,one:9092",
    ],
)
def test_lists_of_brokers(text: str) -> None:
    check_bootstrap(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("localhost:99999", "from 1 to 65535"),
        ("localhost:0", "from 1 to 65535"),
        ("localhost:-1", "from 1 to 65535"),
        ("localhost:９０９２", "from 1 to 65535"),
        ("localhost", "has no port; write localhost:PORT"),
        ("localhost:", "has no port"),
        ("[::1]", r"write \[::1\]:PORT"),
        ("::1:9092", "stands in brackets"),
        ("[::1:9092", r"\[::1\]:9092"),
        ("[::g]:9092", "not an IPv6 address"),
        (":9092", "not a host"),
        ("a b:9092", "separate several by commas"),
        ("a:9092;b:9092", "separate several by commas"),
        ("a:9092\nb:9092", "separate several by commas"),
        ("kafka://a:9092", "no kafka:// before it"),
        ("http://a:9092", "no http:// before it"),
        ("SASL_SSL://a:9092", "before it"),
        ("me:S3CR3T@a:9092", "names no user"),
        ("300.1.1.1:9092", "not an IP address"),
        ("-a:9092", "not a host"),
        (",", "no address in it"),
        ("ok:9092,bad", "'bad' has no port"),
    ],
)
def test_what_is_wrong_with_one_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        check_bootstrap(text)
    assert "S3CR3T" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "mongodb://host",
        "mongodb://host:27017/db?replicaSet=rs0&tls=true",
        "mongodb://me:p%40ss@a:1,b:2,[::1]:3/?authSource=admin",
        "mongodb+srv://me:pw@cluster0.abc.mongodb.net/?retryWrites=true&w=majority",
        "mongodb://%2Ftmp%2Fmongodb-27017.sock",
    ],
)
def test_uris_of_mongodb(uri: str) -> None:
    check_mongodb_uri(uri)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("me:S3CR3T@host", "must begin with mongodb://"),
        ("http://host", "must begin with mongodb://"),
        ("mongodb://", "names no host"),
        ("mongodb://me:S3CR3T@", "names no host"),
        ("mongodb://me:S3/CR3T@host", "percent-encoded"),
        ("mongodb://me:S3CR3T@x@host", "percent-encoded"),
        ("mongodb://me:S3CR3T%@host", "percent-encoded"),
        ("mongodb://me:S3:CR3T@host", "percent-encoded"),
        ("mongodb://:S3CR3T@host", "no user name"),
        ("mongodb://host:99999/", "from 1 to 65535"),
        ("mongodb://host:/", "has no port"),
        ("mongodb://a,,b/", "not a host"),
        ("mongodb://::1/", "in brackets"),
        ("mongodb://host/?tls", "options such as tls=true"),
        ("mongodb+srv://a,b/", "one host, without a port"),
        ("mongodb+srv://a:27017/", "one host, without a port"),
    ],
)
def test_what_is_wrong_with_a_uri_is_said_without_its_password(uri: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        check_mongodb_uri(uri)
    assert "S3" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:8000", "https://a.b/c", "http://[::1]:80/x", "https://me:pw@host"])
def test_urls(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url", ["", "host", "ftp://host", "http://", "http://a:99999", "http://a b", "http://a/", "http://a?b", "http://ä"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|port"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "wss://streamer.finance.yahoo.com/?version=2", "ws://127.0.0.1:8000", "wss://host/v2/iex", "ws://[::1]:80/"],
)
def test_urls_of_streams(url: str) -> None:
    check_stream_url(url)


@pytest.mark.parametrize(
    "url",
    ["host", "https://host", "wss://", "ws://a:99999", "ws://a b", "ws://a#b", "ws://ä", "WSS://host", "wss:///x"],
)
def test_what_is_no_url_of_a_stream_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|port"):
        check_stream_url(url)


@given(st.text() | st.from_regex(r"(mongodb(\+srv)?://)?[a-z:@\[\]/?&=%,.0-9]*"))
def test_any_text_is_taken_or_refused(text: str) -> None:
    for check in (check_bootstrap, check_mongodb_uri, check_host, check_url, check_stream_url):
        with contextlib.suppress(ValueError):
            check(text)
