"""What `fintrends-tui web` refuses before it serves, and the token that it keeps."""

import importlib.util
import stat
from pathlib import Path

import pytest

from fintrends_tui.web.admission import TOKEN
from fintrends_tui.web.command import web
from fintrends_tui.web.serving import token_of
from pipeline.storage.datadir import DataDir, DataDirError


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])  # noqa: S104
def test_an_address_that_others_reach_has_to_be_asked_for(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert web(host=host) == 2
    said = capsys.readouterr().err
    assert f"other machines can reach {host}" in said
    assert "--expose" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"host": "example.com"}, "is no address"),
        ({"origin": ("example.com",)}, "is no origin"),
        ({"base_path": "/../x"}, "is no base path"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, object], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert web(**options) == 2  # type: ignore[arg-type]
    assert sentence in capsys.readouterr().err


def test_without_the_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert web() == 1
    assert "pip install 'fintrends-tui[web]'" in capsys.readouterr().err


def test_the_token_stays_until_a_new_one_is_asked_for(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "data")
    first = token_of(data_dir, new=False)
    assert TOKEN.fullmatch(first)
    assert len(first) >= 43  # 256 bits
    assert stat.S_IMODE(data_dir.web_token.stat().st_mode) == 0o600
    assert token_of(data_dir, new=False) == first
    second = token_of(data_dir, new=True)
    assert second != first
    assert token_of(data_dir, new=False) == second
    data_dir.web_token.write_text('"guessed"')
    assert token_of(data_dir, new=False) not in (first, second, "guessed")


def test_a_token_that_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "data" / "web_token.json.new").mkdir(parents=True)  # where it is written first
    (tmp_path / "data").chmod(0o700)
    with pytest.raises(DataDirError, match="web_token"):
        token_of(DataDir(tmp_path / "data"), new=True)
