"""What a ticker is, and where it trades: read from the symbol, as Yahoo writes it. Pure.

A symbol with a suffix names its exchange (``VOD.L``), one with a mark its kind (``^GSPC``, ``EURUSD=X``, ``GC=F``); one
with neither is taken for a share in the United States.
"""

import re
from functools import cache, lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

AssetClass = Literal["us_share", "share", "index", "currency", "future", "fund", "crypto"]
"""``share`` is one of another country, or what the symbol does not tell."""


class Exchange(NamedTuple):
    """Where something trades.

    `code` is the market's MIC (ISO 10383), or a word where there is no single one. `calendar` names its hours in the
    package exchange_calendars, None where that has none. `zone` is the time zone in whose calendar days it reckons.
    """

    code: str
    calendar: str | None
    zone: str


UNITED_STATES: Final = Exchange("XNYS", "XNYS", "America/New_York")
CRYPTO: Final = Exchange("crypto", "24/7", "UTC")
# Daily bars of currencies begin at midnight in London, those of futures at midnight in New York.
CURRENCIES: Final = Exchange("currency", "24/5", "Europe/London")
FUTURES: Final = Exchange("CMES", "CMES", "America/New_York")

_BERLIN: Final = "Europe/Berlin"
_TORONTO: Final = "America/Toronto"
_EXCHANGES: Final[dict[str, Exchange]] = {
    # By the suffix of Yahoo.
    "AS": Exchange("XAMS", "XAMS", "Europe/Amsterdam"),
    "AT": Exchange("ASEX", "ASEX", "Europe/Athens"),
    "AX": Exchange("XASX", "XASX", "Australia/Sydney"),
    "BA": Exchange("XBUE", "XBUE", "America/Argentina/Buenos_Aires"),
    "BD": Exchange("XBUD", "XBUD", "Europe/Budapest"),
    "BE": Exchange("XBER", "XFRA", _BERLIN),
    "BK": Exchange("XBKK", "XBKK", "Asia/Bangkok"),
    "BO": Exchange("XBOM", "XBOM", "Asia/Kolkata"),
    "BR": Exchange("XBRU", "XBRU", "Europe/Brussels"),
    "CA": Exchange("XCAI", None, "Africa/Cairo"),
    "CL": Exchange("XBOG", "XBOG", "America/Bogota"),
    "CN": Exchange("XCNQ", "XTSE", _TORONTO),
    "CO": Exchange("XCSE", "XCSE", "Europe/Copenhagen"),
    "DE": Exchange("XETR", "XETR", _BERLIN),
    "DU": Exchange("XDUS", "XDUS", _BERLIN),
    "F": Exchange("XFRA", "XFRA", _BERLIN),
    "HA": Exchange("XHAN", "XFRA", _BERLIN),
    "HE": Exchange("XHEL", "XHEL", "Europe/Helsinki"),
    "HK": Exchange("XHKG", "XHKG", "Asia/Hong_Kong"),
    "HM": Exchange("XHAM", "XHAM", _BERLIN),
    "IC": Exchange("XICE", "XICE", "Atlantic/Reykjavik"),
    "IL": Exchange("XLON", "XLON", "Europe/London"),
    "IR": Exchange("XDUB", "XDUB", "Europe/Dublin"),
    "IS": Exchange("XIST", "XIST", "Europe/Istanbul"),
    "JK": Exchange("XIDX", "XIDX", "Asia/Jakarta"),
    "JO": Exchange("XJSE", "XJSE", "Africa/Johannesburg"),
    "KL": Exchange("XKLS", "XKLS", "Asia/Kuala_Lumpur"),
    "KQ": Exchange("XKOS", "XKRX", "Asia/Seoul"),
    "KS": Exchange("XKRX", "XKRX", "Asia/Seoul"),
    "KW": Exchange("XKUW", None, "Asia/Kuwait"),
    "L": Exchange("XLON", "XLON", "Europe/London"),
    "LS": Exchange("XLIS", "XLIS", "Europe/Lisbon"),
    "MC": Exchange("XMAD", "XMAD", "Europe/Madrid"),
    "ME": Exchange("XMOS", "XMOS", "Europe/Moscow"),
    "MI": Exchange("XMIL", "XMIL", "Europe/Rome"),
    "MU": Exchange("XMUN", "XFRA", _BERLIN),
    "MX": Exchange("XMEX", "XMEX", "America/Mexico_City"),
    "NE": Exchange("NEOE", "XTSE", _TORONTO),
    "NS": Exchange("XNSE", "XBOM", "Asia/Kolkata"),
    "NZ": Exchange("XNZE", "XNZE", "Pacific/Auckland"),
    "OL": Exchange("XOSL", "XOSL", "Europe/Oslo"),
    "PA": Exchange("XPAR", "XPAR", "Europe/Paris"),
    "PR": Exchange("XPRA", "XPRA", "Europe/Prague"),
    "PS": Exchange("XPHS", "XPHS", "Asia/Manila"),
    "QA": Exchange("DSMD", None, "Asia/Qatar"),
    "RG": Exchange("XRIS", "XRIS", "Europe/Riga"),
    "RO": Exchange("XBSE", "XBSE", "Europe/Bucharest"),
    "SA": Exchange("BVMF", "BVMF", "America/Sao_Paulo"),
    "SG": Exchange("XSTU", "XSTU", _BERLIN),
    "SI": Exchange("XSES", "XSES", "Asia/Singapore"),
    "SN": Exchange("XSGO", "XSGO", "America/Santiago"),
    "SR": Exchange("XSAU", "XSAU", "Asia/Riyadh"),
    "SS": Exchange("XSHG", "XSHG", "Asia/Shanghai"),
    "ST": Exchange("XSTO", "XSTO", "Europe/Stockholm"),
    "SW": Exchange("XSWX", "XSWX", "Europe/Zurich"),
    "SZ": Exchange("XSHE", "XSHG", "Asia/Shanghai"),
    "T": Exchange("XTKS", "XTKS", "Asia/Tokyo"),
    "TA": Exchange("XTAE", "XTAE", "Asia/Jerusalem"),
    "TL": Exchange("XTAL", "XTAL", "Europe/Tallinn"),
    "TO": Exchange("XTSE", "XTSE", _TORONTO),
    "TW": Exchange("XTAI", "XTAI", "Asia/Taipei"),
    "TWO": Exchange("ROCO", "XTAI", "Asia/Taipei"),
    "V": Exchange("XTSX", "XTSE", _TORONTO),
    "VI": Exchange("XWBO", "XWBO", "Europe/Vienna"),
    "VN": Exchange("XSTC", None, "Asia/Ho_Chi_Minh"),
    "VS": Exchange("XLIT", "XLIT", "Europe/Vilnius"),
    "WA": Exchange("XWAR", "XWAR", "Europe/Warsaw"),
}
_BY_ALPHA_VANTAGE: Final = {
    "BSE": "BO", "DEX": "DE", "FRK": "F", "LON": "L", "SHH": "SS", "SHZ": "SZ", "TRT": "TO", "TRV": "V",
}  # fmt: skip
"""What Alpha Vantage calls some of them."""
_BY_SUFFIX: Final = _EXCHANGES | {theirs: _EXCHANGES[suffix] for theirs, suffix in _BY_ALPHA_VANTAGE.items()}
# Single contracts (ESZ26.CME) trade on the exchanges of =F.
_OF_FUTURES: Final = frozenset({"CBT", "CME", "CMX", "NYB", "NYM"})
# An index has no suffix: here by that of the exchange whose shares it is made of. Others are American.
_INDICES: Final[dict[str, tuple[str, ...]]] = {
    "AS": ("^AEX",),
    "AX": ("^AORD", "^AXJO"),
    "BA": ("^MERV",),
    "BO": ("^BSESN",),
    "BR": ("^BFX",),
    "CO": ("^OMXC25",),
    "DE": ("^GDAXI", "^MDAXI", "^SDAXI", "^STOXX", "^STOXX50E", "^TECDAX"),
    "HE": ("^OMXH25",),
    "HK": ("^HSCE", "^HSI"),
    "IR": ("^ISEQ",),
    "JK": ("^JKSE",),
    "KL": ("^KLSE",),
    "KQ": ("^KQ11",),
    "KS": ("^KS11", "^KS200"),
    "L": ("^FTAS", "^FTLC", "^FTMC", "^FTSE"),
    "MC": ("^IBEX",),
    "MX": ("^MXX",),
    "NS": ("^CNXIT", "^NSEBANK", "^NSEI"),
    "NZ": ("^NZ50",),
    "PA": ("^FCHI",),
    "SA": ("^BVSP",),
    "SI": ("^STI",),
    "ST": ("^OMX",),
    "SW": ("^SSMI",),
    "T": ("^N225",),
    "TO": ("^GSPTSE",),
    "TW": ("^TWII",),
    "VI": ("^ATX",),
}
_OF_INDEX: Final = {index: suffix for suffix, indices in _INDICES.items() for index in indices}
# What crypto-currencies are priced in; no class of a share is called so.
_CRYPTO: Final = re.compile(
    r".+-(?:AUD|BRL|CAD|CHF|CNY|EUR|GBP|HKD|INR|JPY|KRW|MXN|NOK|NZD|PLN|RUB|SEK|SGD|TRY|USD|ZAR|BTC|ETH|USDC|USDT)"
)
_US_SHARE: Final = re.compile(r"[A-Z]{1,5}(?:-[A-Z]{1,3}|\.[A-Z])?")
_US_FUND: Final = re.compile(r"[A-Z]{4}X")


