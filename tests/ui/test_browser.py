"""Which addresses may be opened, and where there is a browser."""

import pytest

from fintrends_tui.terminal.browser import has_browser, web_address


@pytest.mark.parametrize("address", ["https://news.example/a?b=c#d", "http://[::1]/", "HTTPS://News.example"])
def test_an_address_of_the_web(address: str) -> None:
    assert web_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "news.example/a",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:///path",
        "https://[bad/",
        "https://news.example/a b",
        "https://news.example/\x1b[2J",
        "-https://news.example",
    ],
)
def test_anything_else_is_none(address: str) -> None:
    assert web_address(address) is None


@pytest.mark.parametrize(
    ("environ", "platform", "there"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "linux", False),
        ({}, "darwin", True),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "linux", False),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", False),
    ],
)
def test_a_browser_is_where_its_user_is(environ: dict[str, str], platform: str, there: bool) -> None:
    assert has_browser(environ, platform) is there
