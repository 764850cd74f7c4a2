"""Versions of documents as bytes: half as long as their texts."""

from typing import Final

from pipeline.model.bar_table import RANK_BYTES
from pipeline.model.messages import Bar, bar_rank

_LINEAGE: Final = 41
_LINEAGE_BYTES: Final = 20


def packed(version: str) -> bytes | str:
    """The version as it is stored: a lineage in 20 bytes, what else is hexadecimal in half its length, other texts as
    they are. That 20 bytes are a lineage is known to the statements of `pipeline.store.embedded.tables`."""
    is_lineage = len(version) == _LINEAGE and version[8] == "-"
    digits = version[:8] + version[9:] if is_lineage else version
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        return version
    whole = found.hex() == digits  # it takes upper case and spaces too
    return found if whole and is_lineage == (len(found) == _LINEAGE_BYTES) else version


def unpacked(stored: bytes | str) -> str:
    """The inverse of `packed`."""
    if isinstance(stored, str):
        return stored
    text = stored.hex()
    return f"{text[:8]}-{text[8:]}" if len(stored) == _LINEAGE_BYTES else text


def packed_rank(bar: Bar) -> bytes:
    """The version of a bar, which is its rank, as `packed` has it."""
    return bar_rank(bar).to_bytes(RANK_BYTES)
