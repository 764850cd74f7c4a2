"""Web addresses from outside, and whether there is a browser here to open them with."""

import os
import subprocess
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit


def web_address(text: str) -> str | None:
    """The address if it is one of the web (http, https) and nothing else; what others call an address may be anything,
    such as a path or a command."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return text if known and text.isprintable() and " " not in text else None


def has_browser(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a browser would open where its user is: not over ssh, and not without a desktop, where Python would start
    one that takes the terminal. `platform` is that of `sys`."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    return platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_in_browser(address: str) -> bool:
    """Open it where the user is; False where there is no browser.

    In a process of its own whose output goes nowhere: what browsers write would stand on the screen.
    """
    if not has_browser(os.environ, sys.platform):
        return False
    nowhere = subprocess.DEVNULL
    command = [sys.executable, "-m", "webbrowser", address]
    subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)  # noqa: S603
    return True
