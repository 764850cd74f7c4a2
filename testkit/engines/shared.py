"""One server of a kind for the whole test run, started when the first test asks for it and ended with the run."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from testkit.engines.kafka import KafkaServer
from testkit.engines.mongo import MongoServer
from testkit.engines.process import ServerProcess


def kafka(kind: type[KafkaServer]) -> KafkaServer:
    """The running broker of that kind. One of another kind goes on running: to start one takes longer than most files
    of tests.

    Raises:
        EngineUnavailableError: if it cannot run here.
    """
    broker = _server(kind)
    broker.start()
    return broker


def mongo() -> MongoServer:
    """The running MongoDB server.

    Raises:
        EngineUnavailableError: if it cannot run here.
    """
    server = _server(MongoServer)
    server.start()
    return server


_made: dict[type[ServerProcess], ServerProcess] = {}


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fintrends-engines-"))
    atexit.register(_end, folder)
    return folder


def _server[S: ServerProcess](kind: type[S]) -> S:
    server = _made.get(kind)
    if not isinstance(server, kind):
        folder = _folder() / kind.__name__
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        server = _made[kind] = kind(folder)
    return server


def _end(folder: Path) -> None:
    for server in _made.values():
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)
