"""The streaming pipeline: sources, bus, processors, sinks and store, under one supervisor. It knows no screen."""

__version__ = "0.2.0"
