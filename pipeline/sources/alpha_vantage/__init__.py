"""Alpha Vantage: its client, what its replies mean and what goes wrong, and the source that keeps to its budget."""

import math
from pathlib import Path
from typing import Final

from pipeline.budget import Budget, Rate
from pipeline.clock import Clock
from pipeline.http import Http
from pipeline.settings import AlphaVantageSettings, Settings
from pipeline.sources.alpha_vantage.client import AlphaVantageClient
from pipeline.sources.alpha_vantage.desk import FULL, Desk
from pipeline.sources.alpha_vantage.memory import BUDGET_FILE, MEMORY_FILE, Memory, fingerprint
from pipeline.sources.alpha_vantage.replies import US_EASTERN
from pipeline.sources.alpha_vantage.series import PERIODS
from pipeline.sources.alpha_vantage.source import AlphaVantageSource
from pipeline.sources.base import Source, SourceContext, SourceError
from pipeline.sources.market_hours import Hours, MarketHours
from pipeline.sources.schedule import Pace, Planner

FREE_LACKS: Final = ("intraday", "bulk", FULL)
_MARGIN: Final = 0.5
"""Seconds that windows are longer for us: the provider measures between arrivals, which lie closer than departures."""


def create(context: SourceContext) -> Source:
    """The source, its budget and memory in the data directory; nothing is asked yet.

    Raises:
        SourceError: if there is no key.
    """
    settings, clock = context.settings, context.clock
    options = settings.alpha_vantage
    if not options.api_key:
        raise SourceError(
            "the source alpha_vantage needs a key: export ALPHA_VANTAGE_API_KEY=… "
            "(free at https://www.alphavantage.co/support/#api-key)"
        )
    budget = budget_of(options, context.data_dir, clock)
    client = client_of(options, budget, clock, context.http)
    desk = desk_of(settings, budget, memory_of(options, context.data_dir), MarketHours(clock), clock)
    return AlphaVantageSource(client, desk)


def budget_of(options: AlphaVantageSettings, data_dir: Path, clock: Clock) -> Budget:
    """What the plan allows."""
    per_minute, free = options.requests_per_minute, options.plan == "free"
    rates = [Rate(1, 1 + _MARGIN)] if free else [Rate(math.ceil(per_minute / 60), 1), Rate(per_minute, 60 + _MARGIN)]
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


def memory_of(options: AlphaVantageSettings, data_dir: Path) -> Memory:
    """What earlier runs with this key have learnt."""
    return Memory(data_dir / MEMORY_FILE, fingerprint(options.api_key))


def desk_of(settings: Settings, budget: Budget, memory: Memory, hours: Hours, clock: Clock) -> Desk:
    """Where the requests of one source come together."""
    pace, options = settings.schedule, settings.alpha_vantage
    planner = Planner(
        Pace(stock=pace.stock, news=pace.news, economy=pace.economy),
        PERIODS,
        per_minute=options.requests_per_minute,
        per_day=budget.per_day,
        zone=US_EASTERN,
    )
    return Desk(
        budget=budget,
        memory=memory,
        planner=planner,
        hours=hours,
        clock=clock,
        zone=US_EASTERN,
        never=FREE_LACKS if options.plan == "free" else (),
    )
