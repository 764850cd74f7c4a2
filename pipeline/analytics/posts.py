"""Weighs the words of posts: VADER's rules, emoji by what traders mean by them, who is hurt, and what is only asked."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from pipeline.analytics.vader import Analyzer, Weighed, without_questions
from pipeline.analytics.wordlists import read_classes

HURT: Final = 2.2
"""What it says of the price that those are hurt who are on one side of it."""
TAKEN: Final = 1.6
_REACH: Final = 5
"""Words between those that belong together."""
_ASKS: Final = re.compile(
    r"^\W*(?:\$\S+\W+)*(?:any(?:one|body)?|are|can|could|did|do|does|good|has|have|how (?:do|long|low|high|much|many)|"
    r"is|should|thoughts|time|too late|was|were|what(?:'s)?|when|where|which|who(?:'s)?|will|would)\b",
    re.IGNORECASE,
)
"""How a question begins that wants an answer; others say what they ask ("why is this down?")."""
_MODIFIERS: Final = (0xFE0F, *range(0x1F3FB, 0x1F400))
"""Characters that choose how the emoji before them looks."""


class PostAnalyzer(Analyzer):
    """VADER for posts, with `valences` of words and emoji merged in; other emoji say nothing."""

    def __init__(self, valences: Mapping[str, float]) -> None:
        super().__init__(valences)
        classes = read_classes("posts.txt")
        self._short, self._long, self._dip = classes["short"], classes["long"], classes["dip"]
        self._hurt, self._taking = classes["hurt"], classes["taking"]
        self._subjects = self._short | self._long | self._dip
        unknown = {ord(symbol): " " for symbol in self.emojis if len(symbol) == 1}
        known = {ord(symbol): f" {symbol} " for symbol in valences if len(symbol) == 1 and not symbol.isascii()}
        self._spaced = unknown | known | dict.fromkeys(_MODIFIERS)

    def weigh(self, text: str) -> tuple[float, list[Weighed]]:
        return super().weigh(without_questions(text, _ASKS))

    def _without_emoji(self, text: str) -> str:
        return text if text.isascii() else text.translate(self._spaced)

    def _revalue(self, terms: list[str], valences: list[float]) -> None:
        if self._subjects.isdisjoint(terms):
            return
        for i, term in enumerate(terms):
            if term in self._dip:
                if _near(terms, i, self._taking):
                    valences[i] = TAKEN
            elif term in self._subjects and (pains := _near(terms, i, self._hurt)):
                valences[i] = HURT if term in self._short else -HURT
                for j in pains:
                    valences[j] = 0.0


def _near(terms: list[str], i: int, words: Collection[str]) -> list[int]:
    return [j for j in range(max(0, i - _REACH), min(len(terms), i + _REACH + 1)) if terms[j] in words]
