"""Which articles tell the same story: headlines that have most of their words in common. Pure.

The fingerprint of a headline is a MinHash: of sixteen hashes of its words the least each. The part in which two
fingerprints are equal estimates the part of the words that two headlines have in common (their Jaccard index).
A.Z. Broder (1997), "On the resemblance and containment of documents".
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from operator import eq
from struct import Struct
from typing import Final

SAME: Final = 10
"""Hashes of the sixteen that are equal in two headlines of one story: five in eight of their words are the same."""
FIGURE: Final = 3
"""The words that a figure counts as: it tells one result, order or fund from the next."""
APART: Final = timedelta(hours=12)
"""What is told again after that is another story: some headlines come back every day."""
LEAST_WORDS: Final = 3
_BAND: Final = 3
"""Hashes: only fingerprints that have as many of them in common in one place are compared."""
_HASHES: Final = Struct("<16H")
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9.,'&%-]*[a-z0-9%]|[a-z0-9]")
_RULES: Final = (" - ", " – ", " — ", " | ")
"""Between a headline and the name of its outlet."""
_LONGEST_OUTLET: Final = 40
_EDITION: Final = re.compile(r"^(?:(?:update|wrapup|refile|corrected|rpt|breaking)\b[ \d]*[-:]\s*)+")
_GRAMMAR: Final = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "in", "is", "its", "of", "on"),
        *("after", "amid", "over", "says", "that", "the", "to", "was", "will", "with"),
    )
)


def fingerprint(title: str) -> str:
    """The fingerprint of a headline, 64 hexadecimal digits; "" for one of fewer than three words."""
    words = set(_WORD.findall(_EDITION.sub("", _without_outlet(title).lower()))) - _GRAMMAR
    if len(words) < LEAST_WORDS:
        return ""
    figures = [f"{word} {i}" for word in words if word[0].isdigit() for i in range(1, FIGURE)]
    return _HASHES.pack(*map(min, *map(_hashes, (*words, *figures)))).hex()


def _without_outlet(title: str) -> str:
    for rule in _RULES:
        headline, found, outlet = title.rpartition(rule)
        if found and len(outlet) <= _LONGEST_OUTLET and len(headline.split()) > LEAST_WORDS:
            return headline
    return title


def told(items: Sequence[tuple[datetime, str]]) -> list[list[int]]:
    """The stories: of each the places of its items, which are times and fingerprints, the first in time first.

    Which items are of one story depends on the items alone, not on their order. An item without a fingerprint is a
    story of its own.
    """
    kind = _kinds({mark for _, mark in items if mark})
    by_kind: defaultdict[str, list[int]] = defaultdict(list)
    stories: list[list[int]] = []
    for i, (_, mark) in enumerate(items):
        if mark:
            by_kind[kind[mark]].append(i)
        else:
            stories.append([i])
    for places in by_kind.values():
        places.sort(key=lambda i: items[i])
        for i, before in zip(places, (None, *places), strict=False):
            if before is None or items[i][0] - items[before][0] > APART:
                stories.append([])
            stories[-1].append(i)
    return stories


def _kinds(marks: set[str]) -> dict[str, str]:
    """For each fingerprint the least of all that are like it, or like one that is like it."""
    kind = {mark: mark for mark in marks}

    def least(mark: str) -> str:
        while kind[mark] != mark:
            kind[mark] = kind[kind[mark]]
            mark = kind[mark]
        return mark

    hashes = {mark: _HASHES.unpack(bytes.fromhex(mark)) for mark in marks}
    alike: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for mark, own in hashes.items():
        for at in range(0, len(own) - _BAND, _BAND):
            alike[at, *own[at : at + _BAND]].append(mark)
    for candidates in alike.values():
        for one, other in combinations(candidates, 2):
            first, second = least(one), least(other)
            if first != second and sum(map(eq, hashes[one], hashes[other])) >= SAME:
                kind[max(first, second)] = min(first, second)
    return {mark: least(mark) for mark in marks}


@lru_cache(maxsize=1 << 14)
def _hashes(word: str) -> tuple[int, ...]:
    return _HASHES.unpack(blake2b(word.encode(), digest_size=_HASHES.size).digest())
