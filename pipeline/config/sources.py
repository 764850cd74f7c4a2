"""Settings of sources: which there are, and those of the platforms that posts come from."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct, structs

from pipeline.config.marks import REPLAY, BaseUrl, StreamUrl, masked

AUTO: Final = "auto"
BUILT_IN_SOURCES: Final = (
    "alpaca",
    "alpha_vantage",
    "coinbase",
    "demo",
    "edgar",
    "finnhub",
    "fred",
    "kraken",
    "reddit",
    "simulator",
    "stocktwits",
    "yahoo",
    "yahoo_news",
)
SIMULATED_SOURCES: Final = ("demo", "simulator")
_ROUTED: Final = tuple(name for name in BUILT_IN_SOURCES if name not in SIMULATED_SOURCES)

_NAME: Final = re.compile("[a-z][a-z0-9_-]{0,31}")
_TARGET: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class CoinbaseSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Of Coinbase Exchange's public market data. Without `stream_url` there are bars only, once a minute."""

    base_url: BaseUrl = "https://api.exchange.coinbase.com"
    stream_url: StreamUrl = "wss://ws-feed.exchange.coinbase.com"


class KrakenSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Of Kraken's public market data. Without `stream_url` there are bars only, once a minute."""

    base_url: BaseUrl = "https://api.kraken.com"
    stream_url: StreamUrl = "wss://ws.kraken.com/v2"


class StockTwitsSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True
    base_url: BaseUrl = "https://api.stocktwits.com"


class RedditSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Used once `client_id` and `client_secret` are set."""

    __repr__ = masked

    client_id: str = ""
    client_secret: str = ""
    subreddits: tuple[Annotated[str, Meta(pattern="^[A-Za-z0-9_]{2,32}$")], ...] = (
        "stocks",
        "investing",
        "wallstreetbets",
    )
    base_url: BaseUrl = "https://oauth.reddit.com"
    token_url: BaseUrl = "https://www.reddit.com/api/v1/access_token"  # noqa: S105
    user_agent: Annotated[str, Meta(pattern="^[ -~]*$")] = ""


class YahooSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`fallback_url` is asked where `base_url` does not answer. Without a `stream_url` there is no stream."""

    base_url: BaseUrl = "https://query2.finance.yahoo.com"
    fallback_url: BaseUrl = "https://query1.finance.yahoo.com"
    stream_url: StreamUrl = "wss://streamer.finance.yahoo.com/?version=2"
    history_years: Annotated[int, Meta(ge=0, le=99)] = 5


class FinnhubSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Used once `api_key` is set."""

    __repr__ = masked

    api_key: str = ""
    stream_url: StreamUrl = "wss://ws.finnhub.io"
    max_symbols: Annotated[int, Meta(ge=1, le=10_000)] = 50


class AlpacaSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Used once `key_id` and `secret` are set."""

    __repr__ = masked

    key_id: str = ""
    secret: str = ""
    stream_url: StreamUrl = "wss://stream.data.alpaca.markets/v2/iex"
    max_symbols: Annotated[int, Meta(ge=1, le=10_000)] = 30


class YahooNewsSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True
    base_url: BaseUrl = "https://feeds.finance.yahoo.com"


class EdgarSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Used once `contact` is set. `forms` are named as the SEC does; amended ones come with them."""

    contact: Annotated[str, Meta(pattern="^([!-?A-~]+@[!-?A-~]+)?$", max_length=200)] = ""
    forms: tuple[Annotated[str, Meta(pattern="^[A-Z0-9][A-Z0-9 -]{0,15}$")], ...] = (
        "8-K",
        "10-K",
        "10-Q",
        "20-F",
        "6-K",
        "4",
    )
    base_url: BaseUrl = "https://www.sec.gov"
    data_url: BaseUrl = "https://data.sec.gov"


class FredSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """With an `api_key` the API is asked, else what draws the graphs of the web site."""

    __repr__ = masked

    enabled: bool = True
    api_key: str = ""
    base_url: BaseUrl = "https://fred.stlouisfed.org"
    api_url: BaseUrl = "https://api.stlouisfed.org"


class RoutesSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which sources serve what when `source` is auto, by their names. Of each kind of ticker, and of the economy, the
    first that is set up and well serves; news and posts come from all."""

    us_share: tuple[str, ...] = ("yahoo", "alpaca", "finnhub", "alpha_vantage")
    share: tuple[str, ...] = ("yahoo", "alpha_vantage")
    index: tuple[str, ...] = ("yahoo",)
    currency: tuple[str, ...] = ("yahoo",)
    future: tuple[str, ...] = ("yahoo",)
    fund: tuple[str, ...] = ("yahoo",)
    crypto: tuple[str, ...] = ("coinbase", "kraken", "yahoo")
    news: tuple[str, ...] = ("alpha_vantage", "yahoo_news", "edgar")
    economic: tuple[str, ...] = ("alpha_vantage", "fred")
    social: tuple[str, ...] = ("stocktwits", "reddit")

    @property
    def names(self) -> tuple[str, ...]:
        """All that are named, each once."""
        return tuple(dict.fromkeys(name for route in structs.astuple(self) for name in route))


def check_sources(source: str, sources: Mapping[str, str], routes: RoutesSettings) -> None:
    """Check the source chosen, the names and targets of plug-ins, and what the routes name.

    Raises:
        ValueError: for the first that cannot be; the message says what is allowed.
    """
    for name, target in sources.items():
        if name in (AUTO, *BUILT_IN_SOURCES) or not _NAME.fullmatch(name):
            raise ValueError(f"sources.{name}: choose a name of your own, of lower-case letters, digits, _ and -")
        if not _TARGET.fullmatch(target):
            raise ValueError(f'sources.{name}: {target!r} must be "package.module:factory"')
    for route in structs.fields(routes):
        for name in getattr(routes, route.name):
            if name not in (*_ROUTED, *sources):
                raise ValueError(f"routes.{route.name}: {name!r} must be {', '.join((*_ROUTED, *sources))}")
    replay = source.startswith(REPLAY) and source != REPLAY
    names = (AUTO, *BUILT_IN_SOURCES, *sources)
    if source not in names and not replay:
        raise ValueError(f"pipeline.source {source!r} must be {', '.join(names)} or replay:DIR")
