"""Topic and consumer group names. A topic carries one kind of message for one ticker."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from pipeline.model.tickers import is_ticker

STOCK_DATA: Final = "stock_data"
INDICATORS: Final = "indicators"
FORECASTS: Final = "forecasts"
SENTIMENT: Final = "sentiment"
NEWS: Final = "news"
SOCIAL: Final = "social"
ECONOMIC: Final = "economic_general"
DEAD_LETTER: Final = "dead_letter"

PER_TICKER: Final = (STOCK_DATA, INDICATORS, FORECASTS, SENTIMENT, NEWS, SOCIAL)
GENERAL: Final = (ECONOMIC, DEAD_LETTER)

# Consumer groups, one per consuming stage.
INDICATOR_GROUP: Final = "indicator-processor"
FORECAST_GROUP: Final = "forecast-processor"
SENTIMENT_GROUP: Final = "sentiment-processor"
SINK_GROUP: Final = "sink"

PRODUCER_GROUP: Final = "producer"
"""Reads nothing: the process that holds a ticker's `stock_data` topic in it, or `economic_general`, publishes it."""

GROUPS: Final = (PRODUCER_GROUP, INDICATOR_GROUP, FORECAST_GROUP, SENTIMENT_GROUP, SINK_GROUP)

READERS: Final[dict[str, tuple[str, ...]]] = {
    STOCK_DATA: (INDICATOR_GROUP, FORECAST_GROUP, SINK_GROUP),
    INDICATORS: (SINK_GROUP,),
    FORECASTS: (SINK_GROUP,),
    SENTIMENT: (SINK_GROUP,),
    NEWS: (SENTIMENT_GROUP, SINK_GROUP),
    SOCIAL: (SENTIMENT_GROUP, SINK_GROUP),
    ECONOMIC: (SINK_GROUP,),
    DEAD_LETTER: (SINK_GROUP,),
}
"""Which groups read which kind of topic."""


def read_by(group: str) -> frozenset[str]:
    """The kinds of topics that the group reads."""
    return frozenset(kind for kind, groups in READERS.items() if group in groups)


_MANY: Final = 1 << 16
"""More topics than any watchlist needs."""
_ESCAPED = re.compile(r"_([0-9a-f]{2})")


@lru_cache(maxsize=_MANY)
def topic_for(prefix: str, ticker: str) -> str:
    """The topic of one kind for one ticker.

    Kafka allows ``[a-zA-Z0-9._-]`` and confuses ``.`` with ``_`` in metric names, so every character other than a
    lower-case letter, a digit or ``-`` becomes ``_`` and its two hexadecimal digits. That is injective, for ``_``
    itself is escaped too: ``BRK.B`` → ``stock_data_brk_2eb``, ``^GSPC`` → ``stock_data__5egspc``.
    """
    return f"{prefix}_" + "".join(
        c if c.isascii() and (c.isalnum() or c == "-") else f"_{ord(c):02x}" for c in ticker.lower()
    )


@lru_cache(maxsize=_MANY)  # asked for every record
def split_topic(topic: str) -> tuple[str, str | None]:
    """The inverse of `topic_for`: prefix and ticker; the ticker is None for a topic that belongs to none.

    Raises:
        ValueError: if the topic is none of ours.
    """
    if topic in GENERAL:
        return topic, None
    for prefix in PER_TICKER:
        if topic.startswith(f"{prefix}_"):
            escaped = topic[len(prefix) + 1 :]
            ticker = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), escaped).upper()
            # A topic of another application may begin like ours, such as social_media_posts.
            if is_ticker(ticker) and topic_for(prefix, ticker) == topic:
                return prefix, ticker
    raise ValueError(f"{topic!r} is not a topic of this pipeline")


def is_ours(name: str) -> bool:
    """Whether it is a topic of a pipeline: a broker may be shared with others."""
    try:
        split_topic(name)
    except ValueError:
        return False
    return True


def ours(names: Iterable[str]) -> set[str]:
    """Those of the names that are topics of a pipeline."""
    return {name for name in names if is_ours(name)}


def topics_of(ticker: str) -> list[str]:
    """All topics of one ticker."""
    return [topic_for(prefix, ticker) for prefix in PER_TICKER]
