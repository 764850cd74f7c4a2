"""The terminal dashboard and the command line. It knows no engine."""

from pipeline import __version__

__all__ = ["__version__"]
