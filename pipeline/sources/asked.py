"""Which source the settings ask for, by its name, and what that says without making it."""

from typing import Final

from pipeline.config.settings import Loaded, Settings
from pipeline.config.sources import AUTO, SIMULATED_SOURCES

NONE: Final = "none"
"""The source of a run that only works on what others publish."""


def source_name(settings: Settings) -> str:
    """The name of the source; `auto` is what the routes say, and "none" none at all: that of a run which only works on
    what others publish, which is real data unless the simulator is asked for."""
    name = settings.pipeline.source
    return NONE if name == AUTO and "producer" not in settings.pipeline.roles else name


def is_simulated(loaded: Loaded) -> bool:
    """Whether a run with these settings is of simulated data.

    Raises:
        SourceError: if a plug-in, which would say so, cannot be used.
    """
    name = source_name(loaded.settings)
    if name in loaded.settings.sources:
        from pipeline.sources.choice import choose_source  # with all that sources need

        return choose_source(loaded).source.simulated
    return name in SIMULATED_SOURCES
