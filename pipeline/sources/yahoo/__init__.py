"""Yahoo's charts and its stream of quotes: no key, no cookie, for personal use."""

from pipeline.net.rate_limit import RateLimiter
from pipeline.sources.base import SourceContext
from pipeline.sources.yahoo.client import AT_ONCE, RATES, YahooClient
from pipeline.sources.yahoo.feed import ChartFeed
from pipeline.sources.yahoo.market import MarketFeed
from pipeline.sources.yahoo.memory import MEMORY_FILE, SplitMemory
from pipeline.sources.yahoo.schedule import Schedule
from pipeline.sources.yahoo.source import YahooSource
from pipeline.sources.yahoo.troubles import Troubles


def create(context: SourceContext, limiter: RateLimiter | None = None) -> YahooSource:
    """The source, its memory in the directory of the namespace; nothing is asked yet. By default within our rates."""
    settings, clock = context.settings, context.clock
    options = settings.yahoo
    limiter = limiter or RateLimiter(clock, RATES, at_once=AT_ONCE)
    client = YahooClient(context.http, (options.base_url, options.fallback_url), clock, limiter)
    troubles = Troubles(clock)
    memory = SplitMemory(context.space / MEMORY_FILE)
    charts = ChartFeed(client, Schedule(settings.schedule.stock), troubles, memory, clock, options.history_years)
    market = MarketFeed(charts, options.stream_url, clock)
    return YahooSource(client, market, troubles, memory, clock, options.history_years)
