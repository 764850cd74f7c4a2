"""Which source the settings ask for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from msgspec.structs import asdict, replace

from pipeline.clock import Clock, SystemClock
from pipeline.config.marks import REPLAY
from pipeline.config.settings import Loaded, Settings
from pipeline.config.sources import AUTO, RoutesSettings
from pipeline.model.instruments import AssetClass, asset_class
from pipeline.model.namespace import namespace_for
from pipeline.sources import registry
from pipeline.sources.asked import NONE, source_name
from pipeline.sources.base import Feed, NotConfiguredError, Source, SourceContext, SourceError
from pipeline.sources.combined import CombinedSource
from pipeline.sources.first_seen import FILE, FirstSeen
from pipeline.sources.replay.source import ReplaySource
from pipeline.sources.routed import RoutedSource, Routes


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """The source, a sentence on what it is and why, and what could serve too once it is set up, with what it lacks.

    `routes` has, where there are any, the sources of each that are set up, the first to serve first.
    """

    source: Source
    note: str
    missing: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def choose_source(loaded: Loaded, clock: Clock | None = None) -> SourceChoice:
    """The source by its name; one of live data together with those that run beside it.

    Raises:
        SourceError: if it cannot be used as configured.
    """
    settings = loaded.settings
    name = source_name(settings)
    base = _beside(loaded)
    context = SourceContext(settings, loaded.data_dir, clock or SystemClock(), base)
    if name.startswith(REPLAY):
        return _replay(Path(name.removeprefix(REPLAY)).expanduser(), settings)
    if name == "simulator":
        return SourceChoice(registry.make(name, context), f"simulated data, as asked, {_pace(settings)}")
    if name == "demo":
        note = f"a recorded hour of companies that do not exist, {_pace(settings)}"
        return SourceChoice(registry.make(name, context), note)
    if name == NONE:
        note = "what others publish of real data (of simulated data with --source simulator)"
        return SourceChoice(CombinedSource([], context.close), note)
    if name == AUTO:
        return _routed(context)
    return _live(name, context)


def _replay(directory: Path, settings: Settings) -> SourceChoice:
    if not directory.is_dir():
        raise SourceError(f"there is no directory {directory} to replay from")
    source = ReplaySource(directory, speed=settings.pipeline.pace, zone=settings.indicators.zone)
    return SourceChoice(source, f"replay of recorded bars from {directory}, {_pace(settings)}")


def _beside(loaded: Loaded) -> Path:
    """Where plug-ins are looked for: beside the configuration, or in the working directory where there is none.

    Raises:
        SourceError: if there are to be some, and others could put code there. Whose directory it is has been seen to
            when the configuration was found; one that was asked for is obeyed whoever it belongs to.
    """
    try:
        base = loaded.path.parent.absolute() if loaded.path else Path.cwd()
    except OSError:
        base = loaded.data_dir  # the working directory no longer exists
    also = (base.stat().st_uid, loaded.path.stat().st_uid) if loaded.path else ()
    for name, target in loaded.settings.sources.items():
        place = registry.found_beside(target, base)
        if place is not None and (why := registry.distrust(place, base, also)):
            raise SourceError(
                f'sources.{name} = "{target}" is not run from {base}, for {why}; keep configuration and plug-ins in a '
                "directory that nobody else can write (chmod go-w), or install the plug-in"
            )
    return base


def _live(name: str, context: SourceContext) -> SourceChoice:
    """The source of that name, then ours and the plug-ins that have no market data of their own. Real and simulated
    data are not mixed: what is not as the first is left out."""
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
        if any(feed.name == "market" for feed in source.feeds()):
            continue
        if source.simulated != sources[0].simulated:
            missing.append(f"without {other}: its data are {'simulated' if source.simulated else 'real'}")
            continue
        sources.append(source)
    space = namespace_for(context.settings.pipeline.namespace, simulated=sources[0].simulated)
    combined = CombinedSource(sources, context.close, FirstSeen(context.data_dir / space / FILE, context.clock))
    how = "simulated by" if combined.simulated else "live from"
    return SourceChoice(combined, "; ".join([f"{how} {', '.join(_described(combined.feeds()))}", *missing]))


def _routed(context: SourceContext) -> SourceChoice:
    """Of all that the routes name, what can be used; with plug-ins that have no market data of their own."""
    settings = context.settings
    routes = _routes(settings)
    sources: dict[str, Source] = {}
    missing: dict[str, str] = {}
    for name in dict.fromkeys((*routes.names, *settings.sources)):
        try:
            source = registry.make(name, context)
        except NotConfiguredError as error:
            missing[name] = str(error)
            continue
        if source.simulated:
            missing[name] = "its data are simulated"
            continue
        if name in routes.names or not any(feed.name == "market" for feed in source.feeds()):
            sources[name] = source
    plug_ins = [name for name in settings.sources if name in sources and name not in routes.names]
    market = {name: getattr(routes, name) for name in get_args(AssetClass)}
    routed = RoutedSource(
        list(sources.values()),
        Routes(
            market=lambda ticker: market[asset_class(ticker)],
            market_names=list(dict.fromkeys(name for names in market.values() for name in names)),
            economic=routes.economic,
            news=(*routes.news, *plug_ins),
            social=(*routes.social, *plug_ins),
        ),
        context.close,
        FirstSeen(context.data_dir / settings.pipeline.namespace / FILE, context.clock),
        context.clock,
    )
    note = f"live from {', '.join(_described(routed.feeds()))}"
    if missing:
        note += f"; not set up: {', '.join(sorted(missing))}"
    return SourceChoice(routed, note, missing, _set_up(routes, routed.feeds()))


def _set_up(routes: RoutesSettings, feeds: Iterable[Feed]) -> dict[str, list[str]]:
    """Of each route, the sources that have a feed of its kind."""
    having = {feed.name for feed in feeds}
    market = get_args(AssetClass)
    return {
        route: [name for name in names if f"{'market' if route in market else route} {name}" in having]
        for route, names in asdict(routes).items()
    }


def _routes(settings: Settings) -> RoutesSettings:
    """As they are set. A premium plan of Alpha Vantage comes first for shares, unless they are set otherwise."""
    routes = settings.routes
    if settings.alpha_vantage.plan == "premium" and routes.us_share == RoutesSettings().us_share:
        others = (name for name in routes.us_share if name != "alpha_vantage")
        return replace(routes, us_share=("alpha_vantage", *others))
    return routes


def _described(feeds: Iterable[Feed]) -> list[str]:
    """Each source with what it gives: "yahoo (market)"."""
    kinds: dict[str, list[str]] = {}
    for feed in feeds:
        kind, _, name = feed.name.partition(" ")
        kinds.setdefault(name, []).append(kind)
    return [f"{name} ({', '.join(of)})" for name, of in kinds.items()]


def _pace(settings: Settings) -> str:
    speed = settings.pipeline.pace
    return "as fast as possible" if speed is None else f"at {speed:g} times real time"
