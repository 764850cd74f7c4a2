"""A screen that may only look: the link refuses, and the keys are not there."""

from typing import Any, get_args

import msgspec
import pytest

from fintrends_tui.commands import SECTIONS, TOGETHER
from fintrends_tui.link.port import LinkError
from fintrends_tui.link.reading import READING, ReadingLink
from fintrends_tui.state.access import CHANGING, DEMO, OWNER, READER, WRITER
from fintrends_tui.state.memory import ScreenMemory
from pipeline.contract.protocol import Command, SetReplay
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.running import Dash, running


def example(kind: type[Any]) -> Any:
    return kind(**{field.encode_name: None for field in msgspec.structs.fields(kind) if field.required})


@pytest.mark.parametrize("kind", get_args(Command))
async def test_only_commands_that_read_go_through(kind: type[Any]) -> None:
    link = FakeLink()
    if kind in READING:
        assert kind.__name__.startswith("Get") or kind.__name__ == "Focus"
        await ReadingLink(link).ask(example(kind))
        assert [type(command) for command in link.asked] == [kind]
    else:
        with pytest.raises(LinkError, match="read-only"):
            await ReadingLink(link).ask(example(kind))
        assert link.asked == []


async def test_nor_can_it_stop_the_pipeline() -> None:
    link = FakeLink(started_here=True)
    reading = ReadingLink(link)
    assert not reading.started_here
    with pytest.raises(LinkError, match="read-only"):
        await reading.stop_pipeline()


def test_every_action_that_is_left_out_is_one() -> None:
    actions = {command.action_name for _, commands in SECTIONS for command in commands}
    assert actions >= CHANGING | {"detach", "write"}
    assert READER.reads_only
    assert not any(access.reads_only for access in (OWNER, DEMO, WRITER))


KEYS_OF_CHANGES = sorted({c.keys.split(",")[0] for part in TOGETHER for c in part if c.action_name in CHANGING})


def bound(dash: Dash) -> dict[str, str]:
    """The action of each key that does something now."""
    found = dash.app.screen.active_bindings.values()
    return {b.key: b.action.removeprefix("app.").partition("(")[0] for _, b, enabled, _ in found if enabled}


@pytest.mark.parametrize("way", ["", "s", "t", "T", "e", "A"])
async def test_every_screen_says_so_and_no_key_of_a_change_does_anything(way: str) -> None:
    link = FakeLink(samples.snapshot())
    async with running(link, link_of=ReadingLink, access=READER) as dash:
        await dash.press(*way)
        screen, keys = dash.app.screen, bound(dash)
        assert " READ-ONLY " in dash.text
        assert not {*keys.values()} & READER.without
        await dash.press(*(key for key in KEYS_OF_CHANGES if key not in keys))
        assert dash.app.screen is screen
        assert all(isinstance(command, READING) for command in link.asked)


async def test_help_and_palette_offer_nothing_that_is_refused() -> None:
    async with running(FakeLink(samples.snapshot()), access=READER) as dash:
        offered = {command.title for command in dash.app.get_system_commands(dash.app.screen)}
        assert {"Sort", "Theme", "Quit"} <= offered
        assert not {"Add", "Remove", "Restart", "Write", "Detach", "Screenshot"} & offered
        await dash.press("question_mark")
        assert "Remove the selected ticker" not in dash.text
        assert "Open the selected ticker" in dash.text


async def test_what_gets_past_the_keys_is_refused_in_words() -> None:
    link = FakeLink(samples.snapshot())
    async with running(link, link_of=ReadingLink, access=READER) as dash:
        dash.app.command(SetReplay(paused=True))
        await dash.repaint()
        assert "this screen is read-only" in dash.text
        assert not any(isinstance(command, SetReplay) for command in link.asked)


async def test_one_who_may_write_can_but_has_no_files_there() -> None:
    async with running(FakeLink(samples.snapshot()), access=WRITER) as dash:
        assert "READ-ONLY" not in dash.text
        offered = {command.title for command in dash.app.get_system_commands(dash.app.screen)}
        assert {"Add", "Remove", "Restart"} <= offered
        assert not {"Write", "Detach", "Screenshot"} & offered
        dash.app.open_url("https://example.com/story")
        await dash.repaint()
        assert "https://example.com/story" in dash.text


def test_what_a_reader_chooses_is_not_kept(tmp_path: Any) -> None:
    file = tmp_path / "screen.json"
    ScreenMemory(file).keep(sort="price")
    memory = ScreenMemory(file, keeps=False)
    memory.keep(sort="rsi")
    assert memory.now.sort == "rsi"
    assert ScreenMemory(file).now.sort == "price"


async def test_the_owner_s_notes_are_not_a_reader_s() -> None:
    memory = ScreenMemory()
    memory.keep(notes={"AAPL": "sell it"})
    async with running(FakeLink(samples.snapshot()), memory=memory, access=READER) as dash:
        assert "AAPL*" not in dash.text
        await dash.press("N", "enter")
        assert "sell it" not in dash.text
        assert "Note on" not in dash.text
    async with running(FakeLink(samples.snapshot()), memory=memory, access=WRITER) as dash:
        assert "AAPL*" in dash.text
