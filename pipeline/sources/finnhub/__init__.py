"""Trades of American shares from Finnhub's websocket, with a free key (https://finnhub.io/docs/api/websocket-trades)."""

from typing import Final
from urllib.parse import quote

from pipeline.net.stream import MessageStream
from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.finnhub.protocol import SOURCE, FinnhubProtocol
from pipeline.sources.share_stream import Plan, ShareStreamSource, Tickers
from pipeline.sources.trades import MinuteBars

QUIET: Final = 600.0
"""Seconds without a frame after which the connection is replaced. Finnhub sends pings when nothing is traded."""


def create(context: SourceContext) -> Source:
    """Finnhub as the settings want it; nothing is opened yet.

    Raises:
        NotConfiguredError: if there is no key, or no address.
    """
    settings, clock = context.settings.finnhub, context.clock
    if not settings.api_key:
        raise NotConfiguredError("no Finnhub key (FINNHUB_API_KEY, free at https://finnhub.io/register)")
    if not settings.stream_url:
        raise NotConfiguredError("no stream (finnhub.stream_url)")
    tickers, bars = Tickers(settings.max_symbols), MinuteBars(SOURCE, "USD")
    protocol = FinnhubProtocol(tickers, bars, clock, settings.api_key)
    # The key has to stand in the address, by their protocol: the client shows no address to anybody.
    separator = "&" if "?" in settings.stream_url else "?"
    url = f"{settings.stream_url}{separator}token={quote(settings.api_key, safe='')}"
    stream = MessageStream(url, protocol, clock, name=SOURCE, quiet=QUIET)
    plan = Plan("Finnhub", settings.max_symbols, "finnhub.max_symbols")
    return ShareStreamSource(SOURCE, plan, stream, protocol, tickers, clock, bars)
