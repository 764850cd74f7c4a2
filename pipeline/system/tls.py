"""The files of a TLS connection: read as the connection will read them, and named where they cannot be used; and what
it means that none can be made."""

import errno
import os
import ssl
from pathlib import Path

_ENCRYPTED = "the key is encrypted; write it without a passphrase (`openssl pkey -in KEY -out PLAIN`), chmod 600"


def context(cafile: str = "", certfile: str = "", keyfile: str = "") -> ssl.SSLContext:
    """A client's context; an empty name is not a file.

    Raises:
        OSError: if a file cannot be read (`ssl.SSLError` is one).
        ValueError: if the key is encrypted.
    """
    made = ssl.create_default_context(cafile=cafile or None)
    if certfile:
        made.load_cert_chain(certfile, keyfile or None, password=_no_passphrase)
    return made


def check_files(cafile: str, certfile: str, keyfile: str, names: tuple[str, str, str]) -> None:
    """Try the files; `names` are what the settings call each.

    Raises:
        ValueError: with name, path and what is wrong.
    """
    for name, path in zip(names, (cafile, certfile, keyfile), strict=True):
        if path:
            _check_readable(name, path)
    of_ca, of_certificate, of_key = names
    if keyfile and not certfile:
        raise ValueError(f"{of_key} is set without {of_certificate}; a key needs its certificate")
    if cafile:
        try:
            context(cafile)
        except (OSError, ValueError) as error:
            raise ValueError(f"{of_ca} {cafile} holds no certificate in PEM form ({_reason(error)})") from error
    if certfile:
        _check_pair(certfile, keyfile, of_certificate, of_key)


def why_refused(words: str, cafile: str, certfile: str) -> str | None:
    """What OpenSSL's words for a failed handshake mean and what to do about it; None where certificates have no part.

    By its words, which are all that drivers hand on. The names are those of the settings.
    """
    if "certificate verify failed" in words:
        match words.partition("certificate verify failed")[2]:
            case why if "not yet valid" in why:
                return "its certificate is not valid yet; check the clocks of both machines"
            case why if "expired" in why:
                return "its certificate has expired; have it renewed"
            case why if "mismatch" in why:
                return "its certificate is for another host; connect by a name or address that is in the certificate"
            case why if "issuer" in why or "self-signed" in why or "self signed" in why:
                return f"its certificate is signed by an authority that is not trusted here; name that in {cafile}"
            case _:
                return f"its certificate is not trusted; check {cafile} and the host name"
    if "alert" in words.lower() and ("certificate" in words.lower() or "unknown ca" in words):
        return (
            f"it refuses our certificate, or misses one; check {certfile}: that it has not expired, and who signed it"
        )
    return None


def _check_pair(certfile: str, keyfile: str, of_certificate: str, of_key: str) -> None:
    try:
        ssl.create_default_context(cafile=certfile)
    except (OSError, ValueError) as error:
        raise ValueError(f"{of_certificate} {certfile} holds no certificate in PEM form ({_reason(error)})") from error
    where = f"{of_key} {keyfile}" if keyfile else f"{of_certificate} {certfile}"
    try:
        context(certfile=certfile, keyfile=keyfile)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"{where} is not the key of the certificate {certfile}") from error
        raise ValueError(f"{where} holds no private key in PEM form ({_reason(error)})") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _check_readable(name: str, path: str) -> None:
    try:
        if Path(path).is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ValueError(f"{name} {path} cannot be read: {error.strerror}") from error


def _no_passphrase() -> str:
    """Instead of OpenSSL's own question on the terminal."""
    raise ValueError(_ENCRYPTED)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error).lower().replace("_", " ")
