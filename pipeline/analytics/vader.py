"""VADER's engine with a lexicon of our own, terms of several words, and the words that made a score.

Hutto, C.J. & Gilbert, E.E. (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text"; https://github.com/cjhutto/vaderSentiment.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from vaderSentiment.vaderSentiment import (
    BOOSTER_DICT,
    N_SCALAR,
    NEGATE,
    SPECIAL_CASES,
    SentimentIntensityAnalyzer,
    SentiText,
    allcap_differential,
    normalize,
)

_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+|\n")
_SPECIAL: Final = "$+-−(["
_CASHTAG: Final = re.compile(r"\$[A-Za-z]")
_CHANGE: Final = re.compile(r"[(\[]?([+\-−])\d[\d.,]*%")
_CHANGES: Final = {"+": "+%", "-": "-%", "−": "-%"}
_NEGATIONS: Final = frozenset(NEGATE)
_IDIOMATIC: Final = frozenset(max(idiom.split(), key=len) for idiom in (*SPECIAL_CASES, *BOOSTER_DICT))
"""A word of each idiom, by which it is noticed that there may be one."""


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
        self._phrases = Phrases(merged)
        # A valence of 0 would not do: VADER adds boosters and capitals to it.
        self.lexicon = {term: valence for term, valence in merged.items() if valence}

    def weigh(self, text: str) -> tuple[float, list[Weighed]]:
        """The compound score, from -1 to 1, and the words that made it, in the order of the text."""
        text = self._without_emoji(text).replace("’", "'")  # VADER knows no other apostrophe in "didn't"
        words, keys, terms = self._tokens(text)
        valences = [0.0] * len(terms)
        heard = [i for i, term in enumerate(terms) if term in self.lexicon and term not in BOOSTER_DICT]
        if heard:
            is_cap_diff = allcap_differential(keys)
            for i in heard:
                # VADER lowers all that it is given for each word, and looks at no more than these.
                start = max(0, i - 3)
                window = _Window(keys[start : i + 3], is_cap_diff)
                valences[i] = self.sentiment_valence(0, window, keys[i], i - start, [])[0]
        self._revalue(terms, valences)
        if "but" in terms:
            valences = self._but_check(terms, valences)
        total = sum(valences)
        if total:
            total += math.copysign(self._punctuation_emphasis(text), total)
        tokens = zip(words, terms, valences, strict=True)
        return normalized(total), [Weighed(word, term, float(valence)) for word, term, valence in tokens if valence]

    @staticmethod
    def _negation_check(valence: float, words: list[str], start_i: int, i: int) -> float:
        """VADER's rule; its own code goes through all negations for each word."""
        word = words[i - start_i - 1].lower()
        if start_i and word in ("never", "without"):
            return float(SentimentIntensityAnalyzer._negation_check(valence, words, start_i, i))
        if start_i == 2 and words[i - 1].lower() in ("so", "this"):
            return float(SentimentIntensityAnalyzer._negation_check(valence, words, start_i, i))
        return valence * N_SCALAR if word in _NEGATIONS or "n't" in word else valence

    def _special_idioms_check(self, valence: float, words: list[str], i: int) -> float:
        """VADER's rule, where there may be an idiom at all."""
        if _IDIOMATIC.isdisjoint([word.lower() for word in words]):
            return valence
        return float(super()._special_idioms_check(valence, words, i))

    def _revalue(self, terms: list[str], valences: list[float]) -> None:
        """For rules of others about words that stand together."""

    def _without_emoji(self, text: str) -> str:
        if text.isascii():
            return text
        return "".join(f" {self.emojis[c]} " if c in self.emojis else c for c in text)

    def _tokens(self, text: str) -> tuple[list[str], list[str], list[str]]:
        """The words as they stand, without what is around them, and as they are looked up; those of a phrase joined."""
        words = [_stripped(token) for token in text.split()]
        keys = [key_of(word) if word[0] in _SPECIAL else word for word in words]
        terms = [key.lower() for key in keys]
        for start, length in self._phrases.joined(terms):
            words[start : start + length] = keys[start : start + length] = [" ".join(keys[start : start + length])]
        return words, keys, terms


class Phrases:
    """The terms of several words among `terms`."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._phrases = frozenset(term for term in terms if " " in term)
        self._lengths = _lengths(self._phrases)

    def joined(self, keys: list[str]) -> list[tuple[int, int]]:
        """Join those in the words, and say where each begins then, and how many words it had; the longest first."""
        found = []
        joined = free = 0  # words that are gone, and the first that is in no phrase yet
        for i in [i for i, key in enumerate(keys) if key in self._lengths]:
            if i < free:
                continue
            start = i - joined
            for length in self._lengths[keys[start]]:
                if start + length <= len(keys) and (phrase := " ".join(keys[start : start + length])) in self._phrases:
                    found.append((start, length))
                    keys[start : start + length] = [phrase]
                    joined, free = joined + length - 1, i + length
                    break
        return found


def _stripped(token: str) -> str:
    """The token without the punctuation around it, unless that is what it is about."""
    special = token[0] in _SPECIAL and (_CASHTAG.match(token) or _CHANGE.match(token))
    return token if special else SentiText._strip_punc_if_word(token)


def key_of(word: str) -> str:
    change = _CHANGE.match(word)
    return _CHANGES[change[1]] if change else word


def _lengths(phrases: Iterable[str]) -> dict[str, list[int]]:
    """By first word, the numbers of words of the phrases that begin with it, the greatest first."""
    found: dict[str, set[int]] = {}
    for phrase in phrases:
        first, *rest = phrase.split()
        found.setdefault(first, set()).add(1 + len(rest))
    return {first: sorted(lengths, reverse=True) for first, lengths in found.items()}


def without_questions(text: str, beginning: re.Pattern[str] | None = None) -> str:
    """The text without the sentences that ask; if `beginning` is given, only those that begin so."""
    if "?" not in text:
        return text
    sentences = (sentence for sentence in _SENTENCES.split(text) if sentence)
    return " ".join(
        sentence
        for sentence in sentences
        if not sentence.rstrip("!)\"'”’").endswith("?") or (beginning and not beginning.match(sentence))
    )


def normalized(total: float) -> float:
    """VADER's compound of a sum of valences, from -1 to 1."""
    return round(float(normalize(total)), 4)
