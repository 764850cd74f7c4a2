"""Sentiment of short texts by VADER's rules and a lexicon that knows finance, and its mean over time.

Pure: no I/O but the first load.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from pipeline.messages import MAX_WORDS, Article, Post, ScoredItem, Tag

if TYPE_CHECKING:
    from pipeline.vader import Analyzer

Label = Literal["positive", "neutral", "negative"]

LEXICON: Final = Path(__file__).parent / "lexicon" / "finance.tsv"
SCORING: Final = 1
"""Raised whenever a text may score differently than before; of one item's two scores the stores keep the newer."""

THRESHOLD: Final = 0.05
"""VADER's own: a compound from here on is positive, or negative below zero."""
TAGGED: Final = 0.5
"""The least strength of an item whose poster said what is meant."""
_DIRECTION: Final[dict[Tag, int]] = {"bullish": 1, "bearish": -1}
HALF_LIFE: Final = timedelta(hours=6)
WINDOW: Final = timedelta(days=3)

# VADER's cost grows with the square of the number of words, and it turns each emoji into several of them: unbounded,
# a post of 4,096 emoji takes seconds.
_MAX_CHARACTERS: Final = 1024
_MAX_EMOJI: Final = 16


class Scored(NamedTuple):
    """A compound score from -1 to 1, and what each word added to it on VADER's scale, strongest first."""

    compound: float
    words: list[tuple[str, float]]


class SentimentScorer:
    """Scores texts, articles and posts. Loads the lexicon when it is first used."""

    def score(self, text: str) -> tuple[float, Label]:
        """The compound score of the text, from -1 to 1, and its label.

        Only the first 1,024 characters count, and the first 16 emoji among them.
        """
        compound, _ = self.explain(text)
        return compound, label_of(compound)

    def explain(self, text: str) -> Scored:
        """The score of the text and the words that made it, after negation and emphasis; a repeated word's sum."""
        compound, weighed = self._analyzer.weigh(self._bounded(text))
        return Scored(compound, _strongest((word.word.lower(), word.valence) for word in weighed))

    def score_item(self, message: Article | Post) -> ScoredItem:
        """The item with its sentiment.

        An article scores the mean of its title and its summary, each on its own: VADER adds words up, so that a
        summary scored together with the title would drown it. Without a summary the title counts alone. A poster's
        own tag outranks the lexicon: the compound is at least 0.5 in the direction of the tag, more where the text
        says more.
        """
        tag: Tag | None = None
        if isinstance(message, Article):
            scored = self._article(message)
        else:
            scored = self.explain(message.text)
            if message.tag is not None and scored.compound * _DIRECTION[message.tag] < TAGGED:
                tag = message.tag
                scored = Scored(TAGGED * _DIRECTION[tag], [])
        return ScoredItem(
            ts=message.ts,
            simulated=message.simulated,
            ticker=message.ticker,
            id=message.id,
            kind="article" if isinstance(message, Article) else "post",
            text=message.title if isinstance(message, Article) else message.text,
            compound=scored.compound,
            label=label_of(scored.compound),
            words=scored.words[:MAX_WORDS],
            tag=tag,
            scoring=SCORING,
            url=message.url,
            source=message.source,
        )

    def _article(self, article: Article) -> Scored:
        title = self.explain(article.title)
        if not article.summary:
            return title
        summary = self.explain(article.summary)
        return Scored((title.compound + summary.compound) / 2, _strongest((*title.words, *summary.words)))

    @cached_property
    def _analyzer(self) -> "Analyzer":
        from pipeline.vader import Analyzer

        return Analyzer(read_lexicon())

    def _bounded(self, text: str) -> str:
        text = text[:_MAX_CHARACTERS]
        if text.isascii():
            return text
        emoji = [i for i, character in enumerate(text) if character in self._analyzer.emojis]
        return text[: emoji[_MAX_EMOJI]] if len(emoji) > _MAX_EMOJI else text


def read_lexicon(path: Path = LEXICON) -> dict[str, float]:
    """Valences by term, from lines of a term, a tab and a number; those that begin with # are comments."""
    lines = path.read_text("utf-8").splitlines()
    entries = (line.split("\t") for line in lines if not line.startswith("#"))
    return {term: float(valence) for term, valence in entries}


def _strongest(words: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    totals: dict[str, float] = {}
    for word, valence in words:
        totals[word] = totals.get(word, 0.0) + valence
    rounded = ((word, round(total, 2)) for word, total in totals.items())
    return sorted((item for item in rounded if item[1]), key=lambda item: (-abs(item[1]), item[0]))


def label_of(compound: float) -> Label:
    """The label of a compound score."""
    if compound >= THRESHOLD:
        return "positive"
    return "negative" if compound <= -THRESHOLD else "neutral"


def rolling_score(items: Iterable[tuple[datetime, float]], now: datetime) -> float | None:
    """The mean of compounds of the last three days, an item's weight halving every six hours of its age.

    Items are times and compounds, in any order. None if there is none within the window; those of the future (a
    provider's clock may be ahead) count as new.
    """
    weighted = [
        (0.5 ** (max(now - ts, timedelta(0)) / HALF_LIFE), compound) for ts, compound in items if now - ts <= WINDOW
    ]
    if not weighted:
        return None
    # fsum rounds once, so that the order of the items makes no difference at all.
    return math.fsum(weight * compound for weight, compound in weighted) / math.fsum(weight for weight, _ in weighted)
