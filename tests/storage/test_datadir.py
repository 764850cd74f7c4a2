import errno
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.doctor import machine
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.system import places


def test_two_owners_are_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    first.lock()
    with pytest.raises(DataDirError, match=rf"pid {os.getpid()}.*fintrends-tui stop"):
        second.lock()
    first.unlock()
    assert first.is_owned is False
    second.lock()
    assert first.is_owned
    second.unlock()


def test_what_a_killed_owner_left_is_recovered_from(tmp_path: Path) -> None:
    script = (
        "import os, signal, socket, sys; from pathlib import Path; from pipeline.storage.datadir import DataDir\n"
        "d = DataDir(Path(sys.argv[1])); d.create(); d.lock(); p = d.prepare_socket()\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(str(p)); s.listen()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    data_dir = DataDir(tmp_path)
    assert data_dir.socket.exists()
    data_dir.lock()
    path = data_dir.prepare_socket()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    data_dir.unlock()
    assert not path.exists()


def test_a_directory_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "a" / "b")
    data_dir.create()
    data_dir.lock()
    (data_dir.path / "logs").mkdir()
    (data_dir.path / "logs" / "pipeline.log").write_text("x")
    data_dir.discard_unused()
    data_dir.discard_unused()
    data_dir.unlock()
    assert not data_dir.path.exists()


def test_one_that_was_there_or_holds_something_stays(tmp_path: Path) -> None:
    DataDir(tmp_path).create()
    data_dir = DataDir(tmp_path)
    data_dir.create()
    data_dir.discard_unused()
    assert tmp_path.exists()
    new = DataDir(tmp_path / "new")
    new.create()
    (new.path / "screen.json").write_text("{}")
    new.discard_unused()
    assert new.screen.exists()


@pytest.mark.parametrize("runtime", [None, "/run/user/1000", "/" + "r" * 200])
def test_the_socket_path_is_bindable_whatever_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str | None
) -> None:
    if runtime is None:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    deep = tmp_path / ("d" * 120) / ("ü" * 60)
    assert len(os.fsencode(DataDir(deep).socket)) < 104
    assert DataDir(deep).socket != DataDir(deep.parent).socket


def test_the_substitute_socket_directory_must_be_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = DataDir(tmp_path / ("d" * 120))
    data_dir.create()
    # Not within pytest's own directory, whose path can be too long: the substitute would be one that all share.
    with tempfile.TemporaryDirectory() as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        directory = data_dir.prepare_socket().parent
        assert directory.parent == Path(runtime)
        assert directory.stat().st_mode & 0o777 == 0o700
        directory.chmod(0o777)
        with pytest.raises(DataDirError, match="private"):
            data_dir.prepare_socket()


def test_the_watchlist_is_remembered_and_damage_to_it_is_survived(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    assert data_dir.remembered_tickers() == []
    data_dir.remember_tickers(("AAPL", "BRK.B"))
    assert data_dir.remembered_tickers() == ["AAPL", "BRK.B"]
    for damage in ("", "{", "[3]", '["<script>"]', "null", "7"):
        (tmp_path / "watchlist.json").write_text(damage)
        assert data_dir.remembered_tickers() == []


def test_a_directory_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="--data-dir"):
        DataDir(tmp_path / "file" / "data").create()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_not_a_pipeline_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_fd: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "pipeline.lock").touch()
    monkeypatch.setattr("fcntl.flock", refuse)
    for ask in (DataDir(tmp_path).lock, lambda: DataDir(tmp_path).is_owned):
        with pytest.raises(DataDirError, match=rf"cannot lock .*: {os.strerror(number)}; choose one"):
            ask()
    finding = machine.running(DataDir(tmp_path))
    assert finding.level == "fault"
    assert "pid" not in f"{finding}"
    assert os.strerror(number) in finding.cause


class TestPlaces:
    """Where libraries write by themselves."""

    @pytest.fixture(autouse=True)
    def _restored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", None)

    def test_numba_is_left_alone_where_it_has_a_place(self, tmp_path: Path) -> None:
        environ: dict[str, str] = {}
        places.provide(tmp_path, environ)
        assert environ == {}

    def test_and_gets_the_data_directory_where_it_has_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(places, "can_write", lambda directory: str(directory).startswith(tempfile.gettempdir()))
        monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
        environ: dict[str, str] = {}
        places.provide(tmp_path, environ)
        assert environ == {"NUMBA_CACHE_DIR": str(tmp_path / "numba")}

    def test_without_tmp_there_is_one_in_the_data_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(places, "has_temporary_directory", lambda: False)
        environ: dict[str, str] = {}
        places.provide(tmp_path, environ)
        assert environ == {"TMPDIR": str(tmp_path / "tmp")} and (tmp_path / "tmp").is_dir()
        assert tempfile.gettempdir() == environ["TMPDIR"]

    @pytest.mark.parametrize("mode", [0o777, 0o1777, 0o722])
    def test_what_others_can_write_is_no_place_for_code(self, tmp_path: Path, mode: int) -> None:
        tmp_path.chmod(mode)
        with pytest.raises(places.PlaceError, match=r"NUMBA_CACHE_DIR names .* others can write"):
            places.provide(tmp_path, {"NUMBA_CACHE_DIR": str(tmp_path)})
        tmp_path.chmod(0o700)

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(places.PlaceError, match="NUMBA_CACHE_DIR names /proc/x, which cannot be written"):
            places.provide(tmp_path, {"NUMBA_CACHE_DIR": "/proc/x"})
