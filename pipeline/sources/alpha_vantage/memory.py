"""What the program has learnt about the plan at Alpha Vantage and keeps from one run to the next; never the key
itself."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from pipeline.sources.alpha_vantage.plan_state import Known
from pipeline.storage.statefile import StateFile

BUDGET_FILE: Final = "alpha_vantage_budget.json"
MEMORY_FILE: Final = "alpha_vantage.json"

PLAN_TRUSTED: Final = timedelta(days=7)
"""How long it is believed that the plan lacks something; plans can be upgraded under the same key."""
SYMBOL_TRUSTED: Final = timedelta(days=1)
"""How long it is believed that there is no such symbol, or that a function refuses it."""


FORMAT: Final = 2


class Facts(Struct):
    """`key` is the fingerprint of the key that all of this is about. Times are seconds since the epoch: when the plan
    was found to lack something, when a symbol was found unknown, when a function refused a symbol, when the plan did
    not give it of one and when it gave data of one (all by `key_of` kind and ticker, a part of an initial load as its
    kind), when the key was refused (0: it was not). `loading` names the parts that unfinished initial loads have handed
    out, by ticker."""

    key: str = ""
    format: int = 1
    known: Known = field(default_factory=Known)
    lacking: dict[str, float] = {}
    unknown: dict[str, float] = {}
    refused: dict[str, float] = {}
    withheld: dict[str, float] = {}
    gave: dict[str, float] = {}
    key_refused: float = 0.0
    loading: dict[str, list[str]] = {}


class PlanMemory:
    """The facts, kept in a file. Facts about another key are dropped, because its plan may differ."""

    def __init__(self, path: Path, key: str) -> None:
        self._file = StateFile(path, Facts)
        facts = self._file.load()
        self.facts = facts if facts is not None and facts.key == key else Facts(key=key, format=FORMAT)
        if self.facts.format < FORMAT:
            _take_over(self.facts)

    def save(self) -> None:
        self._file.save(self.facts)

    def lacking(self, now: datetime) -> set[str]:
        """What the plan does not include, as far as is known."""
        return _fresh(self.facts.lacking, now, PLAN_TRUSTED)

    def unknown(self, now: datetime) -> set[str]:
        """Tickers that are no symbols: nothing of them has ever been answered."""
        return {ticker for ticker in _fresh(self.facts.unknown, now, SYMBOL_TRUSTED) if not self.has_given(ticker)}

    def refused(self, now: datetime) -> set[str]:
        """Where a function knows no such symbol, by `key_of` kind and ticker."""
        return _fresh(self.facts.refused, now, SYMBOL_TRUSTED)

    def left_out(self, now: datetime) -> set[str]:
        """What is not asked of single tickers, by `key_of` kind and ticker: refused, or not in the plan."""
        return self.refused(now) | _fresh(self.facts.withheld, now, SYMBOL_TRUSTED)

    def has_given(self, ticker: str) -> bool:
        """Whether any function has ever given data of the ticker."""
        return any(key.partition(" ")[2] == ticker for key in self.facts.gave)


def _take_over(facts: Facts) -> None:
    """Read what an older version wrote, which did not say what had given data.

    It counted daily bars as asked for when their answer could not be read, and knew a symbol as unknown when one
    function refused it.
    """
    facts.format = FORMAT
    known, gave = facts.known, facts.gave
    for key, at in (
        *known.newest.items(),
        *((key, at) for key, at in known.asked.items() if key.startswith("intraday ")),
    ):
        kind, _, subject = key.partition(" ")
        if kind in ("daily", "intraday", "quote", "news") and not subject.startswith("history "):
            gave.setdefault(key, at)
    for key in [key for key in known.asked if key.startswith("daily ") and key not in gave]:
        del known.asked[key]
        known.asked.pop(f"full history {key.removeprefix('daily ')}", None)


def fingerprint(api_key: str) -> str:
    """A fingerprint that identifies a key and reveals nothing else about it."""
    return hashlib.blake2b(api_key.encode(), digest_size=6, person=b"fintrends").hexdigest()


def _fresh(times: dict[str, float], now: datetime, trusted: timedelta) -> set[str]:
    return {name for name, at in times.items() if abs(now.timestamp() - at) < trusted.total_seconds()}
