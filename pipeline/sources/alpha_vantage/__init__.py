"""Alpha Vantage: its client, its replies and errors, and the source that keeps to its request budget."""

import math
from pathlib import Path
from typing import Final

from pipeline.clock import Clock
from pipeline.config.settings import AlphaVantageSettings, Settings
from pipeline.net.http import Http
from pipeline.net.request_budget import Budget, RateLimit
from pipeline.sources.alpha_vantage.client import AlphaVantageClient
from pipeline.sources.alpha_vantage.memory import BUDGET_FILE, MEMORY_FILE, PlanMemory, fingerprint
from pipeline.sources.alpha_vantage.replies import US_EASTERN
from pipeline.sources.alpha_vantage.schedule import Planner, RefreshIntervals
from pipeline.sources.alpha_vantage.scheduler import FULL, RequestScheduler
from pipeline.sources.alpha_vantage.series import PERIODS
from pipeline.sources.alpha_vantage.source import AlphaVantageSource
from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.market_hours import Hours, MarketHours

FREE_LACKS: Final = ("intraday", "bulk", FULL)
_MARGIN: Final = 0.5
"""Seconds that windows are longer for us: the provider measures between arrivals, which lie closer than departures."""


def create(context: SourceContext) -> Source:
    """The source, its budget and memory in the data directory; nothing is asked yet.

    Raises:
        NotConfiguredError: if there is no key.
    """
    settings, clock = context.settings, context.clock
    options = settings.alpha_vantage
    if not options.api_key:
        raise NotConfiguredError(
            "the source alpha_vantage needs a key: export ALPHA_VANTAGE_API_KEY=… "
            "(free at https://www.alphavantage.co/support/#api-key)"
        )
    budget = budget_of(options, context.data_dir, clock)
    client = client_of(options, budget, clock, context.http)
    scheduler = scheduler_of(settings, budget, memory_of(options, context.space), MarketHours(clock), clock)
    return AlphaVantageSource(client, scheduler)


def budget_of(options: AlphaVantageSettings, data_dir: Path, clock: Clock) -> Budget:
    """What the plan allows."""
    per_minute, free = options.requests_per_minute, options.plan == "free"
    rates = (
        [RateLimit(1, 1 + _MARGIN)]
        if free
        else [RateLimit(math.ceil(per_minute / 60), 1), RateLimit(per_minute, 60 + _MARGIN)]
    )
    return Budget(
        data_dir / BUDGET_FILE,
        clock,
        key=fingerprint(options.api_key),
        rates=rates,
        per_day=options.requests_per_day if free else None,
        zone=US_EASTERN,
    )


def client_of(options: AlphaVantageSettings, budget: Budget, clock: Clock, http: Http) -> AlphaVantageClient:
    """Asks within the budget; where the day is rationed, once, for an outage must not eat it up."""
    return AlphaVantageClient(
        http,
        options.api_key,
        clock=clock,
        base_url=options.base_url,
        permit=budget.permit,
        attempts=None if budget.per_day is None else 1,
    )


def memory_of(options: AlphaVantageSettings, data_dir: Path) -> PlanMemory:
    """What earlier runs with this key have learnt."""
    return PlanMemory(data_dir / MEMORY_FILE, fingerprint(options.api_key))


def scheduler_of(
    settings: Settings, budget: Budget, memory: PlanMemory, hours: Hours, clock: Clock
) -> RequestScheduler:
    """Where the requests of one source come together."""
    pace, options = settings.schedule, settings.alpha_vantage
    planner = Planner(
        RefreshIntervals(stock=pace.stock, news=pace.news, economy=pace.economy),
        PERIODS,
        per_minute=options.requests_per_minute,
        per_day=budget.per_day,
        zone=US_EASTERN,
    )
    return RequestScheduler(
        budget=budget,
        memory=memory,
        planner=planner,
        hours=hours,
        clock=clock,
        zone=US_EASTERN,
        never=FREE_LACKS if options.plan == "free" else (),
    )
