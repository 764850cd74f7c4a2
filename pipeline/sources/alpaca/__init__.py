"""Trades and bars of American shares on the exchange IEX from Alpaca's websocket, with a free account's key.

https://docs.alpaca.markets/docs/real-time-stock-pricing-data
"""

from pipeline.net.stream import MessageStream
from pipeline.sources.alpaca.protocol import SOURCE, AlpacaProtocol
from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.share_stream import Plan, ShareStreamSource, Tickers


def create(context: SourceContext) -> Source:
    """Alpaca as the settings want it; nothing is opened yet.

    Raises:
        NotConfiguredError: if there is no key, or no address.
    """
    settings, clock = context.settings.alpaca, context.clock
    if not (settings.key_id and settings.secret):
        raise NotConfiguredError("no Alpaca key (APCA_API_KEY_ID, APCA_API_SECRET_KEY)")
    if not settings.stream_url:
        raise NotConfiguredError("no stream (alpaca.stream_url)")
    tickers = Tickers(settings.max_symbols)
    protocol = AlpacaProtocol(tickers, clock, settings.key_id, settings.secret)
    stream = MessageStream(settings.stream_url, protocol, clock, name=SOURCE)
    plan = Plan("Alpaca", settings.max_symbols, "alpaca.max_symbols")
    return ShareStreamSource(SOURCE, plan, stream, protocol, tickers, clock)
