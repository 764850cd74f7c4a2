"""Builds the project's image by its Dockerfile, and the stand-ins for those that would be pulled."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

from testkit.containers.engine import CHECKOUT, ENGINES, ContainerEngine, running
from testkit.containers.roots import BASE, base_archive
from testkit.engines.kafka import KRAFT_VERSION, ZOOKEEPER_VERSION
from testkit.engines.maven import jars_of

IMAGE: Final = "fintrends-tui:local"
_BASE_IMAGE: Final = "python:3.12.13-slim-trixie"
_FILES: Final = f"{CHECKOUT}/testkit/containers/stand-ins"
_CERTIFICATES: Final = "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"  # or uv knows only its own
_BROKER: Final = ("kafka_2.13", "kafka-tools")
_CONNECT: Final = ("connect-runtime", "connect-file")


def build_project(folder: Path, kept: Path) -> None:
    """Build the image of the project as `docker compose build` does.

    Raises:
        EngineUnavailableError: if the base image cannot be made.
        RuntimeError: if it cannot be built, with what was said.
    """
    files = [f"{CHECKOUT}/docker-compose.yml", f"{_FILES}/online.yml"]
    # Compose reads the file to its end, and so asks for them.
    passwords = dict.fromkeys(("MONGO_PASSWORD", "MONGO_EXPRESS_PASSWORD"), "unused")
    _build(folder, kept, files, "financial-streaming", **passwords)


def build_stand_ins(folder: Path, kept: Path) -> None:
    """Build all of them.

    Raises:
        EngineUnavailableError: if the base image cannot be made, or Maven cannot resolve the jars.
        RuntimeError: if they cannot be built, with what was said.
    """
    _build(
        folder,
        kept,
        [f"{_FILES}/compose.yml"],
        SECANTUSDB=version("secantusdb"),
        JARS_3=_jars(ZOOKEEPER_VERSION, *_BROKER),
        JARS_4=_jars(KRAFT_VERSION, *_BROKER, *_CONNECT),
    )


def _jars(kafka: str, *artifacts: str) -> str:
    """The folder of these artifacts, as the engine sees it."""
    folder = jars_of(f"image-{kafka}", *(f"org.apache.kafka:{artifact}:{kafka}" for artifact in artifacts))
    return f"{ENGINES}/{folder.parent.name}/{folder.name}"


def _build(folder: Path, kept: Path, files: list[str], *services: str, **environment: str) -> None:
    with running(ContainerEngine(folder, kept, online=True)) as engine:
        _import_base(engine, kept)
        chosen = [word for file in files for word in ("--file", file)]
        options = ["--progress", "plain", *chosen, "build", *services]
        engine.docker("compose", *options, environment=environment, timeout=900)


def _import_base(engine: ContainerEngine, kept: Path) -> None:
    """Import it once: what is built on it is kept as long as it is the same."""
    label = engine.docker("image", "inspect", "--format", "{{.Config.Labels.of}}", _BASE_IMAGE, check=False)
    if label.stdout.strip() == BASE:
        return
    changes = [word for change in (_CERTIFICATES, f"LABEL of={BASE}") for word in ("--change", change)]
    with base_archive(kept).open("rb") as archive:
        command = [*engine.entering("mount", "pid", "net"), "docker", "import", *changes, "-", _BASE_IMAGE]
        subprocess.run(command, stdin=archive, capture_output=True, check=True)
