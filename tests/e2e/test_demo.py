"""The demo, as its user sees it."""

import re
from pathlib import Path

from testkit.terminal import Terminal


def test_it_plays_without_a_configuration_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[pipeline]\nsource = "yahoo"\n[kafka]\nbootstrap_servers = "127.0.0.1:1"\n')
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    terminal = Terminal(tmp_path, "demo", "--speed", 60, TMPDIR=str(temporary), MONGODB_URI="mongodb://127.0.0.1:1")
    try:
        text = terminal.wait_for(lambda text: re.search(r"HARBOR~? +\d+\.\d+", text) and "replay" in text)
        assert " SIMULATED " in text
        assert "companies that do not exist" in text
        assert "Detach" not in text
        assert any(temporary.iterdir())
        terminal.press("\x03")
        assert terminal.wait_for_end() == 0
        terminal.check_restored()
        assert [*temporary.iterdir()] == []
        assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "temporary"}
    finally:
        terminal.close()
