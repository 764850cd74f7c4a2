"""The data directory: who owns it, and where its pipeline listens."""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shlex
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from pipeline.model.tickers import InvalidTickerError, parse_tickers
from pipeline.storage.statefile import StateFile, replace
from pipeline.system import trust

# sun_path is 108 bytes on Linux and 104 on macOS, the final NUL included.
_SOCKET_PATH_LIMIT: Final = 103
_LOCK_NAME: Final = "pipeline.lock"
_OF_EVERY_START: Final = frozenset({_LOCK_NAME, "pipeline.err", "layout.json", "logs"})
"""What is there before a pipeline has opened or remembered anything."""


class DataDirError(Exception):
    """The data directory cannot be used; the message says why and what to do."""


class DataDir:
    """Files of one pipeline: databases, lock, control socket, the remembered watchlist. Private to the user (0700).

    What belongs to data is the namespace's, in a directory of its name; that of no name has the data directory itself.
    """

    def __init__(self, path: Path, namespace: str = "") -> None:
        self.path = path
        self.namespace = namespace
        self._lock: int | None = None
        self._is_new = False
        self._watchlist = StateFile(path / "watchlist.json", list[str])

    def within(self, namespace: str) -> "DataDir":
        """The same directory with the files of that namespace; it owns nothing."""
        return DataDir(self.path, namespace)

    def create(self) -> None:
        """Make the directory, or see that the one there is the user's.

        Raises:
            DataDirError: if that cannot be done, or others could change what it holds.
        """
        try:
            self._is_new = self._is_new or not self.path.exists()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.space.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DataDirError(
                f"cannot create the data directory {self.path}: {error.strerror}; choose another with --data-dir"
            ) from error
        self.check()

    def discard_unused(self) -> None:
        """Remove the directory again if it was made here and nothing of worth has come into it: for a start that has
        failed. What cannot be removed stays."""
        if self._is_new and self.path.exists() and {entry.name for entry in self.path.iterdir()} <= _OF_EVERY_START:
            shutil.rmtree(self.path, ignore_errors=True)

    def check(self) -> None:
        """See that the directory, if it is there, is the user's, and that others cannot write to it.

        Raises:
            DataDirError: if not.
        """
        try:
            status = self.path.stat()
        except OSError:
            return
        if status.st_uid != os.geteuid():
            raise DataDirError(
                f"the data directory {self.path} belongs to {trust.name_of(status.st_uid)}, not to "
                f"{trust.name_of(os.geteuid())}, who runs this; choose another with --data-dir"
            )
        if trust.others_can_write(status):
            raise DataDirError(
                f"others can write to the data directory {self.path}, and change what you see; run "
                f"chmod 700 {shlex.quote(str(self.path))}, or choose another with --data-dir"
            )

    @property
    def space(self) -> Path:
        """Where the files of the namespace are."""
        return self.path / self.namespace

    @property
    def bus(self) -> Path:
        return self.space / "bus.sqlite"

    @property
    def store(self) -> Path:
        return self.space / "store.sqlite"

    @property
    def has_store(self) -> bool:
        """Whether there is an embedded store."""
        return self.store.exists()

    def store_id(self, *, make: bool) -> str:
        """The identity of the embedded store, which is part of the names of its consumer groups on Kafka.

        A store that is new gets a new one, for it has nothing yet of what an earlier one was given. `make` writes it
        down, which only the owner of the lock may do; without it "none" stands for one that is yet to be made.

        Raises:
            DataDirError: if it cannot be written.
        """
        path = self.space / "store.id"
        try:
            found = path.read_text("ascii").strip() if self.has_store else ""
        except (OSError, UnicodeDecodeError):
            found = ""
        if re.fullmatch("[0-9a-f]{8}", found):
            return found
        if not make:
            return "none"
        new = secrets.token_hex(4)
        try:
            self.create()
            replace(path, f"{new}\n".encode("ascii"))
        except OSError as error:
            raise DataDirError(f"cannot write {path}: {error.strerror}; choose another with --data-dir") from error
        return new

    @property
    def loads(self) -> Path:
        """The initial loads that have not ended."""
        return self.space / "loads.json"

    @property
    def fired(self) -> Path:
        """The alerts that have fired."""
        return self.space / "alerts_fired.json"

    @property
    def alerts(self) -> Path:
        """The alert rules made on the screen, whatever the namespace."""
        return self.path / "alerts.json"

    @property
    def screen(self) -> Path:
        """What the screen remembers."""
        return self.path / "screen.json"

    @property
    def web_token(self) -> Path:
        """What lets a browser in."""
        return self.path / "web_token.json"

    @property
    def socket(self) -> Path:
        """Where the control socket is: in the directory, or, when that path is too long for a socket, in a private
        directory of the user's under a name derived from it."""
        path = self.path.resolve() / "control.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest() + ".sock"
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        try:
            base = Path(runtime) if runtime else Path(tempfile.gettempdir())
        except OSError:
            base = Path("/tmp")  # noqa: S108 - as below
        candidate = base / f"fintrends-tui-{os.getuid()}" / name
        if len(os.fsencode(candidate)) <= _SOCKET_PATH_LIMIT:
            return candidate
        return Path(f"/tmp/fintrends-tui-{os.getuid()}") / name  # noqa: S108 - made private by prepare_socket

    def prepare_socket(self) -> Path:
        """The socket's path, ready to bind: its directory is private, and what a killed pipeline left was removed.

        To be called by the owner of the lock only.

        Raises:
            DataDirError: if the directory belongs to another user.
        """
        path = self.socket
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataDirError(f"cannot make {path.parent} for the control socket: {error.strerror}") from error
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
            if error.errno != errno.EWOULDBLOCK:
                raise self._unlockable(error) from error
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
        """Whether a pipeline owns the directory now.

        Raises:
            DataDirError: if the file system has no locks, so that the owner is not known.
        """
        try:
            fd = os.open(self.path / _LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            raise self._unlockable(error) from error
        finally:
            os.close(fd)
        return False

    def _unlockable(self, error: OSError) -> DataDirError:
        return DataDirError(
            f"cannot lock the data directory {self.path}: {error.strerror}; choose one on a file system with locks "
            "(a local disk) with --data-dir"
        )

    def unlock(self) -> None:
        """Give the directory up; remove the socket first."""
        if self._lock is not None:
            self.socket.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def remembered_tickers(self) -> list[str]:
        """The last watchlist, without what is not a ticker; empty when there is none, or none that can be read."""
        tickers: list[str] = []
        for text in self._watchlist.load() or []:
            try:
                tickers += parse_tickers([text])
            except InvalidTickerError as error:
                self._watchlist.distrust("and what is not a ticker is left out", error)
        return list(dict.fromkeys(tickers))

    def remember_tickers(self, tickers: tuple[str, ...]) -> None:
        """Keep the watchlist for the next start.

        Raises:
            OSError: if it cannot be written; the old one stays whole.
        """
        self._watchlist.write(list(tickers))


def _lock_exclusively(fd: int) -> None:
    """A process that only asks whether the lock is owned (`is_owned`) holds it for a moment itself: try again."""
    for _ in range(10):
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
    return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
