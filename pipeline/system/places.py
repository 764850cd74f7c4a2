"""Directories that libraries write to by themselves, where the usual ones cannot be used."""

import importlib.util
import os
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Final

from pipeline.system import trust

NUMBA: Final = "NUMBA_CACHE_DIR"
TEMPORARY: Final = "TMPDIR"


class PlaceError(Exception):
    """A place that the environment names cannot be used; the message says why and what to do."""


def provide(data_dir: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Name places in the data directory for what has none, before the libraries that ask are imported.

    numba, without which pandas-ta cannot be imported, keeps compiled functions beside their source or in the home
    directory; SQLite puts what it sorts into the directory for temporary files.

    Raises:
        PlaceError: see `check`.
    """
    check(environ)
    if not environ.get(NUMBA) and not has_place_for_numba():
        environ[NUMBA] = str(data_dir / "numba")
    if not has_temporary_directory():
        (data_dir / "tmp").mkdir(mode=0o700, exist_ok=True)
        environ[TEMPORARY] = tempfile.tempdir = str(data_dir / "tmp")


def check(environ: MutableMapping[str, str] = os.environ) -> None:
    """What the environment names for numba, which runs what it finds there.

    Raises:
        PlaceError: if it cannot be written, or others can write it.
    """
    if not (named := environ.get(NUMBA)):
        return
    place = Path(named).absolute()
    existing = next(path for path in (place, *place.parents) if os.path.lexists(path))
    if not can_write(existing):
        raise PlaceError(f"{NUMBA} names {place}, which cannot be written; name another directory, or unset it")
    if existing == place and (why := trust.distrust(place, may_share=False)):
        raise PlaceError(f"{NUMBA} names {place}, whose content is run, but {why}; name another directory, or unset it")


def has_place_for_numba() -> bool:
    """Whether compiled functions of pandas-ta can be kept beside their source, or in the home directory."""
    return all(can_write(place) for place in _beside_pandas_ta()) or _can_make(_home_cache())


def has_temporary_directory() -> bool:
    """Whether there is one that can be written; the last that Python tries is the working directory."""
    try:
        return can_write(Path(tempfile.gettempdir()))
    except OSError:
        return False


def can_write(directory: Path) -> bool:
    """Whether a file can be made there; the mode alone does not show it."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _beside_pandas_ta() -> Iterator[Path]:
    spec = importlib.util.find_spec("pandas_ta")
    for location in (spec and spec.submodule_search_locations) or ():
        for folder in (Path(location), *(path for path in Path(location).iterdir() if path.is_dir())):
            cache = folder / "__pycache__"
            if folder.name != "__pycache__":
                yield cache if cache.exists() else folder


def _home_cache() -> Path:
    """As numba finds it; a path that is not absolute where there is no home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "numba"  # noqa: PTH111 - no error


def _can_make(directory: Path) -> bool:
    existing = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    return directory.is_absolute() and can_write(existing)
