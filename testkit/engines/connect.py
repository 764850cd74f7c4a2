"""A Kafka Connect worker of one process, with the connectors of files and of MongoDB."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from testkit.engines.java import java
from testkit.engines.kafka import KRAFT_VERSION
from testkit.engines.maven import jars_of
from testkit.engines.process import ServerProcess, free_port, listens

_ARTIFACTS: Final = (
    f"org.apache.kafka:connect-runtime:{KRAFT_VERSION}",
    f"org.apache.kafka:connect-file:{KRAFT_VERSION}",
    "org.mongodb.kafka:mongo-kafka-connect:2.0.1",
)


class ConnectWorker(ServerProcess):
    """Runs connectors, given as their properties, on a broker."""

    def __init__(
        self, folder: Path, bootstrap: str, worker: Mapping[str, str], connectors: Sequence[Mapping[str, str]]
    ) -> None:
        """`worker` are its own properties; where it listens and what it keeps are of this one."""
        super().__init__(folder)
        self._jars = jars_of(f"connect-{KRAFT_VERSION}", *_ARTIFACTS)
        self._port = free_port()
        here = {
            "bootstrap.servers": bootstrap,
            "listeners": f"HTTP://127.0.0.1:{self._port}",
            "offset.storage.file.filename": str(folder / "offsets"),
            # All are on the class path already. Each jar in a folder of plugins would be looked through by itself.
            "plugin.path": str(folder / "plugins"),
        }
        self._files = [self._written("worker", {**worker, **here})]
        self._files += [self._written(connector["name"], connector) for connector in connectors]

    def command(self) -> Sequence[str]:
        return java(self._jars, 256, "org.apache.kafka.connect.cli.ConnectStandalone", *self._files)

    def is_ready(self) -> bool:
        return listens(self._port)

    def _written(self, name: str, properties: Mapping[str, str]) -> str:
        file = f"{name}.properties"
        (self.folder / file).write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return file
