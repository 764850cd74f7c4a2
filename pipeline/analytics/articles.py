"""Weighs the words of articles: what moves and whether that is good, whose clause it stands in, figures side by side.

A word's valence comes from the lexicon. What a rule makes of it is a factor, so that valences can be learnt
(`tools.lexicon`).
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from vaderSentiment.vaderSentiment import BOOSTER_DICT, N_SCALAR, NEGATE

from pipeline.analytics.figures import compared
from pipeline.analytics.vader import Phrases, Weighed, key_of, normalized, without_questions
from pipeline.analytics.wordlists import read_classes

MOVEMENT: Final = 1.8
"""The valence of a movement that the lexicon says nothing of, where the rules say what it is of."""
SUBORDINATE: Final = 0.3
"""The weight of a clause that says the opposite of the main clause."""
_PAIRS: Final = (
    ("winning", "won", "", 1.6),
    ("trading", "owned", "", 0.0),
    ("cutting", "cut to", "to", -2.2),
    ("raising", "raised to", "to", 2.2),
    ("swinging up", "into profit", "", 2.0),
    ("swinging down", "into loss", "", -2.0),
)
"""A word of the first class with one of the second after it, what stands right before that, and what the two say."""
EMPHASIS: Final = 1.15
_NEGATION_REACH: Final = 3
_SUBJECT_REACH: Final = 5
_OBJECT_REACH: Final = 4
_DEAL_REACH: Final = 6
_PUNCTUATION: Final = "([!\"#&'*,./:;<=>?@\\^_`{|}~)]”“‘’…"
_BREAKS: Final = ",;:.!?–—|"
_NEGATIONS: Final = frozenset(NEGATE) | {"no", "unable", "fails to", "failed to", "fail to", "no longer"}
_STOPS: Final = frozenset({"to", "by", "from", "on", "at", "as", "for", "after", "with", "than", "and", "but"})
_SPAN: Final = re.compile(r"^\d[\d./]*(?:-\d/\d)?-?(?:day|week|month|year|yr|decade)s?$")
_SIDE_BY_SIDE: Final = frozenset({"and", "but", "while", "whereas"})
_INTO: Final = frozenset({"in", "of", "its", "the", "their", "in its", "our"})


class ArticleAnalyzer:
    """Weighs an article's title, or its summary, by `valences` of terms; a term may have several words."""

    def __init__(self, valences: Mapping[str, float]) -> None:
        classes = read_classes("articles.txt")
        self._bad, self._good, self._idle = (classes[name] for name in ("bad when more", "good when more", "no matter"))
        self._direction = dict.fromkeys(classes["more"], 1.0) | dict.fromkeys(classes["less"], -1.0)
        self._promised = classes["promised"]
        self._acting = classes["acting"]
        self._subordinate = classes["subordinate"]
        self._pairs: dict[str, list[tuple[frozenset[str], str, float]]] = {}
        for doing, done, before, valence in _PAIRS:
            for word in classes[doing]:
                self._pairs.setdefault(word, []).append((classes[done], before, valence))
        terms: dict[str, float] = {}
        for term, valence in valences.items():
            terms[term] = terms[term.replace(" ", "-")] = valence
        self._terms = {term: valence for term, valence in terms.items() if valence}
        words = frozenset().union(*classes.values()) | _NEGATIONS
        self._phrases = Phrases({*terms, *words})
        self._heard = frozenset(self._terms) | frozenset(self._direction) | frozenset(self._pairs)

    def weigh(self, text: str, names: Collection[str] = ()) -> tuple[float, list[Weighed]]:
        """The compound score, from -1 to 1, and the words that made it, in the order of the text.

        `names` are those of whom the article is looked at for, in lower case: what a clause says that names them counts
        before the others.
        """
        text = without_questions(text)
        words, keys, breaks = self._tokens(text)
        valences: dict[int, float] = {}
        moved = False
        for i, key in enumerate(keys):
            if key in self._heard:
                valence = self._terms.get(key, 0.0)
                if valence:
                    valences[i] = valence
                moved |= key in self._direction
                for objects, before, meaning in self._pairs.get(key, ()):
                    weaker = not meaning or abs(valences.get(i, 0.0)) < abs(meaning)
                    if weaker and _follows(keys, breaks, i, objects, before):
                        valences[i] = meaning
        if moved:
            self._compose(keys, breaks, valences)
        for i in valences:
            valences[i] *= self._modified(keys, breaks, i)
        if len(valences) > 1:
            self._subordinated(keys, breaks, valences, names)
        if not any(valences.values()) or not moved:
            found = compared(text)
            if found is not None:
                word, sign = found
                return normalized(2.0 * sign), [Weighed(word, word, 2.0 * sign)]
        weighed = [Weighed(words[i], keys[i], valence) for i, valence in sorted(valences.items()) if valence]
        return normalized(sum(valences.values())), weighed

    def _tokens(self, text: str) -> tuple[list[str], list[str], list[bool]]:
        """The words, what they are looked up as, and whether a clause ends after them."""
        words: list[str] = []
        keys: list[str] = []
        breaks: list[bool] = []
        for token in text.replace("’", "'").split():
            word = token.strip(_PUNCTUATION)
            if not word or word == "-":
                if breaks:
                    breaks[-1] = True
                continue
            words.append(word)
            keys.append(_key(word))
            breaks.append(token[-1] in _BREAKS)
        for start, length in self._phrases.joined(keys):
            words[start : start + length] = [" ".join(words[start : start + length])]
            breaks[start : start + length] = [breaks[start + length - 1]]
        return words, keys, breaks

    def _compose(self, keys: list[str], breaks: list[bool], valences: dict[int, float]) -> None:
        """A movement and what moves are one thing: falling costs are good, slowing growth is bad."""
        taken: set[int] = set()
        for i, key in enumerate(keys):
            direction = self._direction.get(key)
            if direction is None:
                continue
            j = self._moving(keys, breaks, i, taken)
            if j is None:
                continue
            taken.add(j)
            noun = keys[j]
            own = valences.pop(j, 0.0)
            if j and not breaks[j - 1] and j - 1 != i and self._is_measure(keys[j - 1]):
                valences.pop(j - 1, None)  # recession fears are fears, and a growth forecast is a forecast
            sign = 0.0 if noun in self._idle else -1.0 if noun in self._bad else 1.0
            if noun in self._good and noun not in self._promised and i not in valences and not own:
                continue  # of such a movement the lexicon knows nothing: "extends its target"
            valences[i] = sign * direction * (abs(valences.get(i, 0.0)) or MOVEMENT)

    def _moving(self, keys: list[str], breaks: list[bool], i: int, taken: set[int]) -> int | None:
        """Where the word stands that says what moves."""
        after = keys[i + 1] if i + 1 < len(keys) and not breaks[i] else ""
        if keys[i] in self._acting or after in _INTO:
            for j in range(i + 1, min(len(keys), i + 1 + _OBJECT_REACH)):
                if breaks[j - 1] or keys[j] in _STOPS:
                    break
                if self._is_measure(keys[j]) and j not in taken:
                    while j + 1 < len(keys) and not breaks[j] and self._is_measure(keys[j + 1]):
                        j += 1  # a revenue forecast is a forecast
                    return j
        for j in range(i - 1, max(-1, i - 1 - _SUBJECT_REACH), -1):
            if breaks[j] or keys[j] in self._subordinate or (keys[j] in self._direction and j != i - 1):
                break
            if self._is_measure(keys[j]) and j not in taken:
                return j
        return None

    def _is_measure(self, key: str) -> bool:
        return key in self._bad or key in self._good or key in self._idle

    def _modified(self, keys: list[str], breaks: list[bool], i: int) -> float:
        """The factor of negations and emphasis before the word."""
        factor = 1.0
        for j in range(i - 1, max(-1, i - 1 - _NEGATION_REACH), -1):
            if breaks[j]:
                break
            key = keys[j]
            if key in _NEGATIONS or key.endswith("n't"):
                factor *= N_SCALAR
            elif j == i - 1 and key in BOOSTER_DICT:
                factor *= EMPHASIS if BOOSTER_DICT[key] > 0 else 1 / EMPHASIS
        return factor

    def _subordinated(
        self, keys: list[str], breaks: list[bool], valences: dict[int, float], names: Collection[str]
    ) -> None:
        """Weaken what contradicts the main clause, or the one that names whom the article is looked at for."""
        clauses, main = self._clauses(keys, breaks)
        if names and (named := _naming(keys, breaks, clauses, names)) is not None:
            clauses, main = named
        if clauses[-1] == 0:
            return
        said = sum(valence for i, valence in valences.items() if clauses[i] == main)
        for i, valence in valences.items():
            if clauses[i] != main and valence * said < 0:
                valences[i] *= SUBORDINATE

    def _clauses(self, keys: list[str], breaks: list[bool]) -> tuple[list[int], int]:
        """The number of each word's clause, and that of the main one: the first, but for one that begins with "as"."""
        clauses = []
        clause = main = 0
        opens_below = keys[0] in self._subordinate
        for i, key in enumerate(keys):
            if i and key in self._subordinate:
                clause += 1
            elif opens_below and i and breaks[i - 1]:
                clause += 1
                main, opens_below = clause, False
            clauses.append(clause)
        return clauses, main


def _naming(
    keys: list[str], breaks: list[bool], clauses: list[int], names: Collection[str]
) -> tuple[list[int], int] | None:
    """The clauses, those that stand side by side apart, and the first that has one of the names; None if none has."""
    parts: list[int] = []
    part = 0
    for i, key in enumerate(keys):
        if i and (breaks[i - 1] or key in _SIDE_BY_SIDE or clauses[i] != clauses[i - 1]):
            part += 1
        parts.append(part)
    for wanted in range(part + 1):
        text = " ".join(key for key, at in zip(keys, parts, strict=True) if at == wanted)
        if any(f" {name} " in f" {text} " for name in names):
            return parts, wanted
    return None


def _follows(keys: list[str], breaks: list[bool], i: int, words: Collection[str], before: str) -> bool:
    for j in range(i + 1, min(len(keys), i + 1 + _DEAL_REACH)):
        if breaks[j - 1]:
            return False
        if keys[j] in words and (not before or keys[j - 1] == before):
            return True
    return False


def _key(word: str) -> str:
    if word[0] in "+-−$" or word[0].isdigit():
        return _SPAN.sub("n-month", key_of(word).lower())
    return word.lower()
