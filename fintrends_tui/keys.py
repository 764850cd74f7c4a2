"""Keys as people write and read them, and the keys that the settings give to commands."""

from collections.abc import Mapping, Sequence
from typing import Final

from textual.binding import Binding
from textual.keys import Keys, format_key, key_to_character

from fintrends_tui.commands import SECTIONS, TOGETHER, KeyCommand
from fintrends_tui.terminal.suspend import SUSPEND_KEY
from pipeline.config.settings import SettingsError

_MODIFIERS: Final = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_NAMED: Final = frozenset(key.value.rpartition("+")[2] for key in Keys if not key.value.startswith("<"))
_RESERVED: Final = {
    "ctrl+c": "copying the selected text, else quitting",
    "ctrl+p": "the command palette",
    SUSPEND_KEY: "suspending (fg comes back)",
}
_SHOWN: Final = {"escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn", "delete": "Del"}


def keymap(keys: Mapping[str, str], where: str) -> dict[str, str]:
    """The keys of each command that has others than its own, as `App.set_keymap` wants them.

    `keys` maps names of commands to keys, separated by commas; `where` names the settings' origin in errors.

    Raises:
        SettingsError: for an unknown command, an unknown key, or a key that another command has at the same time.
    """
    known = {command.name for _, commands in SECTIONS for command in commands}
    changed: dict[str, tuple[str, ...]] = {}
    for name, text in keys.items():
        if name not in known:
            raise SettingsError(f"{where}: keys.{name}: there is no such command; there are {', '.join(sorted(known))}")
        changed[name] = _parse(text, f"{where}: keys.{name}")
    for commands in TOGETHER:
        _refuse_clashes(commands, changed, where)
    return {name: ",".join(names) for name, names in changed.items()}


def shown(keys: str) -> str:
    """Keys, separated by commas, as people read them: ``?``, ``Ctrl+N``, ``← h``."""
    return " ".join(_show(key) for key in keys.split(","))


def _parse(text: str, at: str) -> tuple[str, ...]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        *modifiers, key = word.split("+") if len(word) > 1 else [word]
        known = key in _NAMED or (len(key) == 1 and key.isprintable() and key != " ") or key_to_character(key)
        if not key or not known or not _MODIFIERS.issuperset(modifiers):
            raise SettingsError(
                f"{at}: {word!r} is not a key; write one such as n, N, f2, ctrl+n, shift+up, enter or question_mark"
            )
    names = tuple(binding.key for binding in Binding.make_bindings([Binding(",".join(words), "")]))
    for name in names:
        if name in _RESERVED:
            raise SettingsError(f"{at}: {name} is taken by {_RESERVED[name]}; choose another key")
    return names


def _refuse_clashes(commands: Sequence[KeyCommand], changed: Mapping[str, Sequence[str]], where: str) -> None:
    holders: dict[str, str] = {}
    for command in commands:
        for key in changed.get(command.name, command.keys.split(",")):
            other = holders.setdefault(key, command.name)
            if other != command.name and (command.name in changed or other in changed):
                mine, theirs = (command.name, other) if command.name in changed else (other, command.name)
                raise SettingsError(
                    f"{where}: keys.{mine}: {shown(key)} is the key of {theirs!r}, too; "
                    f"choose another, or give {theirs!r} one under [keys]"
                )


def _show(key: str) -> str:
    *modifiers, name = key.split("+") if len(key) > 1 else [key]
    base = _SHOWN.get(name) or format_key(name)
    if modifiers or len(base) > 1:
        base = base[:1].upper() + base[1:]
    return "+".join([*(modifier.capitalize() for modifier in modifiers), base])
