"""Coinbase Exchange: live prices and candles of crypto-currencies, without a key."""

from typing import Final

from pipeline.net.rate_limit import RateLimiter
from pipeline.net.request_budget import RateLimit
from pipeline.sources.base import Source, SourceContext
from pipeline.sources.coinbase.client import CoinbaseExchange
from pipeline.sources.coinbase.streamer import CoinbaseStreamer
from pipeline.sources.crypto.source import exchange_source

RATES: Final = (RateLimit(3, 1.0),)
"""A third of what is allowed to everybody."""


def create(context: SourceContext) -> Source:
    """The source; nothing is asked yet."""
    settings, clock = context.settings.coinbase, context.clock
    limiter = RateLimiter(clock, RATES, at_once=2)
    exchange = CoinbaseExchange(context.http, settings.base_url, clock, limiter.permit)
    return exchange_source(exchange, settings.stream_url, CoinbaseStreamer, clock)
