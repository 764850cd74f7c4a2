"""The configuration file: which one is used, whether it can be trusted, and what it contains."""

import codecs
import contextlib
import os
import shlex
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import platformdirs

from pipeline.system import trust

APP_NAME: Final = "fintrends-tui"
CONFIG_NAME: Final = "config.toml"

_OTHER_MARKS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""In this order: that of UTF-32 begins with that of UTF-16."""


class SettingsError(Exception):
    """The settings cannot be used; the message names the key, where it comes from, and what is allowed."""


def find(config: Path | None) -> Path | None:
    """The file that was asked for, else the one in the working directory, else the user's, else none.

    A file that was asked for is obeyed whoever it belongs to. One that merely lies there can run programs and send keys
    elsewhere, and is used only if no one but the user and root can have written it.

    Raises:
        SettingsError: if there is none where one was asked for, or the one found may belong to another user.
    """
    if config is not None:
        with contextlib.suppress(RuntimeError):  # no such home
            config = config.expanduser()  # of `--config=~/x`, which shells leave alone
        if not os.path.lexists(config):
            raise SettingsError(f"there is no configuration file {config}")
        if not config.exists() or config.is_dir():
            raise SettingsError(f"the configuration {config} is not a file")
        return config
    found = next((path for path in _candidates() if _is_file(path)), None)
    if found is not None and (why := trust.distrust(found)):
        named = shlex.join(["--config", str(found)])
        raise SettingsError(
            f"the configuration {found.absolute()} is refused because {why}, and anyone who can write it can run "
            f"programs as you and read your keys; make it and its parent directories yours (chown) and writable by you "
            f"only (chmod go-w), or name it explicitly: {named}"
        )
    return found


def _candidates() -> list[Path]:
    users = user_directory(platformdirs.user_config_dir)
    return [Path(CONFIG_NAME), *([users / CONFIG_NAME] if users else [])]


def user_directory(kind: Callable[[str], str]) -> Path | None:
    """One of the user's directories; None where there is no home directory."""
    try:
        path = Path(kind(APP_NAME))
    except RuntimeError:
        return None
    return path if path.is_absolute() else None  # the answer of older versions, which would be anybody's directory


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a home that is not ours
        return False


def read(path: Path) -> tuple[dict[str, Any], bool]:
    """The sections of the file, and whether others can read it.

    Raises:
        SettingsError: if it cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except OSError as error:
        raise SettingsError(f"the configuration {path} cannot be read: {error.strerror}") from error
    text = _decoded(content, path)
    try:
        # The line ends of old Macs, which TOML does not know, too.
        return tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n")), bool(mode & (stat.S_IRGRP | stat.S_IROTH))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets within brackets
        raise SettingsError(f"{path}: {error}") from error


def _decoded(content: bytes, path: Path) -> str:
    for mark, name in _OTHER_MARKS.items():
        if content.startswith(mark):
            raise SettingsError(f"{path} is written in {name}; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}, is not text in UTF-8; save the file as UTF-8") from error
    if "\x00" in text:
        raise SettingsError(f"{path} holds NUL characters, as a file in UTF-16 does; save it as UTF-8")
    return text
