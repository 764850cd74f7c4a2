"""The data directory: who owns it, and where its pipeline listens."""

import errno
import fcntl
import hashlib
import json
import os
import shlex
import tempfile
import time
from pathlib import Path
from typing import Final

from pipeline.tickers import parse_tickers

# sun_path is 108 bytes on Linux and 104 on macOS, the final NUL included.
_SOCKET_PATH_LIMIT: Final = 103
_LOCK_NAME: Final = "pipeline.lock"


class DataDirError(Exception):
    """The data directory cannot be used; the message says why and what to do."""


class DataDir:
    """Files of one pipeline: databases, lock, control socket, the remembered watchlist. Private to the user (0700)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def create(self) -> None:
        """Make the directory.

        Raises:
            DataDirError: if that cannot be done.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataDirError(
                f"cannot create the data directory {self.path}: {error.strerror}; choose another with --data-dir"
            ) from error

    @property
    def bus(self) -> Path:
        return self.path / "bus.sqlite"

    @property
    def store(self) -> Path:
        return self.path / "store.sqlite"

    @property
    def screen(self) -> Path:
        """What the screen remembers."""
        return self.path / "screen.json"

    @property
    def socket(self) -> Path:
        """Where the control socket is: in the directory, or, when that path is too long for a socket, in a private
        directory of the user's under a name derived from it."""
        path = self.path.resolve() / "control.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest() + ".sock"
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        base = Path(runtime) if runtime else Path(tempfile.gettempdir())
        candidate = base / f"fintrends-tui-{os.getuid()}" / name
        if len(os.fsencode(candidate)) <= _SOCKET_PATH_LIMIT:
            return candidate
        return Path(f"/tmp/fintrends-tui-{os.getuid()}") / name  # noqa: S108 - made private by prepare_socket

    def prepare_socket(self) -> Path:
        """The socket's path, ready to bind: its directory is private, and what a killed pipeline left is gone.

        To be called by the owner of the lock only.

        Raises:
            DataDirError: if the directory belongs to somebody else.
        """
        path = self.socket
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent != self.path.resolve():
            status = path.parent.lstat()
            if status.st_uid != os.getuid() or status.st_mode & 0o077 or path.parent.is_symlink():
                raise DataDirError(f"{path.parent} is not a private directory of yours; remove it")
        path.unlink(missing_ok=True)
        return path

    def lock(self) -> None:
        """Become the owner. The lock dies with the process, however that ends.

        Raises:
            DataDirError: if another pipeline owns the directory, or it cannot be written.
        """
        try:
            fd = os.open(self.path / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirError(
                f"cannot write to the data directory {self.path}: {error.strerror}; choose another with --data-dir"
            ) from error
        try:
            _lock_exclusively(fd)
        except OSError as error:
            pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            os.close(fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise DataDirError(f"cannot lock the data directory {self.path}: {error.strerror}") from error
            here = shlex.join(["--data-dir", str(self.path)])
            raise DataDirError(
                f"another pipeline (pid {pid or 'unknown'}) runs on {self.path}; look at it with "
                f"`fintrends-tui {here}`, stop it with `fintrends-tui stop {here}`, or choose another directory"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._lock = fd

    @property
    def is_owned(self) -> bool:
        """Whether a pipeline owns the directory now."""
        try:
            fd = os.open(self.path / _LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def unlock(self) -> None:
        """Give the directory up; remove the socket first."""
        if self._lock is not None:
            self.socket.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def remembered_tickers(self) -> list[str]:
        """The last watchlist; empty when there is none, or none that can be read."""
        try:
            return parse_tickers(json.loads((self.path / "watchlist.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError, AttributeError):
            return []

    def remember_tickers(self, tickers: tuple[str, ...]) -> None:
        """Keep the watchlist for the next start.

        Raises:
            OSError: if it cannot be written; the old one stays whole.
        """
        temporary = self.path / "watchlist.json.new"
        temporary.write_text(json.dumps(tickers), "utf-8")
        temporary.replace(self.path / "watchlist.json")


def _lock_exclusively(fd: int) -> None:
    """Those who only ask whether somebody owns the lock (`is_owned`) hold it for a moment themselves: try again."""
    for _ in range(10):
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
    return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
