"""Whether a text really names a ticker. Pure."""

import re
from functools import lru_cache
from typing import Final

SHORT: Final = 2
"""Symbols of this many letters or fewer are words, initials and typing errors more often than tickers."""

# Symbols of listed companies and funds that are also words of English or of such forums, in capitals as well.
_WORDS = """
ALL AND ANY ARE BEST BIG BUY CAN CAR CARE CASH CEO CFO CPI DOW EAT EDIT ELSE EPS ETF EVER FAST FOMO FOR FUN
GDP GOOD HAS HEAR HOLD HOME HOPE IMO IPO IRA KEY LIFE LOAN LOVE LOW MAIN MAN MOON NEW NEXT NICE NOW NYC OLD ONE
OPEN OUT OWN PAY PLAY POST POOL PUMP REAL RIDE ROCK ROTH RUN SAFE SAVE SEC SEE SELF SON SPOT STAY SUN TALK TAX
TECH TELL TEN TOP TRUE TURN TWO UBI USA VERY WELL WEN WISH WOLF WORK YOLO YOU
"""
WORDS: Final = frozenset(_WORDS.split())


def names(text: str, ticker: str) -> bool:
    """Whether the text names the ticker: as a cashtag in any case, or as a word in capitals.

    A symbol that is short or a word of its own (`A`, `IT`, `ALL`) counts only as a cashtag. The caret of an index is
    left out by people, and so here. `BRK` is not named by `BRK.B`.
    """
    cashtag, word = _patterns(ticker)
    return cashtag.search(text) is not None or (word is not None and word.search(text) is not None)


def is_ambiguous(ticker: str) -> bool:
    """Whether only a cashtag can mean the ticker."""
    symbol = ticker.lstrip("^")
    return len(symbol) <= SHORT or symbol in WORDS


@lru_cache(maxsize=1024)
def _patterns(ticker: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    symbol = re.escape(ticker.lstrip("^"))
    end = r"(?![A-Za-z0-9_]|[.\-=][A-Z0-9])"
    cashtag = re.compile(rf"(?<![\w$])(?i:\$\^?{symbol}){end}")
    return cashtag, None if is_ambiguous(ticker) else re.compile(rf"(?<![\w$.\-=/]){symbol}{end}")