@lru_cache(4096)
def asset_class(ticker: str) -> AssetClass:
    """What the symbol, in upper case, names."""
    base, _, suffix = ticker.rpartition(".")
    if ticker.startswith("^"):
        return "index"
    if ticker.endswith("=X"):
        return "currency"
    if ticker.endswith("=F") or (base and suffix in _OF_FUTURES):
        return "future"
    if ticker.startswith("0P") or _US_FUND.fullmatch(ticker):
        return "fund"
    if base and suffix in _BY_SUFFIX:
        return "share"
    if _CRYPTO.fullmatch(ticker):
        return "crypto"
    return "us_share" if _US_SHARE.fullmatch(ticker) else "share"


@lru_cache(4096)
def exchange_of(ticker: str) -> Exchange:
    """Where it trades: `UNITED_STATES` unless the symbol, in upper case, says otherwise."""
    match asset_class(ticker):
        case "crypto":
            return CRYPTO
        case "currency":
            return CURRENCIES
        case "future":
            return FUTURES
    base, _, suffix = ticker.rpartition(".")
    return _BY_SUFFIX.get(suffix if base else _OF_INDEX.get(ticker, ""), UNITED_STATES)


def zone_of(ticker: str, default: ZoneInfo) -> ZoneInfo:
    """The time zone whose calendar days are the ticker's; `default` where its symbol names no exchange."""
    exchange = exchange_of(ticker)
    return default if exchange is UNITED_STATES else _zone(exchange.zone)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
