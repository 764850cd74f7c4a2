"""Sentiment of articles and posts by rules of their own and a lexicon that knows finance, and its mean over time.

Pure: no I/O but the first load.
"""

import math
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from pipeline.analytics.relevance import weight_of
from pipeline.analytics.stories import fingerprint, told
from pipeline.analytics.wordlists import read_names, read_valences
from pipeline.model.messages import MAX_WORDS, Article, ItemKind, Post, ScoredItem, Tag

if TYPE_CHECKING:
    from pipeline.analytics.articles import ArticleAnalyzer
    from pipeline.analytics.posts import PostAnalyzer

Label = Literal["positive", "neutral", "negative"]

_LEAST_SYMBOL: Final = 3
"""Letters of a symbol that articles use as a name; what is shorter is mostly a word."""
SCORING: Final = 2
"""Raised whenever a text may score differently than before; of one item's two scores the stores keep the newer."""

THRESHOLD: Final = 0.05
"""VADER's own: a compound from here on is positive, or negative below zero."""
TAGGED: Final = 0.5
"""The least strength of an item whose poster said what is meant."""
_DIRECTION: Final[dict[Tag, int]] = {"bullish": 1, "bearish": -1}
AHEAD: Final = timedelta(days=1)
"""How far in the future an item may be that counts as new; the age of one further ahead is not known."""
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


class Opinion(NamedTuple):
    """A scored item as the mean over time counts it; see `ScoredItem`."""

    ts: datetime
    compound: float
    weight: float = 1.0
    story: str = ""


class SentimentScorer:
    """Scores texts, articles and posts. Loads the lexicon when it is first used."""

    def score(self, text: str, kind: ItemKind = "article", names: Collection[str] = ()) -> tuple[float, Label]:
        """The compound score of the text, from -1 to 1, and its label.

        Articles and posts are weighed by rules of their own (`articles`, `posts`). `names`, in lower case, are those of
        whom an article is scored for: where it says several things, what it says of them counts. Only the first 1,024
        characters count, and the first 16 emoji among them.
        """
        compound, _ = self.explain(text, kind, names)
        return compound, label_of(compound)

    def explain(self, text: str, kind: ItemKind = "article", names: Collection[str] = ()) -> Scored:
        """The score of the text and the words that made it, after negation and emphasis; a repeated word's sum."""
        text = self._bounded(text)
        compound, weighed = self._posts.weigh(text) if kind == "post" else self._articles.weigh(text, names)
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
            scored = self.explain(message.text, "post")
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
            weight=weight_of(message),
            story=fingerprint(message.title) if isinstance(message, Article) else "",
            url=message.url,
            source=message.source,
        )

    def _article(self, article: Article) -> Scored:
        names = self._names_of(article.ticker, f"{article.title} {article.summary}")
        title = self.explain(article.title, "article", names)
        if not article.summary:
            return title
        summary = self.explain(article.summary, "article", names)
        return Scored((title.compound + summary.compound) / 2, _strongest((*title.words, *summary.words)))

    @cached_property
    def _articles(self) -> "ArticleAnalyzer":
        from pipeline.analytics.articles import ArticleAnalyzer

        return ArticleAnalyzer(read_valences("finance.tsv"))

    @cached_property
    def _posts(self) -> "PostAnalyzer":
        from pipeline.analytics.posts import PostAnalyzer

        return PostAnalyzer(read_valences("finance.tsv") | read_valences("posts.tsv"))

    def _names_of(self, ticker: str, text: str) -> tuple[str, ...]:
        """What the text may call the ticker, in lower case. A symbol is a name in capitals only: ``ALL`` is a word."""
        symbol = ticker.lower()
        spelt = len(ticker) >= _LEAST_SYMBOL and ticker in text
        return (*self._names.get(ticker, ()), f"${symbol}", *((symbol,) if spelt else ()))

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        return read_names("names.tsv")

    def _bounded(self, text: str) -> str:
        text = text[:_MAX_CHARACTERS]
        if text.isascii():
            return text
        emoji = [i for i, character in enumerate(text) if character in self._posts.emojis]
        return text[: emoji[_MAX_EMOJI]] if len(emoji) > _MAX_EMOJI else text


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


def rolling_score(opinions: Iterable[Opinion], now: datetime) -> float | None:
    """The mean of compounds of the last three days, an item's weight halving every six hours of its age.

    A story that several articles tell counts once: from when it was first told, with the mean of their compounds and
    the greatest of their weights. The order of the opinions makes no difference. None if there is none within the
    window; those of the next day (a provider's clock may be ahead) count as new, and those of later days not at all.
    """
    counted = [opinion for opinion in opinions if opinion.weight and -AHEAD <= now - opinion.ts <= WINDOW]
    if not counted:
        return None
    weighted = []
    for places in told([(opinion.ts, opinion.story) for opinion in counted]):
        story = [counted[i] for i in places]
        age = max(now - story[0].ts, timedelta(0))
        total = math.fsum(item.weight for item in story)
        compound = math.fsum(item.compound * item.weight for item in story) / total
        weighted.append((max(item.weight for item in story) * 0.5 ** (age / HALF_LIFE), compound))
    # fsum rounds once, so that the order of the items makes no difference at all.
    return math.fsum(weight * compound for weight, compound in weighted) / math.fsum(weight for weight, _ in weighted)
