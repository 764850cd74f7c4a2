"""Which sources there are, by name, and how each is made: ours, and plug-ins named in the settings."""

import importlib
import importlib.machinery
import os
import sys
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, get_args

from pipeline.sources.base import FeedName, Source, SourceContext, SourceError
from pipeline.system import trust

BUILT_IN: Final = {
    "alpaca": "pipeline.sources.alpaca:create",
    "alpha_vantage": "pipeline.sources.alpha_vantage:create",
    "coinbase": "pipeline.sources.coinbase:create",
    "demo": "pipeline.sources.demo.source:create",
    "edgar": "pipeline.sources.news.edgar:create",
    "finnhub": "pipeline.sources.finnhub:create",
    "fred": "pipeline.sources.fred:create",
    "kraken": "pipeline.sources.kraken:create",
    "reddit": "pipeline.sources.posts.reddit:create",
    "simulator": "pipeline.sources.simulator.source:create",
    "stocktwits": "pipeline.sources.posts.stocktwits:create",
    "yahoo": "pipeline.sources.yahoo:create",
    "yahoo_news": "pipeline.sources.news.yahoo_news:create",
}
"""Imported when they are asked for, as plug-ins are."""

BESIDE: Final = ("stocktwits", "reddit")
"""Those of ours that run beside a source of live market data."""

_PARTS: Final = ("name", "simulated", "feeds", "history", "close")


def make(name: str, context: SourceContext) -> Source:
    """The source of that name; nothing is opened yet.

    Raises:
        SourceError: if a plug-in cannot be imported, is not a source, or the source cannot be used as configured.
    """
    if name in BUILT_IN:
        return _made(_imported(BUILT_IN[name]), context)
    target = context.settings.sources[name]
    if str(context.plugin_dir) not in sys.path:
        sys.path.append(str(context.plugin_dir))  # last, so that nothing there runs instead of ours
    where = f'sources.{name} = "{target}"'
    try:
        source = _made(_imported(target), context)
        _check(source, where)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{where} cannot be used: {_cause(error, target, context.plugin_dir)}") from error
    return source


def found_beside(target: str, plugin_dir: Path) -> Path | None:
    """Where a plug-in's code lies in the directory, None if nothing there answers to its name or it is installed."""
    name = target.partition(":")[0].partition(".")[0]
    installed = importlib.machinery.PathFinder.find_spec(name, [p for p in sys.path if p != str(plugin_dir)])
    if installed is not None:
        return None
    return next((place for place in (plugin_dir / name, plugin_dir / f"{name}.py") if os.path.lexists(place)), None)


def distrust(place: Path, plugin_dir: Path, also: Collection[int]) -> str:
    """Why others could have written the code; empty if they cannot. Any module of the program's that is not installed
    would be looked for in the directory, too."""
    files = [path for path in place.rglob("*") if path.suffix in (".py", ".so")] if place.is_dir() else []
    if why := trust.distrust(plugin_dir, also=also, may_share=False):
        return why
    return next((why for path in (place, *files) if (why := trust.distrust(path, also=also))), "")


def _imported(target: str) -> Any:
    module, _, factory = target.partition(":")
    return getattr(importlib.import_module(module), factory)


def _made(factory: Any, context: SourceContext) -> Source:
    source: Source = factory(context)
    return source


def _cause(error: Exception, target: str, plugin_dir: Path) -> str:
    """What went wrong, and on which line of which file."""
    module = target.partition(":")[0]
    if isinstance(error, ModuleNotFoundError) and error.name is not None and f"{module}.".startswith(f"{error.name}."):
        return f"there is no module {error.name}; put it into {plugin_dir}, or install it"
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    what = ": ".join(filter(None, (type(error).__name__, str(error))))
    frame = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen ")][-1]
    return what if frame.filename == __file__ else f"{frame.filename}, line {frame.lineno}: {what}"


def _check(source: Source, where: str) -> None:
    """Raise a SourceError if it is not a source."""
    missing = [part for part in _PARTS if not hasattr(source, part)]
    if missing:
        raise SourceError(f"{where} makes no source: it has no {', '.join(missing)} (see pipeline/sources/base.py)")
    names = [feed.name for feed in source.feeds()]
    kinds = get_args(FeedName)
    if len(set(names)) < len(names) or not set(names) <= set(kinds):
        raise SourceError(
            f"{where} has feeds named {', '.join(names)}; they must be among {', '.join(kinds)}, each once"
        )
