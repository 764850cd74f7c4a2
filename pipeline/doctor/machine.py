"""What the doctor checks on this machine: directories, disk, the pipeline that may run, the terminal."""

import errno
import os
import shlex
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

from pipeline.datadir import DataDir
from pipeline.doctor_finding import Finding, fault, is_utf8, ok, warning

MEGABYTE: Final = 1_000_000
LITTLE_SPACE: Final = 1000 * MEGABYTE
NO_SPACE: Final = 100 * MEGABYTE
COLUMNS: Final = 80
ROWS: Final = 24


def directory(name: str, path: Path, instead: str) -> Finding:
    """Whether files can be written there, now or once the directory is made; nothing is left behind.

    `instead` says how to choose another directory.
    """
    place = _existing(path)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            cause, mend = "its permissions do not allow it", f'sudo chown "$USER" {_quoted(place)}'
        elif not place.is_dir():
            cause, mend = f"{place} is no directory", f"mv {_quoted(place)} {_quoted(place)}.old"
        else:
            cause, mend = error.strerror or str(error), "mend the file system it is on"
        return fault(f"the {name} directory {path} cannot be written", cause, f"{mend}, or {instead}")
    if place != path:
        return ok(f"the {name} directory {path} does not exist yet and can be made")
    return ok(f"the {name} directory {path} can be written")


def privacy(path: Path) -> list[Finding]:
    """Whether others have access to the data directory, if it is there: a pipeline makes it the user's alone."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return []
    if not stat.S_ISDIR(mode) or not mode & 0o077:
        return []
    what = f"the data directory {path} is open to other users of this machine"
    return [warning(what, "it was not made by a pipeline, or its mode has been changed", f"chmod 700 {_quoted(path)}")]


def disk(paths: Mapping[str, Path], free_bytes: Callable[[Path], int] | None = None) -> list[Finding]:
    """The space left on the disk of each of the named directories; directories on one disk share a finding."""
    free_bytes = free_bytes or (lambda place: shutil.disk_usage(place).free)
    by_device: dict[int, list[str]] = {}
    places: dict[int, Path] = {}
    for name, path in paths.items():
        place = _existing(path.resolve())
        device = place.stat().st_dev
        by_device.setdefault(device, []).append(name)
        places.setdefault(device, place)
    return [
        _space(" and ".join(names), places[device], free_bytes(places[device])) for device, names in by_device.items()
    ]


def _space(names: str, place: Path, free: int) -> Finding:
    what = f"{free / MEGABYTE:,.0f} MB of disk are free for {names}"
    if free >= LITTLE_SPACE:
        return ok(what)
    mend = f"see what takes it with `du -xh {_quoted(place)} | sort -h | tail` and free some"
    if free >= NO_SPACE:
        return warning(what, "the disk is filling up; a pipeline stops writing when it is full", mend)
    return fault(what, "the disk is full or nearly so; soon nothing can be stored", mend)


def running(data_dir: DataDir) -> Finding:
    """Whether a pipeline runs on the data directory and listens, or one that was killed has left its socket."""
    path = data_dir.socket
    if not data_dir.is_owned:
        if not os.path.lexists(path):
            return ok("no pipeline runs on the data directory")
        what = f"no pipeline runs on the data directory, but its socket {path} is there"
        return warning(what, "a pipeline was killed", "none needed: the next `fintrends-tui` removes it")
    pid = (data_dir.path / "pipeline.lock").read_text("ascii", "replace").strip() or "unknown"
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(os.fspath(path))
    except OSError as error:
        what = f"a pipeline (pid {pid}) owns the data directory but does not listen on {path}"
        cause = f"it starts, stops or hangs, or its socket was removed ({error.strerror or error})"
        return warning(what, cause, f"try again in a moment; if it stays so, kill {pid}")
    return ok(f"a pipeline (pid {pid}) runs on the data directory")


def terminal(out: TextIO, environ: Mapping[str, str], size: Callable[[int], os.terminal_size]) -> Iterator[Finding]:
    """Encoding, colour and size; the last two only if the output goes to a terminal. `size` takes a descriptor."""
    if is_utf8(out.encoding):
        yield ok("output is UTF-8")
    else:
        what = f"output is {out.encoding}, not UTF-8, so lines and arrows of the dashboard are not shown"
        yield warning(what, "LC_ALL, LC_CTYPE, LANG or PYTHONIOENCODING asks for it", "export LC_ALL=C.UTF-8")
    if not out.isatty():
        yield ok("output goes to no terminal, so colour and size are not checked")
        return
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR"):
        yield warning("the terminal shows no colour", "NO_COLOR is set", "unset NO_COLOR")
    elif term in ("", "dumb", "unknown"):
        what = "the terminal cannot show the dashboard: it has no colour and no cursor"
        yield warning(what, f"TERM is {term or 'not set'}", "export TERM=xterm-256color, or run with --no-ui")
    else:
        yield ok(f"the terminal ({term}) shows colour")
    columns, rows = size(out.fileno())
    if columns >= COLUMNS and rows >= ROWS:
        yield ok(f"the terminal has {columns} columns and {rows} rows")
    else:
        what = f"the terminal has {columns} columns and {rows} rows; the dashboard is made for {COLUMNS} and {ROWS}"
        yield warning(what, "the window or pane is small, or the font large", "enlarge the window, or zoom the pane")


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
