"""Log files, and the tail that screens read. No secret is in either."""

import logging
import logging.handlers
import os
import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from pipeline.config.settings import LogSettings
from pipeline.contract.protocol import LogLine
from pipeline.model.documents import stamp
from pipeline.model.redaction import redact
from pipeline.model.text import clean
from pipeline.ops.console import BackgroundWriter

FILE_NAME: Final = "pipeline.log"


class _Formatter(logging.Formatter):
    """One clean line a record, and its traceback below."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._secrets = secrets

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return clean(super().formatMessage(record), 16_384)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        lines = super().formatException(ei).splitlines()
        return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + clean(line) for line in lines)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self._secrets)


class _JsonFormatter(_Formatter):
    """One JSON object a record: `ts` (RFC 3339), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": stamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(record.getMessage(), 16_384),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # Before it is encoded: a secret may hold what JSON escapes.
        return msgspec.json.encode({key: redact(text, self._secrets) for key, text in entry.items()}).decode()


class _File(logging.handlers.RotatingFileHandler):
    """A file that may be moved away or deleted by others, as logrotate does: what follows goes into a new one."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream: TextIO | None = self.stream
            if stream is not None and not _is_at(self.baseFilename, stream):
                stream.close()
                Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
                self.stream = self._open()
        except OSError:
            self.handleError(record)
        else:
            super().emit(record)


def _is_at(path: str, stream: TextIO) -> bool:
    """Whether the stream writes to the file that the path names now."""
    try:
        return os.path.samestat(Path(path).stat(), os.fstat(stream.fileno()))
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: it was closed, and not opened again
        return False


class LogTail(logging.Handler):
    """The newest lines, numbered, for screens."""

    def __init__(self, secrets: list[str], size: int = 2000) -> None:
        super().__init__()
        self._secrets = secrets
        self._lines: deque[LogLine] = deque(maxlen=size)
        self.seq = 0

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        self.seq += 1
        text = clean(redact(text, self._secrets))
        self._lines.append(LogLine(self.seq, record.created, record.levelname, record.name, text))

    def after(self, seq: int, last: int) -> list[LogLine]:
        """At most the `last` newest lines with a greater number than `seq`, oldest first. Threads may log meanwhile."""
        self.acquire()
        try:
            lines = [line for line in self._lines if line.seq > seq]
        finally:
            self.release()
        return lines[-last:] if last > 0 else []


def set_up(directory: Path, settings: LogSettings, secrets: list[str], *, stderr: bool) -> LogTail:
    """Log to `directory`/pipeline.log, rotated, and to the tail that is returned; warnings to stderr as well if asked.

    Raises:
        OSError: if the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    formatter = _JsonFormatter(secrets) if settings.format == "json" else _Formatter(secrets)
    tail = LogTail(secrets)
    file = _File(
        directory / FILE_NAME,
        maxBytes=int(settings.max_megabytes * 1_000_000),
        backupCount=settings.backups,
        encoding="utf-8",
        delay=False,
    )
    handlers: list[logging.Handler] = [file, tail]
    if stderr:
        console = logging.StreamHandler(BackgroundWriter(sys.stderr))
        console.setLevel(logging.WARNING)
        handlers.append(console)
    root = logging.getLogger()
    root.setLevel(settings.level.upper())
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    # It reports every failed connection attempt, ten a second while a broker is down; all of them reach us as errors.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # A full disk must not fill the terminal with logging's own tracebacks.
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    return tail
