"""A server that speaks MongoDB's wire protocol: SecantusDB, WiredTiger underneath, from PyPI."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from testkit.engines.process import EngineUnavailableError, ServerProcess, free_port, listens


class MongoServer(ServerProcess):
    """One node that calls itself the primary of a replica set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if importlib.util.find_spec("secantus") is None:
            raise EngineUnavailableError("the package SecantusDB is not installed")
        self.port = free_port()
        self.auth = False

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self.folder / "data")]
        if self.auth:
            options.append("--auth")
        return [sys.executable, "-m", "secantus", "--log-level", "ERROR", "--cache-size", "128M", *options]

    def is_ready(self) -> bool:
        return listens(self.port)
