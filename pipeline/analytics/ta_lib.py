"""TA-Lib, without the pandas that its package imports if it can, to take and to give pandas' series as well.

That would be most of a pipeline's start and 80 MB of its memory, for nothing but `batch`, which asks for it by
`accept_series`.
"""

import sys
from collections.abc import Callable
from functools import cache, wraps
from typing import Any


def _import_alone() -> Any:
    """Import TA-Lib as where there is no pandas: to the import system that is what a None among the modules means."""
    if "pandas" in sys.modules:
        import talib

        return talib
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        import talib
    finally:
        del sys.modules["pandas"]
    return talib


# With this module, so in the main thread before there are others, which may import pandas at the same time.
talib: Any = _import_alone()


@cache
def accept_series() -> None:
    """Have TA-Lib's functions take and give pandas' series as well as arrays, as its package does where it finds
    pandas."""
    if talib._pd_Series is None:
        for name in talib.__TA_FUNCTION_NAMES__:
            setattr(talib, name, _accepting(getattr(talib, name)))


def _accepting(function: Callable[..., Any]) -> Callable[..., Any]:
    import pandas as pd

    @wraps(function)
    def accepting(*args: Any, **kwargs: Any) -> Any:
        given = next((arg for arg in (*args, *kwargs.values()) if isinstance(arg, pd.Series)), None)
        if given is None:
            return function(*args, **kwargs)
        result = function(*map(_plain, args), **{name: _plain(value) for name, value in kwargs.items()})
        if isinstance(result, tuple):
            return tuple(pd.Series(column, index=given.index) for column in result)
        return pd.Series(result, index=given.index)

    def _plain(value: Any) -> Any:
        return value.to_numpy().astype(float) if isinstance(value, pd.Series) else value

    return accepting
