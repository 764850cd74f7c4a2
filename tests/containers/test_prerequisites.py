"""What a machine lacks for containers is said, without trying."""

from pathlib import Path

import pytest

from testkit.containers import roots
from testkit.containers.engine import ContainerEngine
from testkit.engines.process import EngineUnavailableError


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FINTRENDS_TEST_CACHE", str(tmp_path))
    monkeypatch.setattr(roots.shutil, "which", lambda program: None if program == "debootstrap" else program)
    with pytest.raises(EngineUnavailableError, match="debootstrap is not installed"), roots.held():
        pass


def test_an_engine_that_does_not_come_up_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    engine = ContainerEngine(tmp_path, tmp_path)
    monkeypatch.setattr(engine, "command", lambda: ["sh", "-c", "echo Operation not permitted >&2; exit 1"])
    with pytest.raises(EngineUnavailableError, match="Operation not permitted"):
        engine.start()


def test_what_was_made_is_not_made_again_and_what_was_interrupted_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "debootstrap"
    program.parent.mkdir()
    # The last argument is the folder: its second half is missing the first time.
    program.write_text(
        '#!/bin/sh\nfor folder; do :; done\nmkdir "$folder" || exit\n[ -e "$0.ready" ] && touch "$folder/whole"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(EngineUnavailableError, match="debootstrap cannot make engine"):
        roots.engine_root(tmp_path)
    program.with_suffix(".ready").touch()
    assert (roots.engine_root(tmp_path) / "whole").exists()
    program.unlink()
    assert (roots.engine_root(tmp_path) / "whole").exists()
