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


def test_its_positions_are_a_sample_and_never_the_users(tmp_path: Path) -> None:
    mine = tmp_path / "config" / "fintrends-tui" / "positions.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text('[[lot]]\nticker = "ORCHID"\nquantity = 5\nprice = 1\n')
    mine.chmod(0o600)
    before = mine.read_text()
    where = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "TMPDIR": str(tmp_path)}
    terminal = Terminal(tmp_path, "demo", "--speed", 60, columns=140, lines=45, **where)
    try:
        terminal.wait_for(lambda text: re.search(r"TIMBER~? +\d+\.\d+", text))
        terminal.press("b")
        terminal.wait_for(lambda text: "Sample positions, nobody's 4" in text and re.search(r"Total [\d,]+\.", text))
        terminal.wait_for(lambda text: "ORCHID" not in text)  # nor what is left of the screen below
        terminal.press("a")
        terminal.wait_for(lambda text: "Add a lot" in text)
        terminal.press("ORCHID 5 100 USD\r")
        terminal.wait_for(lambda text: "Sample positions, nobody's 5" in text)
        terminal.press("\x1b")
        terminal.wait_for(lambda text: "Watchlist" in text)
        terminal.press("\r")
        terminal.wait_for(lambda text: "the sample" in text and "0.62 USD" in text)
        terminal.press("\x03")
        assert terminal.wait_for_end() == 0
        assert mine.read_text() == before
        assert {path.name for path in tmp_path.iterdir()} == {"config"}
    finally:
        terminal.close()
