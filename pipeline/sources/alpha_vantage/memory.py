"""What is remembered of Alpha Vantage from one run to the next; never the key itself."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from pipeline.sources.situation import Known
from pipeline.statefile import StateFile

BUDGET_FILE: Final = "alpha_vantage_budget.json"
MEMORY_FILE: Final = "alpha_vantage.json"

PLAN_TRUSTED: Final = timedelta(days=7)
"""How long it is believed that the plan lacks something; plans can be upgraded under the same key."""
SYMBOL_TRUSTED: Final = timedelta(days=1)
"""How long it is believed that there is no such symbol."""


class Facts(Struct):
    """`key` is the fingerprint of the key that all of this is about. Times are seconds since the epoch: when the plan
    was found to lack something, when a symbol was found unknown, when the key was refused (0: it was not). `loading`
    names the parts that unfinished initial loads have handed out, by ticker."""

    key: str = ""
    known: Known = field(default_factory=Known)
    lacking: dict[str, float] = {}
    unknown: dict[str, float] = {}
    key_refused: float = 0.0
    loading: dict[str, list[str]] = {}


class Memory:
    """The facts, kept in a file. Those about another key are forgotten, for its plan may be another."""

    def __init__(self, path: Path, key: str) -> None:
        self._file = StateFile(path, Facts)
        facts = self._file.load()
        self.facts = facts if facts is not None and facts.key == key else Facts(key=key)

    def save(self) -> None:
        self._file.save(self.facts)

    def lacking(self, now: datetime) -> set[str]:
        """What the plan does not include, as far as is known."""
        return _fresh(self.facts.lacking, now, PLAN_TRUSTED)

    def unknown(self, now: datetime) -> set[str]:
        """Tickers that are no symbols."""
        return _fresh(self.facts.unknown, now, SYMBOL_TRUSTED)


def fingerprint(api_key: str) -> str:
    """Tells keys apart and tells nothing else about them."""
    return hashlib.blake2b(api_key.encode(), digest_size=6, person=b"fintrends").hexdigest()


def _fresh(times: dict[str, float], now: datetime, trusted: timedelta) -> set[str]:
    return {name for name, at in times.items() if abs(now.timestamp() - at) < trusted.total_seconds()}
