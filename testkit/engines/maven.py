"""Apache Kafka's jars, resolved by Maven into a cache that outlives the test run."""

import os
import shutil
import subprocess
from pathlib import Path

from testkit.engines.process import EngineUnavailableError

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fintrends.tests</groupId>
  <artifactId>kafka-{version}</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


def cache_folder() -> Path:
    """Where engines are kept: `FINTRENDS_TEST_CACHE`, or a folder in the user's cache directory."""
    if chosen := os.environ.get("FINTRENDS_TEST_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fintrends-tui" / "engines"


def kafka_jars(version: str) -> Path:
    """The folder with the jars of Kafka's broker and what they need.

    Raises:
        EngineUnavailableError: if there is no Java or Maven, or Maven cannot resolve them.
    """
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise EngineUnavailableError(f"{program} is not installed")
    folder = cache_folder() / f"kafka-{version}"
    jars = folder / "jars"
    if jars.is_dir():
        return jars
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(_POM.format(version=version))
    fresh = folder / f"jars.{os.getpid()}"
    done = subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise EngineUnavailableError(f"Maven cannot resolve Kafka {version}: {done.stdout.strip()[-600:]}")
    try:
        fresh.rename(jars)  # in one step, so that an interrupted download leaves nothing half done
    except OSError:
        shutil.rmtree(fresh)
        if not jars.is_dir():  # another test run was not first either
            raise
    return jars
