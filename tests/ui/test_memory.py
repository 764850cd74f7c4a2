from pathlib import Path

import pytest

from fintrends_tui.state.memory import Remembered, ScreenMemory
from pipeline.storage.statefile import ASIDE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "screen.json"


def test_choices_outlive_the_process(path: Path) -> None:
    assert ScreenMemory(path).now == Remembered()
    ScreenMemory(path).keep(theme="nord", groups={"tech": ["AAPL"]})
    ScreenMemory(path).keep(sort="%")
    assert ScreenMemory(path).now == Remembered(theme="nord", sort="%", groups={"tech": ["AAPL"]})
    assert [file.name for file in path.parent.iterdir()] == ["screen.json"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"theme": 3}', '{"colour": ""}', '{"groups": {"t": ["no ticker!"]}}', "\0", '{"theme": "\xff"}'],
)
def test_a_damaged_file_is_left_aside_and_told(path: Path, text: str) -> None:
    path.write_text(text, "latin-1")
    memory = ScreenMemory(path)
    assert memory.now == Remembered()
    assert f"{path} is damaged" in memory.problem
    memory.keep(sort="%")
    assert ScreenMemory(path).problem == ""
    (aside,) = path.parent.glob(f"screen.json{ASIDE}*")
    assert aside.read_text("latin-1") == text
    assert aside.name in memory.problem


def test_notes_are_plain_text_of_some_length(path: Path) -> None:
    path.write_text('{"notes": {"AAPL": "\\u001b[2Jsell\\u202e\\n it", "MSFT": "' + "x" * 999 + '"}}')
    notes = ScreenMemory(path).now.notes
    assert notes["AAPL"] == "sell it"
    assert len(notes["MSFT"]) == 280


def test_what_cannot_be_written_leaves_the_old(path: Path) -> None:
    ScreenMemory(path).keep(sort="%")
    memory = ScreenMemory(path)
    (path.parent / "screen.json.new").mkdir()
    with pytest.raises(OSError, match="screen"):
        memory.keep(sort="RSI")
    assert ScreenMemory(path).now.sort == "%"
