"""Which sources there are, by name, and how each is made: ours, and plug-ins named in the settings."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any, Final, get_args

from pipeline.sources.base import FeedName, Source, SourceContext, SourceError

BUILT_IN: Final = {
    "alpha_vantage": "pipeline.sources.alpha_vantage:create",
    "reddit": "pipeline.sources.reddit:create",
    "simulator": "pipeline.sources.simulator:create",
    "stocktwits": "pipeline.sources.stocktwits:create",
}
"""Imported when they are asked for, as plug-ins are."""

BESIDE: Final = ("stocktwits", "reddit")
"""Those of ours that run beside a source of live market data."""

_PARTS: Final = ("name", "simulated", "feeds", "history", "close")


def make(name: str, context: SourceContext) -> Source:
    """The source of that name; nothing is opened yet.

    Raises:
        SourceError: if a plug-in cannot be imported, is no source, or the source cannot be used as configured.
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
    """Raise a SourceError if it is no source."""
    missing = [part for part in _PARTS if not hasattr(source, part)]
    if missing:
        raise SourceError(f"{where} makes no source: it has no {', '.join(missing)} (see pipeline/sources/base.py)")
    names = [feed.name for feed in source.feeds()]
    kinds = get_args(FeedName)
    if len(set(names)) < len(names) or not set(names) <= set(kinds):
        raise SourceError(
            f"{where} has feeds named {', '.join(names)}; they must be among {', '.join(kinds)}, each once"
        )
