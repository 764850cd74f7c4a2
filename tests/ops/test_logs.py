import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config.settings import LogSettings
from pipeline.model.redaction import redact
from pipeline.ops.logs import LogTail, set_up

SECRET = "S3CR3T-KEY"  # noqa: S105


@pytest.fixture(params=["text"])
def tail(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LogTail]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield set_up(tmp_path, LogSettings(max_megabytes=0.01, backups=2, format=request.param), [SECRET], stderr=False)
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.raiseExceptions = True
    logging.captureWarnings(capture=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key {SECRET}!", "key ***!"),
        ("GET /query?function=X&apikey=abc&y=1", "GET /query?function=X&apikey=***&y=1"),
        ("mongodb://user:pw@host/db", "mongodb://***@host/db"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_redaction(text: str, expected: str) -> None:
    assert redact(text, [SECRET]) == expected


def test_no_secret_and_no_escape_sequence_reaches_file_or_tail(tail: LogTail, tmp_path: Path) -> None:
    log = logging.getLogger("test")
    log.info("\x1b[31mred\x1b[0m %s \u202e", SECRET)
    try:
        raise ValueError(f"apikey={SECRET}")
    except ValueError:
        log.exception("failed\nand forged a line")
    text = (tmp_path / "pipeline.log").read_text() + "".join(line.text for line in tail.after(0, 10))
    assert SECRET not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "failed and forged a line" in text
    assert "Traceback" in text


@pytest.mark.parametrize("tail", ["json"], indirect=True)
def test_json_is_one_object_a_line_without_secrets(tail: LogTail, tmp_path: Path) -> None:
    log = logging.getLogger("test")
    log.warning('a "quoted" \x1b[31mword\n and %s', SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("failed")
    said, failed = (json.loads(line) for line in (tmp_path / "pipeline.log").read_text().splitlines())
    assert said.pop("ts").endswith("Z")
    assert said == {"level": "warning", "logger": "test", "message": 'a "quoted" word and ***'}
    assert failed["exception"].endswith("ValueError: ***")


def test_a_line_begins_with_its_time_and_zone(tail: LogTail, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    logging.getLogger("test").info("now")
    stamp, *rest = (tmp_path / "pipeline.log").read_text().split()
    assert rest == ["INFO", "test:", "now"]
    assert timedelta(0) <= datetime.fromisoformat(stamp) - before + timedelta(milliseconds=1) < timedelta(minutes=1)


def test_files_are_rotated(tail: LogTail, tmp_path: Path) -> None:
    for number in range(400):
        logging.getLogger("test").info("line %d %s", number, "x" * 80)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pipeline.log", "pipeline.log.1", "pipeline.log.2"]
    assert all(path.stat().st_size <= 10_000 for path in tmp_path.iterdir())


def test_the_tail_hands_out_what_is_new(tail: LogTail) -> None:
    for number in range(5):
        logging.getLogger("test").info("line %d", number)
    first = tail.after(0, 3)
    assert [line.text for line in first] == ["line 2", "line 3", "line 4"]
    assert tail.after(first[-1].seq, 10) == []
    assert tail.after(0, 0) == []


def test_the_tail_is_read_while_another_thread_logs() -> None:
    tail = LogTail([], size=2000)
    record = logging.LogRecord("test", logging.INFO, "", 0, "a line", None, None)
    for _ in range(2000):
        tail.handle(record)

    class Midway(int):
        """A sequence number that lets another thread log in the middle of the first comparison with it."""

        def __lt__(self, other: int) -> bool:
            if not threads:
                threads.append(threading.Thread(target=tail.handle, args=(record,)))
                threads[0].start()
                threads[0].join(0.2)  # it has to wait for us
            return super().__lt__(other)

    threads: list[threading.Thread] = []
    assert len(tail.after(Midway(0), 5000)) == 2000
    threads[0].join()
    assert tail.seq == 2001


def moved(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


def copied_and_truncated(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".1"))
    os.truncate(path, 0)


def replaced(path: Path) -> None:
    moved(path)
    path.touch(mode=0o600)


def gone_with_its_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("rotate", [moved, copied_and_truncated, replaced, Path.unlink, gone_with_its_directory])
def test_a_log_that_others_move_away_goes_on_in_a_new_file(
    tmp_path: Path, rotate: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    path = tmp_path / "logs" / "pipeline.log"
    set_up(path.parent, LogSettings(), [], stderr=False)
    try:
        for number in range(3):
            logging.getLogger("test").warning("before %d", number)
            rotate(path)
            logging.getLogger("test").warning("after %d", number)
            (line,) = path.read_text().splitlines()
            assert line.endswith(f"test: after {number}")
    finally:
        for handler in root.handlers:
            handler.close()
        logging.raiseExceptions = True
        logging.captureWarnings(capture=False)
