"""File systems of Debian, made once and kept: the engine runs in one, and images are based on the other."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from testkit.engines.maven import cache_folder
from testkit.engines.process import EngineUnavailableError

PROGRAMS: Final = ("debootstrap", "unshare", "nsenter")
_SUITE: Final = "trixie"  # the first whose Docker Engine knows start_interval, and that of the Dockerfile
_ENGINE: Final = "ca-certificates,containerd,docker.io,docker-cli,docker-compose,iptables,iproute2,runc,tini"
BASE: Final = "ca-certificates,netbase,python3,python3-pip,tzdata"
"""The packages of each."""
_CERTIFICATES: Final = Path("etc/ssl/certs/ca-certificates.crt")


@contextmanager
def held() -> Iterator[Path]:
    """The folder of all that is kept. Nobody else has it meanwhile: two engines cannot share their images.

    Raises:
        EngineUnavailableError: if a program is missing that makes or enters file systems.
    """
    for program in PROGRAMS:
        if shutil.which(program) is None:
            raise EngineUnavailableError(f"{program} is not installed")
    folder = cache_folder() / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def engine_root(folder: Path) -> Path:
    """Where Docker Engine and Compose are installed.

    Raises:
        EngineUnavailableError: if it cannot be made.
    """
    return _root(folder / "engine", _ENGINE)


def base_archive(folder: Path) -> Path:
    """The archive of an image with Python and pip, and with whom this machine trusts.

    Raises:
        EngineUnavailableError: if it cannot be made.
    """
    archive = folder / "base.tar"
    if archive.exists():
        return archive
    root = _root(folder / "base", BASE)
    # The image of the Dockerfile has a pip that installs where it is asked to.
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    if (trusted := Path("/") / _CERTIFICATES).exists():
        shutil.copyfile(trusted, root / _CERTIFICATES)
    fresh = archive.with_suffix(".new")
    subprocess.run(["tar", "-C", root, "--exclude=./var/cache/apt/archives/*", "-cf", fresh, "."], check=True)
    fresh.rename(archive)
    shutil.rmtree(root)
    return archive


def _root(folder: Path, packages: str) -> Path:
    if folder.is_dir():
        return folder
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", _SUITE, fresh],
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    if done.returncode != 0:
        raise EngineUnavailableError(f"debootstrap cannot make {folder.name}: {done.stdout.strip()[-600:]}")
    fresh.rename(folder)  # in one step, so that what was interrupted is made anew
    return folder
