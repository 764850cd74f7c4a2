"""Economic series of the Federal Reserve Bank of St. Louis, with or without a key."""

from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.fred.client import FredClient
from pipeline.sources.fred.source import FredSource


def create(context: SourceContext) -> Source:
    """FRED as the settings want it; nothing is asked yet.

    Raises:
        NotConfiguredError: if it is turned off.
    """
    settings = context.settings.fred
    if not settings.enabled:
        raise NotConfiguredError("turned off (fred.enabled)")
    client = FredClient(context.http, settings, context.clock)
    return FredSource(client, context.clock, context.settings.schedule.economy)
