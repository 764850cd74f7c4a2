"""VADER's engine with a lexicon of our own, terms of several words, and the words that made a score.

Hutto, C.J. & Gilbert, E.E. (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text"; https://github.com/cjhutto/vaderSentiment.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from vaderSentiment.vaderSentiment import BOOSTER_DICT, SentimentIntensityAnalyzer, SentiText, allcap_differential

_SPECIAL: Final = "$+-−(["
_CASHTAG: Final = re.compile(r"\$[A-Za-z]")
_CHANGE: Final = re.compile(r"[(\[]?([+\-−])\d[\d.,]*%")
_CHANGES: Final = {"+": "+%", "-": "-%", "−": "-%"}


class Weighed(NamedTuple):
    """A word as it stands in the text, the term it was looked up as, and what it added to the score."""

    word: str
    term: str
    valence: float


class _Window(NamedTuple):
    """The part of a text that VADER's rules ask for, under the names they ask by."""

    words_and_emoticons: list[str]
    is_cap_diff: bool


class Analyzer(SentimentIntensityAnalyzer):  # type: ignore[misc]
    """VADER with `valences` merged into its lexicon; a term may have several words, and 0 takes a word out.

    Terms are lower-case; one of several words is also found with hyphens. Cashtags are names and never words
    (``$GAIN``), and a signed percentage (``+3.1%``) is looked up as ``+%`` or ``-%``.
    """

    def __init__(self, valences: Mapping[str, float]) -> None:
        super().__init__()
        merged: dict[str, float] = self.make_lex_dict()
        for term, valence in valences.items():
            merged[term] = merged[term.replace(" ", "-")] = valence
        self._phrases = frozenset(term for term in merged if " " in term)
        self._lengths = _lengths(self._phrases)
        # A valence of 0 would not do: VADER adds boosters and capitals to it.
        self.lexicon = {term: valence for term, valence in merged.items() if valence}

    def weigh(self, text: str) -> tuple[float, list[Weighed]]:
        """The compound score, from -1 to 1, and the words that made it, in the order of the text."""
        text = self._without_emoji(text).replace("’", "'")  # VADER knows no other apostrophe in "didn't"
        words, keys = self._tokens(text)
        is_cap_diff = allcap_differential(keys)
        valences: list[float] = []
        for i, key in enumerate(keys):
            term = key.lower()
            if term in BOOSTER_DICT or term not in self.lexicon:
                valences.append(0)
                continue
            # VADER lowers all that it is given for each word, and looks at no more than these.
            start = max(0, i - 3)
            window = _Window(keys[start : i + 3], is_cap_diff)
            valences = self.sentiment_valence(0, window, key, i - start, valences)
        valences = self._but_check(keys, valences)
        compound = float(self.score_valence(valences, text)["compound"])
        tokens = zip(words, keys, valences, strict=True)
        return compound, [Weighed(word, key.lower(), float(valence)) for word, key, valence in tokens if valence]

    def _without_emoji(self, text: str) -> str:
        if text.isascii():
            return text
        return "".join(f" {self.emojis[c]} " if c in self.emojis else c for c in text)

    def _tokens(self, text: str) -> tuple[list[str], list[str]]:
        """The words as they stand, and as they are looked up; those of a phrase are joined."""
        words = [_stripped(token) for token in text.split()]
        keys = [_key(word) if word[0] in _SPECIAL else word for word in words]
        self._join_phrases(words, keys)
        return words, keys

    def _join_phrases(self, words: list[str], keys: list[str]) -> None:
        i = 0
        while i < len(keys):
            for length in self._lengths.get(keys[i].lower(), ()):
                phrase = " ".join(keys[i : i + length])
                if phrase.lower() in self._phrases:
                    words[i : i + length] = keys[i : i + length] = [phrase]
                    break
            i += 1


def _stripped(token: str) -> str:
    """The token without the punctuation around it, unless that is what it is about."""
    special = token[0] in _SPECIAL and (_CASHTAG.match(token) or _CHANGE.match(token))
    return token if special else SentiText._strip_punc_if_word(token)


def _key(word: str) -> str:
    change = _CHANGE.match(word)
    return _CHANGES[change[1]] if change else word


def _lengths(phrases: Iterable[str]) -> dict[str, list[int]]:
    """By first word, the numbers of words of the phrases that begin with it, the greatest first."""
    found: dict[str, set[int]] = {}
    for phrase in phrases:
        first, *rest = phrase.split()
        found.setdefault(first, set()).add(1 + len(rest))
    return {first: sorted(lengths, reverse=True) for first, lengths in found.items()}
