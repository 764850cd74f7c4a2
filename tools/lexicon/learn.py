"""Valences from labelled headlines: a maximum a posteriori estimate that stays near what is known beforehand.

A text's score is the sum of its words' valences after the rules for articles. The chance that it is positive is
sigmoid(score - CUT), that it is negative sigmoid(-score - CUT); a valence has a normal prior around its seed, else
around 0. Words that few headlines have, or that say little, stay where they were.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE

from pipeline.analytics.articles import ArticleAnalyzer
from tools.lexicon.headlines import Headline

SEED: Final = Path(__file__).with_name("seed.txt")
NEVER: Final = Path(__file__).with_name("never.txt")

CUT: Final = 1.0
"""The score from which on a text is more likely positive than not."""
PRECISION: Final = 3.0
"""Of the prior: it weighs as much as some dozen headlines."""
LEAST_HEADLINES: Final = 8
LEAST_CHANGE: Final = 0.3
LEAST_VALENCE: Final = 1.0
"""A word that says less is taken out: alone it does not tell a headline from a neutral one."""
GREATEST_VALENCE: Final = 3.0
"""No single word decides everything."""
_TRACE: Final = 1e-9
"""Of a word of which nothing is known: enough for the rules to be heard, too little to decide one."""
_STEPS: Final = 400
_WORD: Final = re.compile(r"[a-z][a-z-]*[a-z]")
_PUNCTUATION: Final = ".,:;!?'\"()"


_Floats = NDArray[np.float64]
_Ints = NDArray[np.intp]


class _Design(NamedTuple):
    """Headline `rows[k]` has the term `columns[k]` with the factor `factors[k]` that the rules give it."""

    rows: _Ints
    columns: _Ints
    factors: _Floats


def read_seed(path: Path = SEED) -> dict[str, float]:
    """The valences written by hand.

    Raises:
        ValueError: if a term stands there twice.
    """
    seed: dict[str, float] = {}
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            valence, terms = line.split(" ", 1)
            for term in terms.split(", "):
                if term in seed:
                    raise ValueError(f"{term!r} stands twice in {path.name}")
                seed[term] = float(valence)
    return seed


def read_never(path: Path = NEVER) -> set[str]:
    """The words that are not learnt; those that the rules work with are among them."""
    lines = path.read_text("utf-8").splitlines()
    return {word for line in lines if not line.startswith("#") for word in line.split()} | {*BOOSTER_DICT, *NEGATE}


def learn(headlines: Sequence[Headline], seed: Mapping[str, float]) -> dict[str, float]:
    """The seed with what the headlines teach: valences to one decimal, 0 for words that mean nothing in finance.

    What the seed takes out stays out: headlines are too much alike to bring a word back.
    """
    fixed = read_never() | {term for term, valence in seed.items() if not valence}
    fresh = _vocabulary(headlines) - fixed - {term.replace(" ", "-") for term in seed}
    prior = dict.fromkeys(fresh, 0.0) | dict(seed)
    terms = sorted(prior)
    before = np.array([prior[term] for term in terms])
    design = _design(headlines, prior, terms)
    after = _fit(design, [headline.label for headline in headlines], before)
    seen = np.bincount(design.columns, minlength=len(terms))
    learnt = {
        term: 0.0 if abs(value) < LEAST_VALENCE else round(max(-GREATEST_VALENCE, min(value, GREATEST_VALENCE)), 1)
        for term, value, start, count in zip(terms, after.tolist(), before.tolist(), seen, strict=True)
        if count >= LEAST_HEADLINES and abs(value - start) >= LEAST_CHANGE and term not in fixed
    }
    return dict(seed) | {term: value for term, value in learnt.items() if value or prior[term]}


def _vocabulary(headlines: Iterable[Headline]) -> set[str]:
    """Words worth a look: common, not part of the entity's name, and mostly written small, so no names at all."""
    small: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for headline in headlines:
        for position, token in enumerate(headline.title.replace(headline.entity, " ").split()):
            word = token.strip(_PUNCTUATION)
            if _WORD.fullmatch(word):
                small[word] += 1
            elif position:  # the first word of a headline has a capital in any case
                capital[word.lower()] += 1
    return {word for word, n in small.items() if n >= LEAST_HEADLINES and n > 4 * capital[word]}


def _design(headlines: Iterable[Headline], prior: Mapping[str, float], terms: Sequence[str]) -> _Design:
    """What the rules make of each word of each headline, as a factor of its valence."""
    valences = {term: prior[term] or _TRACE for term in terms}
    analyzer = ArticleAnalyzer(valences)
    column = {spelling: i for i, term in enumerate(terms) for spelling in (term.replace(" ", "-"), term)}
    entries = [
        (row, column[found.term], found.valence / valences[terms[column[found.term]]])
        for row, headline in enumerate(headlines)
        for found in analyzer.weigh(headline.title)[1]
        if found.term in column
    ]
    rows, columns, factors = zip(*entries, strict=True)
    return _Design(np.array(rows), np.array(columns), np.array(factors))


def _fit(design: _Design, labels: Sequence[str], prior: _Floats) -> _Floats:
    """The estimate, by accelerated gradient descent (Nesterov) with a bound of the curvature as scale."""
    rows, columns, factors = design
    size: Any = {"minlength": len(prior)}
    positive = np.array([label == "positive" for label in labels])
    negative = np.array([label == "negative" for label in labels])
    weight = np.bincount(rows, np.abs(factors), len(labels))
    curvature = 0.5 * np.bincount(columns, np.abs(factors) * weight[rows], **size) + PRECISION
    valences = point = prior
    momentum = 1.0
    for _ in range(_STEPS):
        score: _Floats = np.bincount(rows, factors * point[columns], len(labels)).astype(np.float64)
        error = _sigmoid(score - CUT) - positive - _sigmoid(-score - CUT) + negative
        gradient = np.bincount(columns, factors * error[rows], **size) + PRECISION * (point - prior)
        following = point - gradient / curvature
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        point = following + (momentum - 1) / next_momentum * (following - valences)
        valences, momentum = following, next_momentum
    return valences


def _sigmoid(x: _Floats) -> _Floats:
    return 1 / (1 + np.exp(-x))
