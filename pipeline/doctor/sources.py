"""What the doctor checks of the sources: whether they can be used, what serves what, and what others lack."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

from pipeline.config.settings import Loaded
from pipeline.doctor.finding import Finding, absent, fault, ok, warning
from pipeline.sources.base import SourceError
from pipeline.sources.choice import choose_source

_KINDS: Final = {
    "us_share": "American shares (AAPL)",
    "share": "other shares (VOD.L)",
    "index": "indices (^GSPC)",
    "currency": "currencies (EURUSD=X)",
    "future": "futures (GC=F)",
    "fund": "funds (VFINX)",
    "crypto": "crypto-currencies (BTC-USD)",
    "economic": "the economy",
}
"""The routes of which one source serves at a time, in words."""
_FROM_ALL: Final = {"news": "news", "social": "posts"}


async def source(loaded: Loaded, running: str | None = None) -> AsyncIterator[Finding]:
    """What a start with these settings would use, of which a pipeline that is `running` may have another. Asks no
    provider for anything."""
    try:
        choice = choose_source(loaded)
    except SourceError as error:
        fix = "set pipeline.source to auto, simulator or replay:DIR"
        yield fault(f"the source {loaded.settings.pipeline.source} cannot be used", str(error), fix)
        return
    await choice.source.close()
    is_other = running not in (None, choice.source.name)
    yield ok(f"{'a start with these settings has another source' if is_other else 'source'}: {choice.note}")
    for finding in _routes(choice.routes):
        yield finding
    for name, lacks in sorted(choice.missing.items()):
        yield absent(f"{name} is not set up: {lacks}")


def _routes(routes: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """A line for each kind of ticker, and for what is not of a ticker's price."""
    for route, names in routes.items():
        what = _KINDS.get(route) or _FROM_ALL[route]
        how = " and " if route in _FROM_ALL else ", else "
        if names:
            yield ok(f"{what}: from {how.join(names)}")
        else:
            yield absent(f"{what}: from nowhere, for no source that is set up is in routes.{route}")


def reddit(loaded: Loaded) -> list[Finding]:
    """Whether the credentials for Reddit are whole; that there are none is said with the sources."""
    settings = loaded.settings.reddit
    given = {"client_id": settings.client_id, "client_secret": settings.client_secret}
    missing = [key for key, value in given.items() if not value]
    if not missing:
        return [ok("Reddit credentials are configured; the first request shows whether Reddit accepts them")]
    if len(missing) == len(given):
        return []
    cause = f"reddit.{missing[0]} is missing, so there are no posts from Reddit"
    fix = f"export REDDIT_{missing[0].upper()}=… (an application of the kind script, https://www.reddit.com/prefs/apps)"
    return [warning("the Reddit credentials are incomplete", cause, fix)]
