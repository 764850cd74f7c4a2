import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from pipeline.config.settings import AlertSettings
from pipeline.net.request_budget import Spent
from pipeline.sources.alpha_vantage.memory import PlanMemory as Facts
from pipeline.sources.polling.seen import Seen
from pipeline.stages.alerts import AlertStage, Fired
from pipeline.stages.loader import Pending
from pipeline.storage import statefile
from pipeline.storage.datadir import DataDir
from pipeline.storage.statefile import ASIDE, StateFile


class Inner(Struct):
    at: float = 0.0


class Kept(Struct):
    names: list[str] = []
    inner: dict[str, Inner] = {}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept.json"


def aside(path: Path) -> list[bytes]:
    """What has been set aside."""
    return [file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}{ASIDE}*"))]


UNREADABLE = {
    "empty": b"",
    "garbage": b"\x00\xff\x13",
    "truncated": b'{"names": ["AAPL"',
    "another shape": b"[1, 2]",
    "a wrong type": b'{"names": [3]}',
    "a wrong type within": b'{"inner": {"a": {"at": "noon"}}}',
    "a newer version": b'{"names": ["AAPL"], "colours": ["red"]}',
    "a newer version within": b'{"inner": {"a": {"at": 1.0, "zone": "UTC"}}}',
    "no UTF-8": b'{"names": ["\xff"]}',
    "without end": b"[" * 100_000,
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_kept_and_told(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(content)
    file = StateFile(path, Kept)
    assert file.load() is None
    assert f"{path}" in caplog.text and "cannot be read" in caplog.text
    assert path.read_bytes() == content  # whoever only looks changes nothing
    file.save(Kept(["TSLA"]))
    assert StateFile(path, Kept).load() == Kept(["TSLA"])
    assert aside(path) == [content]
    assert statefile.problems(path.parent) == [file.problem] and f"{path.name}{ASIDE}" in file.problem
    file.save(Kept(["MSFT"]))
    assert aside(path) == [content]


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_was_never_looked_at_is_kept_too(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    StateFile(path, Kept).write(Kept(["TSLA"]))
    assert aside(path) == [content]


def test_damage_twice_in_a_second_is_kept_twice(path: Path) -> None:
    for content in (b"one", b"two", b"three"):
        path.write_bytes(content)
        StateFile(path, Kept).save(Kept())
    assert sorted(aside(path)) == [b"one", b"three", b"two"]


def test_what_cannot_be_set_aside_is_not_overwritten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path.write_bytes(b"{")
    file = StateFile(path, Kept)
    monkeypatch.setattr(Path, "rename", refuse)
    file.save(Kept(["TSLA"]))
    with pytest.raises(PermissionError):
        file.write(Kept(["TSLA"]))
    assert path.read_bytes() == b"{"
    monkeypatch.undo()
    file.save(Kept(["TSLA"]))
    assert aside(path) == [b"{"]


def test_a_directory_in_its_place_is_set_aside(path: Path) -> None:
    path.mkdir()
    file = StateFile(path, Kept)
    assert file.load() is None
    file.save(Kept(["TSLA"]))
    assert file.load() == Kept(["TSLA"])


def test_a_file_is_private_and_whole(path: Path) -> None:
    old = os.umask(0)
    try:
        path.touch(0o644)
        path.write_text("{}")
        StateFile(path, Kept).write(Kept(["TSLA"]))
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_disk_that_stays_full_is_told_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = StateFile(path, Kept)
    blocked = path.with_name(f"{path.name}.new")
    for times in (1, 2):
        blocked.mkdir()
        for _ in range(100):
            file.save(Kept(["TSLA"]))
        assert len([r for r in caplog.records if "cannot be written" in r.getMessage()]) == times
        blocked.rmdir()
        file.save(Kept(["TSLA"]))
    assert file.load() == Kept(["TSLA"])


def _alerts(directory: Path) -> None:
    stage = AlertStage(AlertSettings(), dict, directory / "alerts.json", directory / "alerts_fired.json")
    stage.add("TSLA price > 1")
    (directory / "alerts_fired.json").unlink()


def _fired(directory: Path) -> None:
    StateFile(directory / "alerts_fired.json", Fired).save(Fired())


def _watchlist(directory: Path) -> None:
    DataDir(directory).remember_tickers(("TSLA",))


def _seen(directory: Path) -> None:
    Seen(directory / "reddit.json").add("TSLA", [1])


def _facts(directory: Path) -> None:
    Facts(directory / "alpha_vantage.json", "key").save()


def _budget(directory: Path) -> None:
    StateFile(directory / "alpha_vantage_budget.json", Spent).save(Spent())


def _loads(directory: Path) -> None:
    StateFile(directory / "loads.json", Pending).save(Pending())


@pytest.mark.parametrize("content", [b'{"version": 2, "from": "the future"}', b"\xff", b'"half'])
@pytest.mark.parametrize("keep", [_alerts, _fired, _watchlist, _seen, _facts, _budget, _loads])
def test_whatever_is_remembered_is_kept_so(
    keep: Any, content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        keep(tmp_path)
    assert aside(file) == [content]
    assert f"{file.name} cannot be read" in caplog.text and f"is now {file.name}{ASIDE}" in caplog.text


def test_an_alert_rule_that_is_not_understood_costs_none_of_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "alerts.json"
    content = json.dumps(
        {
            "rules": ["AAPL price > 250", "MSFT rsi_21 < 30", "", "TSLA price < 5"],
        }
    ).encode()
    file.write_bytes(content)
    fired = tmp_path / "alerts_fired.json"
    fired.write_text('{"fired": [["MSFT rsi_21 < 30", "MSFT"], ["AAPL price > 250", "AAPL"]]}')
    stage = AlertStage(AlertSettings(), dict, file, fired)
    assert [(r.rule, r.fired) for r in stage.rules()] == [("AAPL price > 250", ["AAPL"]), ("TSLA price < 5", [])]
    assert "rsi_21" in caplog.text
    stage.add("TSLA price > 1")
    assert aside(file) == [content]
    again = AlertStage(AlertSettings(), dict, file, fired)
    assert [r.rule for r in again.rules()] == ["AAPL price > 250", "TSLA price < 5", "TSLA price > 1"]


def test_what_is_no_ticker_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "watchlist.json"
    file.write_text('["AAPL", "<script>", "MSFT"]')
    data_dir = DataDir(tmp_path)
    assert data_dir.remembered_tickers() == ["AAPL", "MSFT"]
    data_dir.remember_tickers(("AAPL", "MSFT"))
    assert aside(file) == [b'["AAPL", "<script>", "MSFT"]']
