"""How often Python's collector of garbage looks for objects that refer to each other in a circle."""

import gc
from typing import Final

_THRESHOLDS: Final = (20_000, 10, 10)
"""Of the three generations, see `gc.set_threshold`; Python's own are 700, 10 and 10."""


def relax() -> None:
    """Let it look more rarely: it goes through all that is new, or that there is, and what flows through a pipeline or
    over a screen is freed without it. Where a thousand topics are read it takes a third of all work by default.

    To be called before what there is much of is imported.
    """
    gc.set_threshold(*_THRESHOLDS)
