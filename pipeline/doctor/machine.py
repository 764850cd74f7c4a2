"""What the doctor checks on this machine: directories, disk, the pipeline that may run, the terminal."""

import errno
import fcntl
import os
import shlex
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

import msgspec

from pipeline.doctor.finding import Finding, fault, ok, warning
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.storage.statefile import ASIDE
from pipeline.system.places import NUMBA, PlaceError, has_place_for_numba, has_temporary_directory
from pipeline.system.places import check as check_places
from pipeline.system.streams import is_utf8

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
            cause, fix = "its permissions do not allow it", f'sudo chown "$USER" {_quoted(place)}'
        elif not place.is_dir():
            cause, fix = f"{place} is not a directory", f"mv {_quoted(place)} {_quoted(place)}.old"
        else:
            cause, fix = error.strerror or str(error), "fix the file system it is on"
        return fault(f"the {name} directory {path} cannot be written", cause, f"{fix}, or {instead}")
    if place != path:
        return ok(f"the {name} directory {path} does not exist yet and can be made")
    return ok(f"the {name} directory {path} can be written")


def privacy(path: Path) -> list[Finding]:
    """Whether the data directory, if it is there, is the user's alone, as a pipeline makes it."""
    try:
        DataDir(path).check()
        mode = path.stat().st_mode
    except DataDirError as error:
        what = f"the data directory {path} cannot be trusted"
        return [fault(what, str(error), f"chmod 700 {_quoted(path)} if it is yours, or choose another with --data-dir")]
    except OSError:
        return []
    if not stat.S_ISDIR(mode) or not mode & 0o077:
        return []
    what = f"the data directory {path} is open to other users of this machine"
    return [warning(what, "it was not made by a pipeline, or its mode has been changed", f"chmod 700 {_quoted(path)}")]


def locks(path: Path) -> list[Finding]:
    """Whether the file system has locks, by which a pipeline owns its data directory."""
    try:
        with tempfile.TemporaryFile(dir=_existing(path)) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            what = f"the file system of the data directory {path} has no locks"
            return [fault(what, error.strerror or str(error), "choose one on a local disk with --data-dir")]
    return []


def places() -> list[Finding]:
    """Places that libraries write to by themselves."""
    try:
        check_places()
    except PlaceError as error:
        return [fault("a directory that the environment names cannot be used", str(error), f"unset {NUMBA}")]
    findings = []
    if not os.environ.get(NUMBA) and not has_place_for_numba():
        what = "installation and home directory cannot be written, so the data directory holds compiled functions"
        findings.append(ok(what))
    if not has_temporary_directory():
        what = "there is no directory for temporary files"
        findings.append(
            warning(what, "none can be written", "none needed: the data directory has one; else set TMPDIR")
        )
    return findings


def port(host: str, number: int) -> Finding:
    """Whether metrics can be served there."""
    where = f"{host}:{number}"
    try:
        family, kind, *_, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except OSError as error:
        cause = error.strerror or str(error)
        return fault(f"metrics cannot be served on {where}", cause, "set another metrics.port or metrics.host")
    return ok(f"metrics can be served on {where}")


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
    fix = f"see what takes it with `du -xh {_quoted(place)} | sort -h | tail` and free some"
    if free >= NO_SPACE:
        return warning(what, "the disk is filling up; a pipeline stops writing when it is full", fix)
    return fault(what, "the disk is full or nearly so; soon nothing can be stored", fix)


def state_files(path: Path) -> list[Finding]:
    """Small files of the data directory that cannot be read, and those that were set aside for that."""
    findings = []
    for file in sorted(path.glob("*.json")):
        try:
            msgspec.json.decode(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            what = f"{file} cannot be read, so it is ignored"
            fix = f"none needed: it is renamed when it is next written; or fix it, or rm {_quoted(file)}"
            findings.append(warning(what, str(error), fix))
    for file in sorted(path.glob(f"*{ASIDE}*")):
        what = f"{file} was renamed because it could not be read"
        cause = "it was damaged, not accessible, or of a newer version"
        original = file.with_name(file.name.partition(ASIDE)[0])
        fix = f"fix it and mv it to {_quoted(original)} while no pipeline runs, or rm {_quoted(file)}"
        findings.append(warning(what, cause, fix))
    return findings


def running(data_dir: DataDir) -> Finding:
    """Whether a pipeline runs on the data directory and listens, or one that was killed has left its socket."""
    path = data_dir.socket
    try:
        is_owned = data_dir.is_owned
    except DataDirError as error:
        what, _, cause = str(error).partition(": ")
        return fault(what, cause.partition(";")[0], "choose one on a local disk with --data-dir")
    if not is_owned:
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


def is_running(data_dir: DataDir) -> bool:
    """Whether a pipeline owns the data directory, as far as can be determined."""
    try:
        return data_dir.is_owned
    except DataDirError:
        return False


def terminal(out: TextIO, environ: Mapping[str, str], size: Callable[[int], os.terminal_size]) -> Iterator[Finding]:
    """Encoding, colour and size; the last two only if the output goes to a terminal. `size` takes a descriptor."""
    if is_utf8(out.encoding):
        yield ok("output is UTF-8")
    else:
        what = f"output is {out.encoding}, not UTF-8, so lines and arrows of the dashboard are not shown"
        yield warning(what, "LC_ALL, LC_CTYPE, LANG or PYTHONIOENCODING asks for it", "export LC_ALL=C.UTF-8")
    if not out.isatty():
        yield ok("output does not go to a terminal, so colour and size are not checked")
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
    if not columns or not rows:
        cause = "it reports 0, as serial lines and some containers do; 80 columns and 24 rows are assumed"
        yield warning("the terminal does not report its size", cause, "stty columns 80 rows 24")
    elif columns >= COLUMNS and rows >= ROWS:
        yield ok(f"the terminal has {columns} columns and {rows} rows")
    else:
        what = f"the terminal has {columns} columns and {rows} rows; the dashboard is made for {COLUMNS} and {ROWS}"
        yield warning(what, "the window or pane is small, or the font large", "enlarge the window, or zoom the pane")


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
