"""Which source the settings ask for."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.clock import Clock, SystemClock
from pipeline.settings import Loaded, Settings
from pipeline.settings_sources import AUTO, REPLAY
from pipeline.sources import registry
from pipeline.sources.base import NotConfiguredError, Source, SourceContext, SourceError
from pipeline.sources.combined import CombinedSource
from pipeline.sources.replay import ReplaySource


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """The source, and a sentence on what it is and why."""

    source: Source
    note: str


def choose_source(loaded: Loaded, clock: Clock | None = None) -> SourceChoice:
    """The source by its name; one of live data together with those that run beside it.

    Raises:
        SourceError: if it cannot be used as configured.
    """
    settings = loaded.settings
    name = settings.pipeline.source
    base = loaded.path.parent.absolute() if loaded.path else Path.cwd()
    context = SourceContext(settings, loaded.data_dir, clock or SystemClock(), base)
    if name.startswith(REPLAY):
        return _replay(Path(name.removeprefix(REPLAY)).expanduser(), settings)
    if name == "simulator":
        return SourceChoice(registry.make(name, context), f"simulated data, as asked, {_pace(settings)}")
    if name == AUTO and not settings.alpha_vantage.api_key:
        why = "no Alpha Vantage key is configured"
        return SourceChoice(registry.make("simulator", context), f"simulated data, for {why}")
    return _live("alpha_vantage" if name == AUTO else name, context)


def _replay(directory: Path, settings: Settings) -> SourceChoice:
    if not directory.is_dir():
        raise SourceError(f"there is no directory {directory} to replay from")
    source = ReplaySource(directory, speed=settings.pipeline.pace, zone=settings.indicators.zone)
    return SourceChoice(source, f"replay of recorded bars from {directory}, {_pace(settings)}")


def _live(name: str, context: SourceContext) -> SourceChoice:
    """The source of that name, then ours and the plug-ins that have no market data of their own."""
    sources = [registry.make(name, context)]
    missing = []
    for other in (*registry.BESIDE, *context.settings.sources):
        if other == name:
            continue
        try:
            source = registry.make(other, context)
        except NotConfiguredError as error:
            missing.append(f"without {other}: {error}")
            continue
        if all(feed.name != "market" for feed in source.feeds()):
            sources.append(source)
    note = "; ".join([f"live from {', '.join(map(_provides, sources))}", *missing])
    return SourceChoice(CombinedSource(sources, context.close), note)


def _provides(source: Source) -> str:
    kinds = ", ".join(feed.name for feed in source.feeds())
    return f"{source.name} ({'simulated ' if source.simulated else ''}{kinds})"


def _pace(settings: Settings) -> str:
    speed = settings.pipeline.pace
    return "as fast as it goes" if speed is None else f"at {speed:g} times real time"
