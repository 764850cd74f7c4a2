"""What the SEC's forms and the items of an 8-K are called (https://www.sec.gov/forms)."""

from collections.abc import Mapping
from typing import Final

FORMS: Final[Mapping[str, str]] = {
    "3": "initial statement of an insider's holdings",
    "4": "change in an insider's holdings",
    "6-K": "report of a foreign company",
    "8-K": "current report",
    "10-K": "annual report",
    "10-Q": "quarterly report",
    "20-F": "annual report of a foreign company",
    "40-F": "annual report of a Canadian company",
    "DEF 14A": "proxy statement",
    "S-1": "registration of securities",
    "SCHEDULE 13D": "holding above 5 %",
    "SCHEDULE 13G": "passive holding above 5 %",
}
AMENDED: Final = "/A"

ITEMS: Final[Mapping[str, str]] = {
    "1.01": "material agreement entered",
    "1.02": "material agreement ended",
    "1.03": "bankruptcy or receivership",
    "1.04": "mine safety",
    "1.05": "cybersecurity incident",
    "2.01": "acquisition or sale of assets completed",
    "2.02": "results of operations",
    "2.03": "new financial obligation",
    "2.04": "obligation accelerated",
    "2.05": "exit or disposal costs",
    "2.06": "material impairments",
    "3.01": "notice of delisting",
    "3.02": "unregistered sale of shares",
    "3.03": "rights of holders modified",
    "4.01": "change of auditor",
    "4.02": "earlier statements not to be relied on",
    "5.01": "change in control",
    "5.02": "change of directors or officers",
    "5.03": "amended articles or bylaws",
    "5.07": "vote of shareholders",
    "5.08": "nominations of directors",
    "7.01": "Regulation FD disclosure",
    "8.01": "other events",
    "9.01": "financial statements and exhibits",
}


def title_of(form: str, items: str) -> str:
    """A headline such as `8-K, current report: results of operations (2.02)`; `items` are numbers with commas."""
    base = form.removesuffix(AMENDED)
    name = FORMS.get(base, "")
    title = f"{form}, {name}" if name else form
    title += ", amended" if form != base else ""
    words = [f"{ITEMS[item]} ({item})" if item in ITEMS else f"item {item}" for item in _split(items)]
    return f"{title}: {'; '.join(words)}" if words else title


def _split(items: str) -> list[str]:
    return [item for item in map(str.strip, items.split(",")) if item]
