"""Who may come in."""

import pytest

from fintrends_tui.web.admission import Admission, AdmissionError, checked_base_path, checked_origin, is_loopback

PROXIED = Admission("t" * 43, frozenset({"https://dash.example.com"}))
OURS = Admission("t" * 43)


def test_token_and_cookie_are_two_secrets() -> None:
    assert OURS.knows_token("t" * 43)
    assert OURS.knows_pass(OURS.pass_)
    assert not OURS.knows_token(OURS.pass_)
    assert not OURS.knows_pass(OURS.token)
    assert OURS.pass_ != Admission("u" * 43).pass_


@pytest.mark.parametrize("given", ["", "t", "t" * 42, "t" * 44, "é" * 43, "\udcff", "T" * 43])
def test_what_is_not_the_token_is_not_let_in(given: str) -> None:
    assert not OURS.knows_token(given)
    assert not OURS.knows_pass(given)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8642", "localhost:8642", "LOCALHOST", "[::1]:8642", "[::1]", "192.168.1.7"]
)
def test_an_address_is_our_host(host: str) -> None:
    assert OURS.is_our_host(host)
    assert OURS.is_our_origin(f"http://{host}", host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8642", "127.0.0.1.evil.example", "localhost.evil.example", "dash.example.com"],
)
def test_a_name_is_not_for_anybody_can_point_it_here(host: str) -> None:
    assert not OURS.is_our_host(host)
    assert not OURS.is_our_origin(f"http://{host}", host)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1:8643",
        "https://127.0.0.1:8642",
        "http://localhost:8642",
    ],
)
def test_a_page_of_another_origin_gets_no_socket(origin: str | None) -> None:
    assert not OURS.is_our_origin(origin, "127.0.0.1:8642")


def test_a_proxy_is_ours_once_it_is_named() -> None:
    assert PROXIED.is_our_host("dash.example.com")
    assert PROXIED.is_our_origin("https://dash.example.com", "dash.example.com")
    assert not PROXIED.is_our_origin("http://dash.example.com", "dash.example.com")
    assert not PROXIED.is_our_origin("https://dash.example.com.evil.example", "dash.example.com")
    assert PROXIED.is_our_host("127.0.0.1:8642")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Dash.example.com", "https://dash.example.com"),
        ("https://dash.example.com:443/", "https://dash.example.com"),
        ("http://dash.example.com:8080", "http://dash.example.com:8080"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_an_origin_is_what_a_browser_sends(text: str, origin: str) -> None:
    assert checked_origin(text) == origin


@pytest.mark.parametrize(
    "text", ["", "dash.example.com", "ftp://x", "https://", "https://x:y", "https://u@x", "https://x?y"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(AdmissionError, match=r"write scheme and host"):
        checked_origin(text)


def test_an_origin_with_a_path_is_told_where_that_goes() -> None:
    with pytest.raises(AdmissionError, match="--base-path /markets"):
        checked_origin("https://x/markets")


def test_base_paths() -> None:
    assert [checked_base_path(text) for text in ("", "/", "x", "/x/", "/a/b-c")] == ["", "", "/x", "/x", "/a/b-c"]
    for text in ("/a//b", "/a/../b", "/ä", '/"><script>', "/{name}", "/a b"):
        with pytest.raises(AdmissionError):
            checked_base_path(text)


def test_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.7")] == [False] * 3  # noqa: S104
    with pytest.raises(AdmissionError):
        is_loopback("example.com")
