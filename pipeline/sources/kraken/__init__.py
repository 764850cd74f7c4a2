"""Kraken: live prices and candles of crypto-currencies, without a key."""

from typing import Final

from pipeline.net.rate_limit import RateLimiter
from pipeline.net.request_budget import RateLimit
from pipeline.sources.base import Source, SourceContext
from pipeline.sources.crypto.source import exchange_source
from pipeline.sources.kraken.client import KrakenExchange
from pipeline.sources.kraken.streamer import KrakenStreamer

RATES: Final = (RateLimit(1, 1.0),)
"""Cautious, for Kraken gives no figure for what needs no key."""


def create(context: SourceContext) -> Source:
    """The source; nothing is asked yet."""
    settings, clock = context.settings.kraken, context.clock
    limiter = RateLimiter(clock, RATES, at_once=1)
    exchange = KrakenExchange(context.http, settings.base_url, clock, limiter.permit)
    return exchange_source(exchange, settings.stream_url, KrakenStreamer, clock)
