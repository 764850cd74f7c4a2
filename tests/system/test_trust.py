"""Whose words are obeyed: configurations, plug-ins, directories."""

import os
import sys
from pathlib import Path

import pytest

from pipeline.config.settings import SettingsError, load
from pipeline.sources.base import SourceError
from pipeline.sources.choice import choose_source
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.system import trust

SOMEBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to somebody else")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a configuration, which the user's own is not."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    here = tmp_path / "here"
    here.mkdir(mode=0o755)
    (here / "config.toml").write_text("[pipeline]\nseed = 9\n")
    (here / "config.toml").chmod(0o644)
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", list(sys.path))  # to which plug-ins' directories are added
    return here


def test_a_configuration_of_ones_own_is_obeyed(home: Path) -> None:
    assert load(None, None, {}).settings.pipeline.seed == 9


@pytest.mark.parametrize("mode", [0o666, 0o646, 0o662])
def test_one_that_others_can_write_is_not(home: Path, mode: int) -> None:
    (home / "config.toml").chmod(mode)
    with pytest.raises(
        SettingsError, match=r"config\.toml is refused because others can write .*--config config\.toml"
    ):
        load(None, None, {})
    assert load(Path("config.toml"), None, {}).settings.pipeline.seed == 9  # the user's word


@pytest.mark.parametrize("which", [".", ".."])
def test_nor_one_that_others_can_replace(home: Path, which: str) -> None:
    (home / which).chmod(0o777)
    with pytest.raises(SettingsError, match="others can write"):
        load(None, None, {})
    (home / which).chmod(0o1777)  # as /tmp: they can make files there, but not replace ours
    assert load(None, None, {}).settings.pipeline.seed == 9
    (home / which).chmod(0o755)


@as_root
@pytest.mark.parametrize("which", ["here/config.toml", "here", "config/fintrends-tui/config.toml"])
def test_one_of_somebody_else_is_not_obeyed_wherever_it_lies(home: Path, which: str) -> None:
    users = home.parent / "config" / "fintrends-tui" / "config.toml"
    if which.startswith("config"):
        users.parent.mkdir(parents=True)
        (home / "config.toml").rename(users)
    os.chown(home.parent / which, SOMEBODY, SOMEBODY)
    with pytest.raises(SettingsError, match=r"is refused because .* belongs to "):
        load(None, None, {})
    if which == "here/config.toml":
        assert load(None, None, {"FINTRENDS_CONFIG": "config.toml"}).settings.pipeline.seed == 9


@as_root
def test_a_link_is_followed_to_where_it_leads(home: Path) -> None:
    elsewhere = home.parent / "elsewhere"
    elsewhere.mkdir()
    (home / "config.toml").rename(elsewhere / "real.toml")
    (home / "config.toml").symlink_to(elsewhere / "real.toml")
    assert load(None, None, {}).settings.pipeline.seed == 9
    elsewhere.chmod(0o777)
    with pytest.raises(SettingsError, match=r"others can write .*elsewhere"):
        load(None, None, {})
    elsewhere.chmod(0o755)
    os.chown(home / "config.toml", SOMEBODY, SOMEBODY, follow_symlinks=False)
    with pytest.raises(SettingsError, match="belongs to"):
        load(None, None, {})


def test_a_group_of_the_users_own_is_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    status = tmp_path.stat()
    assert trust.others_can_write(status) is not trust._is_private(status.st_gid)
    monkeypatch.setattr(trust, "_is_private", lambda gid: gid == status.st_gid)
    assert not trust.others_can_write(status)
    tmp_path.chmod(0o777)
    assert trust.others_can_write(tmp_path.stat())


PLUG_IN = '[sources]\nmine = "mine:create"\n'


@pytest.mark.parametrize("mode", [0o777, 0o1777])
@pytest.mark.parametrize("named", [True, False])
def test_no_plug_in_is_run_from_where_others_can_put_code(home: Path, mode: int, named: bool) -> None:
    """A configuration of one's own in /tmp is one's own; what lies beside it need not be."""
    (home / "config.toml").write_text(PLUG_IN)
    (home / "mine.py").write_text("raise RuntimeError('was run')\n")
    home.chmod(mode)
    if not named and mode == 0o777:
        with pytest.raises(SettingsError, match="is refused because"):
            load(None, None, {})
    else:
        loaded = load(Path("config.toml") if named else None, {"pipeline": {"source": "mine"}}, {})
        with pytest.raises(SourceError, match=r'sources\.mine = "mine:create" is not run from .* others can write'):
            choose_source(loaded)
    home.chmod(0o755)


@pytest.mark.parametrize("what", ["mine.py", "mine/__init__.py", "mine/part.py"])
def test_nor_a_file_that_others_can_write(home: Path, what: str) -> None:
    (home / "config.toml").write_text(PLUG_IN)
    if "/" in what:
        (home / "mine").mkdir()
        (home / "mine" / "__init__.py").touch()
    (home / what).write_text("raise RuntimeError('was run')\n")
    (home / what).chmod(0o666)
    with pytest.raises(SourceError, match=r"is not run from .* others can write"):
        choose_source(load(None, {"pipeline": {"source": "mine"}}, {}))
    (home / what).chmod(0o644)
    with pytest.raises(SourceError, match=r"was run|has no attribute"):
        choose_source(load(None, {"pipeline": {"source": "mine"}}, {}))


@pytest.mark.parametrize("mode", [0o777, 0o722, 0o1777])
def test_a_data_directory_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(DataDirError, match=r"others can write to the data directory .*chmod 700"):
        DataDir(path).create()


@as_root
def test_and_one_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "data"
    DataDir(path).create()
    os.chown(path, SOMEBODY, -1)
    with pytest.raises(DataDirError, match=r"belongs to .*--data-dir"):
        DataDir(path).create()
