"""Figures side by side in a sentence: more or less than before, a profit after a loss."""

import re
from typing import Final, NamedTuple

_MEASURE = (
    r"(?P<measure>profits?|loss(?:es)?|earnings|eps|ebit(?:da)?|income|(?:net )?sales|revenues?|turnover|margin|result|"
    r"orders?|order intake|backlog|costs|expenses|debt|cash flow|volumes?|deliveries)"
)
_AMOUNT = (
    r"(?:(?P<currency{n}>eur|euros?|usd|sek|nok|dkk|gbp|inr|rs\.?|chf|jpy|[$€£¥₹])\s?)?(?P<minus{n}>-|minus )?"
    r"(?P<figure{n}>\d[\d,]*(?:\.\d+)?)\s?(?P<unit{n}>mn|million|mln|m|bn|billion|b|k|thousand|crore|%|percent|pct|cents?|c)?(?!\w)"
)
_KIND = r"(?:an? )?(?:pre-?tax |net |operating )*(?P<kind>profit|loss|gain)(?: of)? "
_AGAINST = (
    r"(?:compare[sd] (?:to|with)|in comparison (?:to|with)|versus|vs\.?|against|from|up from|down from|as against|"
    r"(?:while|whereas) (?:it|they|that)? ?was)"
)
_PATTERN: Final = re.compile(
    _MEASURE
    + r"(?P<between>[^.;:?!]{0,60}?)"
    + _AMOUNT.replace("{n}", "1")
    + r"[^;:?!]{0,40}?\b"
    + _AGAINST
    + r"\s+(?:[a-z'-]+ ){0,3}?(?:"
    + _KIND
    + r")?"
    + _AMOUNT.replace("{n}", "2"),
    re.IGNORECASE,
)
_GATE: Final = re.compile(r"compar|\bv(?:ersu)?s\b|against|from|was", re.IGNORECASE)
_SCALE: Final = {
    **dict.fromkeys(("k", "thousand"), 1e3),
    **dict.fromkeys(("mn", "million", "mln", "m"), 1e6),
    **dict.fromkeys(("bn", "billion", "b"), 1e9),
    "crore": 1e7,
}
_BAD: Final = ("loss", "losses", "costs", "expenses", "debt")


class _Amount(NamedTuple):
    value: float
    unit: str


def compared(text: str) -> tuple[str, int] | None:
    """What is compared with before, and whether it is better (1) or worse (-1); None if nothing is."""
    if _GATE.search(text) is None:
        return None
    found = _PATTERN.search(text)
    if found is None:
        return None
    measure = found["measure"].lower()
    kind = (found["kind"] or "").lower()
    lossy = measure.startswith("loss") or "loss" in found["between"].lower()
    if kind == "loss" and not lossy:
        return measure, 1
    if kind in ("profit", "gain") and lossy:
        return measure, -1
    now, before = (_value(found, n) for n in "12")
    if now is None or before is None or now == before:
        return None
    sign = 1 if now > before else -1
    return measure, -sign if lossy or measure in _BAD else sign


def _value(found: re.Match[str], n: str) -> float | None:
    units = [(found[f"unit{k}"] or "").lower() for k in "12"]
    unit = units[int(n) - 1] or units[2 - int(n)]
    if not unit and not found[f"currency{n}"]:
        return None
    value = float(found[f"figure{n}"].replace(",", "")) * _SCALE.get(unit, 1.0)
    return -value if found[f"minus{n}"] else value
