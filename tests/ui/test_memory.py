from pathlib import Path

import pytest

from fintrends_tui.memory import Memory, Remembered


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "screen.json"


def test_choices_outlive_the_process(path: Path) -> None:
    assert Memory(path).now == Remembered()
    Memory(path).keep(theme="nord", groups={"tech": ["AAPL"]})
    Memory(path).keep(sort="%")
    assert Memory(path).now == Remembered(theme="nord", sort="%", groups={"tech": ["AAPL"]})
    assert [file.name for file in path.parent.iterdir()] == ["screen.json"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"theme": 3}', '{"colour": ""}', '{"groups": {"t": ["no ticker!"]}}', "\0", '{"theme": "\xff"}'],
)
def test_a_damaged_file_is_left_aside_and_told(path: Path, text: str) -> None:
    path.write_text(text, "latin-1")
    memory = Memory(path)
    assert memory.now == Remembered()
    assert f"{path} is damaged" in memory.problem
    memory.keep(sort="%")
    assert Memory(path).problem == ""


def test_what_cannot_be_written_leaves_the_old(path: Path) -> None:
    Memory(path).keep(sort="%")
    memory = Memory(path)
    (path.parent / "screen.json.new").mkdir()
    with pytest.raises(OSError, match="screen"):
        memory.keep(sort="RSI")
    assert Memory(path).now.sort == "%"
