import pytest

from fintrends_tui.commands import SECTIONS, TOGETHER
from fintrends_tui.keys import keymap, shown
from pipeline.config.settings import SettingsError
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import SMALL
from tests.ui.running import running


def test_without_changes_there_is_nothing_to_set() -> None:
    assert keymap({}, "config.toml") == {}


def test_keys_are_written_as_characters_or_by_name() -> None:
    assert keymap({"add": "n", "quit": "f10, ctrl+x", "help": "!"}, "config.toml") == {
        "add": "n",
        "quit": "f10,ctrl+x",
        "help": "exclamation_mark",
    }


def test_two_commands_can_swap_their_keys() -> None:
    assert keymap({"add": "x", "remove": "a"}, "config.toml") == {"add": "x", "remove": "a"}


def test_the_same_key_on_another_screen_is_no_clash() -> None:
    assert keymap({"longer": "a"}, "config.toml") == {"longer": "a"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"ad": "n"}, ["config.toml: keys.ad", "no such command", "add"]),
        ({"add": "frobnicate"}, ["config.toml: keys.add", "'frobnicate' is not a key", "ctrl+n"]),
        ({"add": "hyper_ctrl+n"}, ["keys.add", "is not a key"]),
        ({"add": ""}, ["keys.add", "'' is not a key"]),
        ({"add": "x"}, ["keys.add", "x is the key of 'remove'"]),
        ({"add": "n", "remove": "n"}, ["n is the key of 'add'", "keys.remove"]),
        ({"add": "ctrl+c"}, ["keys.add", "ctrl+c is taken"]),
        ({"quit": "j"}, ["keys.quit", "j is the key of 'down'"]),
        ({"first": "tab"}, ["keys.first", "Tab is the key of 'next-group'"]),
    ],
)
def test_a_mistake_is_named(keys: dict[str, str], words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        keymap(keys, "config.toml")
    for word in words:
        assert word in str(caught.value)


def test_on_every_screen_a_name_means_one_command() -> None:
    for commands in TOGETHER:
        names = [command.name for command in commands]
        assert len(names) == len(set(names))
    known = {command.name for _, commands in SECTIONS for command in commands}
    assert known == {command.name for commands in TOGETHER for command in commands}


def test_keys_are_shown_as_people_read_them() -> None:
    assert shown("question_mark,ctrl+n,shift+up,left,a,O,f2,pageup") == "? Ctrl+N Shift+↑ ← a O F2 PgUp"


async def test_a_key_of_ones_own_stands_in_the_footer_where_the_usual_one_did() -> None:
    async with running(FakeLink(samples.snapshot()), SMALL, keymap={"add": "n"}) as dash:
        assert dash.text.splitlines()[-1].strip().startswith("n Add")
