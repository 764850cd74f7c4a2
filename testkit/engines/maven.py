"""Jars of Apache Kafka and its connectors, resolved by Maven into a cache that outlives the test run."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from testkit.engines.process import EngineUnavailableError

_POM: Final = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fintrends.tests</groupId>
  <artifactId>{name}</artifactId>
  <version>1</version>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY: Final = """\
    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
    </dependency>"""
_LOGGING: Final = "org.slf4j:slf4j-simple:1.7.36"


def cache_folder() -> Path:
    """Where engines are kept: `FINTRENDS_TEST_CACHE`, or a folder in the user's cache directory."""
    if chosen := os.environ.get("FINTRENDS_TEST_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fintrends-tui" / "engines"


def kafka_jars(version: str) -> Path:
    """The folder with the jars of Kafka's broker and what they need.

    Raises:
        EngineUnavailableError: see `jars_of`.
    """
    return jars_of(f"kafka-{version}", f"org.apache.kafka:kafka_2.13:{version}")


def jars_of(name: str, *artifacts: str) -> Path:
    """The folder with these artifacts (`group:artifact:version`), all that they need, and a logger; kept by `name`.

    Raises:
        EngineUnavailableError: if there is no Java or Maven, or Maven cannot resolve them.
    """
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise EngineUnavailableError(f"{program} is not installed")
    folder = cache_folder() / name
    jars = folder / "jars"
    if jars.is_dir():
        return jars
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):  # one of the processes of a run fetches them, and the others wait
        if not jars.is_dir():
            _fetch(name, artifacts, folder, jars)
    return jars


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time holds it."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(name: str, artifacts: Sequence[str], folder: Path, jars: Path) -> None:
    dependencies = "\n".join(_DEPENDENCY.format(*artifact.split(":")) for artifact in (*artifacts, _LOGGING))
    (folder / "pom.xml").write_text(_POM.format(name=name, dependencies=dependencies))
    fresh = folder / "fetched"
    shutil.rmtree(fresh, ignore_errors=True)
    done = subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise EngineUnavailableError(f"Maven cannot resolve {name}: {done.stdout.strip()[-600:]}")
    fresh.rename(jars)  # in one step, so that an interrupted download leaves nothing half done
