"""How much of an article or a post is about one ticker. Pure."""

import re
from typing import Final

from pipeline.model.messages import Article, Post

_NAMED: Final = re.compile(
    r"\$([A-Za-z][A-Za-z.]{0,9})\b|\b(?:NYSE|NASDAQ|Nasdaq|AMEX|OTC|LSE|TSX): ?([A-Z][A-Z.]{0,6})\b"
)


def weight_of(message: Article | Post) -> float:
    """From 0 to 1: the provider's word for it; else the part that falls to each of the tickers that the text names.

    A ticker is named as a cashtag (``$AAPL``) or with its exchange (``NASDAQ: AAPL``).
    """
    if isinstance(message, Post):
        return _part(message.text)
    if message.relevance is not None:
        return message.relevance
    return _part(f"{message.title} {message.summary}")


def _part(text: str) -> float:
    if "$" not in text and ":" not in text:
        return 1.0
    named = {(cashtag or symbol).upper().rstrip(".") for cashtag, symbol in _NAMED.findall(text)}
    return 1 / max(len(named), 1)
