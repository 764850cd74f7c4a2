"""Whether anyone but the user can change the content of a file or a directory."""

import grp
import os
import pwd
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

_FIRST_PERSON: Final = 500
"""Accounts of people begin here on macOS, and later on Linux; the groups of those before are shared."""


def distrust(path: Path, *, also: Collection[int] = (), may_share: bool = True) -> str:
    """Why others than the user, root and the owners in `also` can change or replace the path; empty if none can.

    The path itself, what it links to, and all directories above. In a sticky directory, as /tmp is, others can make
    files but replace none; without `may_share` that is too much for the directory that `path` is.
    """
    owners = {os.geteuid(), 0, *also}
    for place in _chain(path):
        try:
            status = place.lstat()
        except OSError as error:
            return f"{place} cannot be looked at ({error.strerror})"
        if status.st_uid not in owners:
            return f"{place} belongs to {name_of(status.st_uid)}"
        if stat.S_ISLNK(status.st_mode) or not others_can_write(status):
            continue
        is_shared = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if not (is_shared and (may_share or place != path.resolve())):
            return f"others can write {place}"
    return ""


def others_can_write(status: os.stat_result) -> bool:
    """Whether the mode lets anyone but the owner write; the user's private group does not count."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_private(status.st_gid)


def name_of(uid: int) -> str:
    """The name of a user, for people."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _chain(path: Path) -> Iterator[Path]:
    """The path and what leads to it, each once: as it is written, and as it is once all links are followed."""
    written, real = path.absolute(), path.resolve()
    yield from dict.fromkeys((written, real, *written.parents, *real.parents))


def _is_private(gid: int) -> bool:
    """Whether the group is one of those that many systems make for each user: of the same name, with no other
    member."""
    uid = os.geteuid()
    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {user.pw_name}
    return uid >= _FIRST_PERSON and user.pw_gid == gid and group.gr_name == user.pw_name and alone
