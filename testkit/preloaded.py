"""What a command or a pipeline imports at some time of its life; see `testkit.forked`. Nothing is for its names.

pandas-ta is, but is not said to be in use: the pipeline computes otherwise until it is.
"""

import gc
import warnings

import exchange_calendars  # noqa: F401
import httpx  # noqa: F401
import pandas  # noqa: F401
import talib.stream  # noqa: F401

import fintrends_tui.__main__
import fintrends_tui.cli
import fintrends_tui.status  # noqa: F401
import pipeline.__main__
import pipeline.bus.kafka.bus
import pipeline.doctor.examine
import pipeline.ops.stored_report
import pipeline.runtime
import pipeline.sources.registry
import pipeline.store.mongo  # noqa: F401

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import pandas_ta  # noqa: F401

# No process that is forked looks through all of this, or has pages of its own for having looked.
gc.collect()
gc.freeze()
