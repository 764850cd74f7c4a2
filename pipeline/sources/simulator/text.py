"""Simulated headlines and posts from templates, good, bad or neither."""

from abc import ABC, abstractmethod
from datetime import datetime
from random import Random
from typing import Final, Literal

from pipeline.model.messages import Article, Post
from pipeline.sources.simulator.path import SOURCE, PricePath, moment

Mood = Literal["positive", "neutral", "negative"]
Tag = Literal["bullish", "bearish"]

MOOD_OVER: Final = 1800
"""Seconds of the price move that a mood follows."""
MOOD_GAIN: Final = 0.6

_TITLES: Final[dict[Mood, tuple[str, ...]]] = {
    "positive": (
        "{t} beats quarterly estimates on strong demand, raises full-year outlook",
        "{t} wins {usd} contract as customers return",
        "Analysts upgrade {t} to buy, citing improving margins and a healthy order book",
        "{t} shares gain {pct}% after impressive guidance",
        "Why {t} may be the best-positioned name in its sector",
        "{t} rewards shareholders with a {usd} buyback and a higher dividend",
        "{t}: record profit",
    ),
    "neutral": (
        "{t} to report {quarter} results next week: what to watch",
        "{t} names new head of investor relations",
        "Options traders position for a {pct}% move in {t}",
        "{t} schedules annual meeting, publishes proxy statement",
        "{t} files {usd} shelf registration",
        "How {t} compares with its peers on price to earnings",
    ),
    "negative": (
        "{t} misses estimates as weak demand hurts margins, cuts outlook",
        "{t} shares drop {pct}% on fears of a price war",
        "Regulators investigate {t} over accounting problems",
        "{t} warns of a {usd} loss after failed product launch",
        "Analysts downgrade {t} to sell, worried about rising debt",
        "{t} hit by lawsuit; investors lose confidence",
        "{t}: layoffs and a profit warning",
    ),
}
_SUMMARIES: Final[dict[Mood, tuple[str, ...]]] = {
    "positive": (
        "Revenue grew {pct}% in {quarter}, comfortably ahead of consensus, and free cash flow improved once more.",
        "The company said demand remains strong across its segments and sees an opportunity to expand.",
        "",
    ),
    "neutral": (
        "The announcement does not change the guidance for {quarter}. Trading volume was in line with its average.",
        "A spokesperson declined to comment beyond the statement.",
        "",
    ),
    "negative": (
        "Revenue fell {pct}% in {quarter}, and management warned that conditions may get worse before they recover.",
        "The company blamed poor demand and rising costs, and suspended its guidance.",
        "",
    ),
}
_POSTS: Final[dict[Mood, tuple[str, ...]]] = {
    "positive": (
        "${t} looking great here, added more 🚀",
        "${t} breaking out on solid volume. Love this chart 📈",
        "Best earnings call in years. ${t} is a buy and I am happy to hold",
        "${t} +{pct}% 💪",
        "Strong bid under ${t} all morning, bears are in trouble. Target is {pct}% higher and I feel good about it",
        "took profits on ${t}, great trade. will gladly buy the dip 😀",
    ),
    "neutral": (
        "Anyone watching ${t} into {quarter}?",
        "${t} going sideways, waiting for a close outside the range",
        "${t} implied volatility at {pct}% for the next expiry",
        "What is your average on ${t}? 🤔",
        "${t}",
    ),
    "negative": (
        "${t} looks terrible, getting out before it gets worse 😡",
        "Sold all my ${t}. Weak volume, ugly chart 📉",
        "${t} down {pct}% and still overvalued. Horrible guidance",
        "Another bad quarter coming for ${t}, I fear. Short from here, stop above yesterday's high",
        "bagholders of ${t} are crying 😢",
        "${t} dead cat bounce, this will fail",
    ),
}
_PUBLISHERS: Final = ("Simulated Wire", "The Daily Simulation", "Sim Street Journal", "Synthetic Markets")
_AUTHORS: Final = (
    "chartist",
    "deltahedge",
    "gammagirl",
    "longview",
    "papertrader",
    "quietbull",
    "thetafarm",
    "volwatcher",
)
_TAGS: Final[dict[Mood, Tag]] = {"positive": "bullish", "negative": "bearish"}


class TextStream(ABC):
    """Numbered items of a ticker, one in every `period` seconds of simulated time, at a random moment of it.

    An item is a pure function of seed, ticker and number.
    """

    kind: str
    period: int

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def number_at(self, seconds: float) -> int:
        """The number of the item whose period it is; all before it have appeared."""
        return int(seconds // self.period)

    def time_of(self, ticker: str, number: int) -> float:
        """When the item appears, in seconds since the epoch."""
        return self._time(self._random(ticker, number), number)

    def item(self, path: PricePath, number: int) -> Article | Post:
        """The item; its mood loosely follows what the price did before."""
        random = self._random(path.ticker, number)
        seconds = self._time(random, number)
        feeling = random.gauss(MOOD_GAIN * path.move(seconds, MOOD_OVER), 1)
        mood: Mood = "positive" if feeling > 0.5 else "negative" if feeling < -0.5 else "neutral"
        return self._make(path.ticker, f"simulated-{self.kind}-{number}", moment(seconds), mood, random)

    @abstractmethod
    def _make(self, ticker: str, identity: str, ts: datetime, mood: Mood, random: Random) -> Article | Post: ...

    def _random(self, ticker: str, number: int) -> Random:
        return Random(f"{self._seed}|{ticker}|{self.kind}|{number}")

    def _time(self, random: Random, number: int) -> float:
        return (number + random.random()) * self.period


class NewsStream(TextStream):
    kind = "article"
    period = 300

    def _make(self, ticker: str, identity: str, ts: datetime, mood: Mood, random: Random) -> Article:
        values = _values(ticker, random)
        return Article(
            ticker=ticker,
            ts=ts,
            simulated=True,
            source=SOURCE,
            id=identity,
            title=random.choice(_TITLES[mood]).format_map(values),
            summary=random.choice(_SUMMARIES[mood]).format_map(values),
            publisher=random.choice(_PUBLISHERS),
        )


class PostStream(TextStream):
    kind = "post"
    period = 60

    def _make(self, ticker: str, identity: str, ts: datetime, mood: Mood, random: Random) -> Post:
        return Post(
            ticker=ticker,
            ts=ts,
            simulated=True,
            source=SOURCE,
            id=identity,
            text=random.choice(_POSTS[mood]).format_map(_values(ticker, random)),
            author=f"{random.choice(_AUTHORS)}{random.randrange(100)}",
            tag=_TAGS.get(mood) if random.random() < 0.3 else None,
        )


def _values(ticker: str, random: Random) -> dict[str, str]:
    return {
        "t": ticker,
        "pct": f"{random.uniform(1, 12):.1f}",
        "usd": f"${random.randrange(1, 95) / 10:.1f} billion",
        "quarter": f"Q{random.randrange(1, 5)}",
    }
