"""Addresses in settings: whether one is valid, and a sentence on what is wrong if not. Pure."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII)
_LONGEST_NAME: Final = 253
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+._-]*://")
_ESCAPES: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
MONGODB_SCHEMES: Final = ("mongodb://", "mongodb+srv://")
_MONGODB_FORM: Final = "mongodb://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/DATABASE][?OPTION=VALUE&…]"
MONGODB_FILES: Final = ("tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile")
"""Options of a URI that name files."""


def check_bootstrap(text: str) -> None:
    """HOST:PORT, by commas; empty for none.

    Raises:
        ValueError: see the module.
    """
    if not text:
        return
    servers = [server.strip() for server in text.split(",") if server.strip()]
    if not servers:
        raise ValueError("there is no address in it; write HOST:PORT[,HOST:PORT…]")
    for server in servers:
        if scheme := _SCHEME.match(server):
            raise ValueError(f"an address here has no {scheme[0]} before it; write HOST:PORT[,HOST:PORT…]")
        if "@" in server:  # of which a part may be a password
            raise ValueError("an address here names no user; see kafka.sasl_username, and write HOST:PORT[,HOST:PORT…]")
        if re.search(r"[\s;]", server):
            raise ValueError(f"{server!r} is not an address; separate several by commas: HOST:PORT,HOST:PORT")
        check_host_and_port(server, port_needed=True)


def check_host_and_port(text: str, *, port_needed: bool) -> None:
    """HOST:PORT, or HOST where that will do; IPv6 in brackets.

    Raises:
        ValueError: see the module.
    """
    host, port = _split(text)
    check_host(host)
    if port:
        check_port(port, text)
    elif port_needed or text.endswith(":"):
        shown = f"[{host}]" if ":" in host else host
        raise ValueError(f"{text!r} has no port; write {shown}:PORT")


def check_host(host: str) -> None:
    """A name or an IP address, without brackets.

    Raises:
        ValueError: see the module.
    """
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{host!r} is not an IPv6 address") from None
    elif not host or len(host) > _LONGEST_NAME or not _NAME.fullmatch(host):
        raise ValueError(f"{host!r} is not a host: write a name such as broker-1.example.com, or an IP address")
    elif re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f"{host!r} is not an IP address") from None


def check_port(port: str, whole: str) -> None:
    """A number from 1 to 65535.

    Raises:
        ValueError: see the module.
    """
    if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
        raise ValueError(f"{whole!r}: {port!r} is not a port; a port is a number from 1 to 65535")


def check_url(text: str) -> None:
    """http://HOST[:PORT][/PATH], or https.

    Raises:
        ValueError: see the module.
    """
    if not text.startswith(("http://", "https://")):
        raise ValueError("a URL must begin with http:// or https://")
    if not text.isascii() or re.search(r"[\s?#]", text) or text.endswith("/"):
        raise ValueError("a URL here is written in ASCII, and has no blank, no ? or #, and no / at its end")
    check_host_and_port(_place(text), port_needed=False)


def check_stream_url(text: str) -> None:
    """wss://HOST[:PORT][/PATH][?QUERY], or ws; empty for none.

    Raises:
        ValueError: see the module.
    """
    if not text:
        return
    if not text.startswith(("ws://", "wss://")):
        raise ValueError("the URL of a stream must begin with ws:// or wss://")
    if not text.isascii() or re.search(r"[\s#]", text):
        raise ValueError("the URL of a stream is written in ASCII, and has no blank and no #")
    check_host_and_port(_place(text), port_needed=False)


def check_mongodb_uri(text: str) -> None:
    """As the driver reads it, as far as possible without it; empty for none. No message holds a part of a password.

    Raises:
        ValueError: see the module.
    """
    if not text:
        return
    scheme = next((scheme for scheme in MONGODB_SCHEMES if text.startswith(scheme)), None)
    if scheme is None:
        raise ValueError("a URI of MongoDB must begin with mongodb:// or mongodb+srv://")
    rest = text.removeprefix(scheme)
    user, at, place = rest.rpartition("@")
    if at and (re.search(r"[/?#\[\]@\s]", user) or user.count(":") > 1 or _ESCAPES.search(user)):
        raise ValueError("user name and password must be percent-encoded (@ is %40, : is %3A, / is %2F, % is %25)")
    if at and not user.partition(":")[0]:
        raise ValueError(f"there is no user name before the @; write {_MONGODB_FORM}")
    hosts = re.split(r"[/?]", place, maxsplit=1)[0]
    if not hosts:
        raise ValueError(f"it names no host; write {_MONGODB_FORM}")
    servers = hosts.split(",")
    if scheme == MONGODB_SCHEMES[1] and (len(servers) > 1 or _split(servers[0])[1]):
        raise ValueError("after mongodb+srv:// stands one host, without a port")
    for server in servers:
        if unquote(server).startswith("/") and server.endswith(".sock"):
            continue  # a socket in the file system
        check_host_and_port(server, port_needed=False)
    for name, value in mongodb_options(text):
        if not name or not value:
            raise ValueError(f"what follows ? are options such as tls=true, joined by &; write {_MONGODB_FORM}")


def mongodb_options(uri: str) -> Iterator[tuple[str, str]]:
    """Names and values of the options in a URI, decoded; the value of one without = is empty."""
    place = uri.partition("://")[2].rpartition("@")[2]
    for option in re.split(r"[&;]", place.partition("?")[2]):
        if option:
            name, _, value = option.partition("=")
            yield name, unquote(value)


def _place(url: str) -> str:
    """Host and port of a URL as they stand there, without the user."""
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]


def _split(text: str) -> tuple[str, str]:
    """Host and port; the port is empty where there is none.

    Raises:
        ValueError: see the module.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not an address; IPv6 is written [::1]:9092")
        return host, rest[1:]
    if text.count(":") > 1:
        raise ValueError(f"{text!r} is not an address; an IPv6 address stands in brackets, such as [::1]:9092")
    host, _, port = text.partition(":")
    return host, port
