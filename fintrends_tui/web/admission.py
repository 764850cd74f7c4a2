"""Who may come in: a token, and requests that come from our own page. Pure."""

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32,128}")
_BASE_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class AdmissionError(ValueError):
    """What was asked for cannot be; the message is a sentence for the user."""


@dataclass(frozen=True)
class Admission:
    """`origins` are further addresses that the page is served under, by a proxy; each as a browser writes it."""

    token: str
    origins: frozenset[str] = frozenset()

    @property
    def pass_(self) -> str:
        """What the cookie holds: it follows from the token, so that it outlives the server, and does not tell it."""
        return hmac.new(self.token.encode(), b"fintrends-tui web cookie", hashlib.sha256).hexdigest()

    def knows_token(self, given: str) -> bool:
        return _same(given, self.token)

    def knows_pass(self, given: str) -> bool:
        return _same(given, self.pass_)

    def is_our_host(self, host: str) -> bool:
        """Whether the `Host` of a request is one of ours. A name that anybody can point to this machine is not: a page
        under it would share our origin (DNS rebinding)."""
        return host.lower() in {urlsplit(origin).netloc for origin in self.origins} or _is_literal(host)

    def is_our_origin(self, origin: str | None, host: str) -> bool:
        """Whether a page of that `Origin` is the one we have served to that `Host`."""
        if origin is None:
            return False
        return origin.lower() in self.origins or (_is_literal(host) and origin.lower() == f"http://{host.lower()}")


def checked_origin(text: str) -> str:
    """An origin as a browser writes it: scheme, host, and the port if it is not the usual one.

    Raises:
        AdmissionError: if it is none.
    """
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise AdmissionError(f"{text!r} is no origin; write scheme and host, such as https://dash.example.com")
    if parts.path not in ("", "/"):
        raise AdmissionError(f"{text!r} has a path; name it with --base-path {parts.path}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if usual else f"{parts.scheme}://{host}:{port}"


def checked_base_path(text: str) -> str:
    """The path that the page is under, without a slash at its end; "" is the root.

    Raises:
        AdmissionError: if it is none.
    """
    path = "/" + text.strip("/") if text.strip("/") else ""
    if not _BASE_PATH.fullmatch(path) or {".", ".."} & {*path.split("/")}:
        raise AdmissionError(f"{text!r} is no base path; write letters, digits, - . _ ~ and /, such as /fintrends")
    return path


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Raises:
        AdmissionError: if it is none.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise AdmissionError(f"{host!r} is no address; write one such as 127.0.0.1, or ::1") from None


def _is_literal(host: str) -> bool:
    """An address, which no name server answers for, or localhost, which none does either; with or without a port."""
    name = re.sub(r":\d{1,5}\Z", "", host)
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())
