"""Sentiment of short texts by VADER's lexicon and rules, and its mean over time. Pure: no I/O but the first load.

Hutto, C.J. & Gilbert, E.E. (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text"; https://github.com/cjhutto/vaderSentiment.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, Literal

from pipeline.messages import Article, Post, ScoredItem

Label = Literal["positive", "neutral", "negative"]

THRESHOLD: Final = 0.05
"""VADER's own: a compound from here on is positive, or negative below zero."""
TAGGED: Final = 0.5
"""The least strength of an item whose poster said what is meant."""
HALF_LIFE: Final = timedelta(hours=6)
WINDOW: Final = timedelta(days=3)

# VADER's cost grows with the square of the number of words, and it turns each emoji into several of them: unbounded,
# a post of 4,096 emoji takes seconds.
_MAX_CHARACTERS: Final = 1024
_MAX_EMOJI: Final = 16


class SentimentScorer:
    """Scores texts, articles and posts. Loads the lexicon when it is first used."""

    def score(self, text: str) -> tuple[float, Label]:
        """The compound score of the text, from -1 to 1, and its label.

        Only the first 1,024 characters count, and the first 16 emoji among them.
        """
        compound = float(self._analyzer.polarity_scores(self._bounded(text))["compound"])
        return compound, label_of(compound)

    def score_item(self, message: Article | Post) -> ScoredItem:
        """The item with its sentiment.

        An article scores the mean of its title and its summary, each on its own: VADER adds words up, so that a
        summary scored together with the title would drown it. Without a summary the title counts alone. A poster's
        own tag outranks the lexicon: the compound is at least 0.5 in the direction of the tag, more where the text
        says more.
        """
        compound = self._article(message) if isinstance(message, Article) else self._post(message)
        return ScoredItem(
            ts=message.ts,
            simulated=message.simulated,
            ticker=message.ticker,
            id=message.id,
            kind="article" if isinstance(message, Article) else "post",
            text=message.title if isinstance(message, Article) else message.text,
            compound=compound,
            label=label_of(compound),
            url=message.url,
            source=message.source,
        )

    def _article(self, article: Article) -> float:
        compound, _ = self.score(article.title)
        return (compound + self.score(article.summary)[0]) / 2 if article.summary else compound

    def _post(self, post: Post) -> float:
        compound, _ = self.score(post.text)
        match post.tag:
            case "bullish":
                return max(compound, TAGGED)
            case "bearish":
                return min(compound, -TAGGED)
            case None:
                return compound

    @cached_property
    def _analyzer(self) -> Any:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        return SentimentIntensityAnalyzer()

    def _bounded(self, text: str) -> str:
        text = text[:_MAX_CHARACTERS]
        if text.isascii():
            return text
        emoji = [i for i, character in enumerate(text) if character in self._analyzer.emojis]
        return text[: emoji[_MAX_EMOJI]] if len(emoji) > _MAX_EMOJI else text


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
