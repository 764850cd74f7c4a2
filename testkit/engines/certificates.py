"""Certificates signed by an authority of our own, as PEM files."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
"""From when to when an expired certificate was valid."""


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate, of its key (PKCS#8, without a passphrase), and of both in one."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """One that nobody else trusts. `ca` is the file of its own certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = count(1)
        self._authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self._authority.cert_pem.bytes())

    def issue(self, *hosts: str, user: str | None = None, expired: bool = False) -> Certificate:
        """A certificate for these names and addresses, or of a user (its common name)."""
        since, until = LONG_AGO if expired else (None, None)
        names = hosts or (f"{user}.example",)  # Java refuses a certificate without any
        issued = self._authority.issue_cert(*names, common_name=user, not_before=since, not_after=until)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        # trustme writes the traditional form of keys, which Java does not read.
        key = load_pem_private_key(issued.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        name = f"{next(self._numbers)}"
        files = [self._folder / f"{name}.{ending}" for ending in ("crt", "key", "pem")]
        for file, content in zip(files, (chain, key, key + chain), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(content)
        return Certificate(*files)
