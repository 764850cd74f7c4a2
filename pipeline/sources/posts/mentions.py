"""Whether a text really names a ticker. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

CURRENCIES: Final = frozenset(
    [
        "USD",
        "USDT",
        "USDC",
        "USDE",
        "EUR",
        "GBP",
        "JPY",
        "CHF",
        "CAD",
        "AUD",
        "NZD",
        "INR",
        "KRW",
        "BRL",
        "TRY",
        "BTC",
        "ETH",
    ]
)
"""What pairs are quoted in."""
_LONGEST_US: Final = 5
"""Letters of a symbol in the United States; what is shorter may be another company's there."""

_CLASS_SHARE: Final = re.compile(r"^([A-Z]+)-([A-Z])$")
_CURRENCY_PAIR: Final = re.compile(r"([A-Z]{3})([A-Z]{3})=X")
_THEIR_SUFFIXES: Final = {".NS": ".NSE", ".BO": ".BSE", "=F": "_F"}
"""Those of StockTwits; of other exchanges it has American receipts under the same letters, or nothing."""

SHORT: Final = 2
"""Symbols of this many letters or fewer are words, initials and typing errors more often than tickers."""

# Symbols of listed companies and funds that are also words of English or of such forums, in capitals as well.
_WORDS = """
ALL AND ANY ARE BEST BIG BUY CAN CAR CARE CASH CEO CFO CPI DOW EAT EDIT ELSE EPS ETF EVER FAST FOMO FOR FUN
GDP GOOD HAS HEAR HOLD HOME HOPE IMO IPO IRA KEY LIFE LOAN LOVE LOW MAIN MAN MOON NEW NEXT NICE NOW NYC OLD ONE
OPEN OUT OWN PAY PLAY POST POOL PUMP REAL RIDE ROCK ROTH RUN SAFE SAVE SEC SEE SELF SON SPOT STAY SUN TALK TAX
DOT ETC GAS LINK NEAR TECH TELL TEN TOP TRUE TURN TWO UBI USA VERY WELL WEN WISH WOLF WORK YOLO YOU
"""
WORDS: Final = frozenset(_WORDS.split())


def names(text: str, ticker: str) -> bool:
    """Whether the text names the ticker: as a cashtag in any case, or as a word in capitals.

    A symbol that is short or a word of its own (`A`, `IT`, `ALL`) counts only as a cashtag. Of a pair its base is
    enough (`BTC` names `BTC-USD`); see `spoken`. `BRK` is not named by `BRK.B`.
    """
    cashtag, word = _patterns(ticker)
    return cashtag.search(text) is not None or (word is not None and word.search(text) is not None)


def base_of(ticker: str) -> str | None:
    """`BTC` of the pair `BTC-USD`; None of what is not a pair, such as the share class `BRK-B`."""
    base, _, quoted_in = ticker.rpartition("-")
    return base if base and quoted_in in CURRENCIES else None


def spoken(ticker: str) -> str:
    """What people call it, where that can mean nothing else: a pair by its base, an index without its caret, currencies
    without `=X`; a symbol without its exchange only if no symbol of the United States looks like it (`RELIANCE`, but
    `SAN.PA`, for `SAN` is another company's)."""
    if (base := base_of(ticker)) is not None:
        return base
    stem, dot, exchange = ticker.removesuffix("=X").lstrip("^").partition(".")
    return stem if not dot or not exchange or _is_foreign(stem) else f"{stem}.{exchange}"


def _is_foreign(stem: str) -> bool:
    """Whether it cannot be a symbol of the United States, nor a number."""
    return any(c.isalpha() for c in stem) and (len(stem) > _LONGEST_US or not stem.isalpha())


def is_ambiguous(ticker: str) -> bool:
    """Whether only a cashtag can mean the ticker."""
    symbol = spoken(ticker)
    # A word with & is a name of many things: M&M.
    return len(symbol) <= SHORT or symbol in WORDS or ("&" in symbol and len(symbol) <= _LONGEST_US)


def cashtag_of(ticker: str) -> str:
    """How StockTwits writes it, without the dollar sign: `BTC.X` for `BTC-USD`, `BRK.B` for `BRK-B`, `RELIANCE.NSE` for
    `RELIANCE.NS`, `EURUSD` for `EURUSD=X`, `ES_F` for `ES=F`, `VIX` for `^VIX`."""
    if (base := base_of(ticker)) is not None:
        return f"{base}.X"
    symbol = _CLASS_SHARE.sub(r"\1.\2", ticker.lstrip("^").removesuffix("=X"))
    for suffix, theirs in _THEIR_SUFFIXES.items():
        if symbol.endswith(suffix):
            return symbol.removesuffix(suffix) + theirs
    return symbol


def _all_names(ticker: str) -> set[str]:
    """What the ticker is called, its own symbol included."""
    found = {ticker.lstrip("^"), spoken(ticker), cashtag_of(ticker)}
    if base_of(ticker) is not None:
        found.add(ticker.replace("-", ""))
    if match := _CURRENCY_PAIR.fullmatch(ticker):
        found.add(f"{match[1]}/{match[2]}")
    return found


@lru_cache(maxsize=1024)
def _patterns(ticker: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    called = _all_names(ticker)
    end = r"(?![A-Za-z0-9_]|[.\-=][A-Z0-9])"
    cashtag = re.compile(rf"(?<![\w$])(?i:\$\^?(?:{_any_of(called)})){end}")
    words = called - {spoken(ticker)} if is_ambiguous(ticker) else called
    # After a slash only in a list such as TSLA/NVDA, for what follows one elsewhere is part of an address.
    begin = r"(?:(?<![\w$.\-=/])|(?<=[A-Z]/))"
    return cashtag, re.compile(rf"{begin}(?:{_any_of(words)}){end}") if words else None


def _any_of(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names)))
