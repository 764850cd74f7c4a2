"""Apache Kafka brokers on loopback ports: one node each, in KRaft mode or with ZooKeeper."""

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from testkit.engines.java import archive_of, java
from testkit.engines.maven import kafka_jars, locked
from testkit.engines.process import READY_SECONDS, ServerProcess, free_port, listens

KRAFT_VERSION = "4.1.2"
ZOOKEEPER_VERSION = "3.9.2"

SASL_USER = "analyst"
SASL_PASSWORD = "correct-horse"  # noqa: S105 - of a broker that lives for one test run

_CLUSTER_ID = "fintrendsTestCluster00"
_COMMON = """\
log.dirs={folder}/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
listener.security.protocol.map=\
PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
advertised.listeners=\
PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy_port},SASL_PLAINTEXT://127.0.0.1:{sasl_port}
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""
_KRAFT = """\
process.roles=broker,controller
node.id={number}
controller.quorum.voters={number}@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
log.cleaner.backoff.ms=250
metadata.max.idle.interval.ms=0
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied_port},\
SASL_PLAINTEXT://127.0.0.1:{sasl_port},CONTROLLER://127.0.0.1:{controller_port}
"""
_META = f"version=1\ncluster.id={_CLUSTER_ID}\nnode.id={{number}}\n"
_ZOOKEEPER_BROKER = """\
broker.id=1
zookeeper.connect=127.0.0.1:{zookeeper_port}
zookeeper.session.timeout.ms=3000
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied_port},SASL_PLAINTEXT://127.0.0.1:{sasl_port}
"""
_ZOOKEEPER = """\
dataDir={folder}/zookeeper
clientPort={zookeeper_port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=dump
tickTime=500
"""


class KafkaServer(ServerProcess):
    """A broker. `bootstrap` takes anybody; `sasl_bootstrap` asks for `SASL_USER` and `SASL_PASSWORD`.

    Who connects to `proxied_port` is told to go on at `proxy_port`, where the broker does not listen: a proxy may.
    """

    version: str
    megabytes = 384

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.jars = kafka_jars(self.version)
        self.port = free_port()
        self.sasl_port = free_port()
        self.proxied_port = free_port()
        self.proxy_port = free_port()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def sasl_bootstrap(self) -> str:
        return f"127.0.0.1:{self.sasl_port}"

    def command(self) -> Sequence[str]:
        return java(self.jars, self.megabytes, "kafka.Kafka", "server.properties")

    def is_ready(self) -> bool:
        return listens(self.port) and answer(_knows_brokers(self.bootstrap))

    def recover(self) -> None:
        """Start it if need be, and wait until it makes topics: frozen for long, it is a while without its cluster."""
        self.start()
        self.wait_for(lambda: answer(_makes_topics(self.bootstrap)), READY_SECONDS)

    def _configure(self, properties: str, more: str = "", **values: object) -> None:
        """Of a key that is there twice, Kafka takes the last: `more` changes what is common to all."""
        text = (properties + _COMMON + more).format(
            folder=self.folder,
            port=self.port,
            sasl_port=self.sasl_port,
            proxied_port=self.proxied_port,
            proxy_port=self.proxy_port,
            user=SASL_USER,
            password=SASL_PASSWORD,
            **values,
        )
        (self.folder / "server.properties").write_text(text)


class KRaftKafka(KafkaServer):
    """Broker and controller in one process. What `SASL_USER` may do can be limited: see `access`.

    Further properties and options of the storage's format are for those that are more than this.
    """

    version = KRAFT_VERSION

    def __init__(
        self, folder: Path, properties: str = "", formatting: Sequence[str] = (), number: int = 1, **values: object
    ) -> None:
        super().__init__(folder)
        self._configure(_KRAFT, properties, **{"controller_port": free_port(), "number": number} | values)
        if formatting:
            tool = ("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", "server.properties", *formatting)
            _run(java(self.jars, 128, *tool), folder)
        else:  # what the tool does, without its second
            (folder / "data").mkdir()
            (folder / "data" / "meta.properties").write_text(_META.format(number=number))

    def launch(self) -> None:
        if not archive_of(self.jars).exists():
            with locked(self.jars.parent):
                if not archive_of(self.jars).exists():
                    _archive_classes(self.jars)
        super().launch()


class _ArchivingKafka(KRaftKafka):
    """One that leaves an archive of its classes in its folder when it stops."""

    stop_seconds = READY_SECONDS

    @property
    def archive(self) -> Path:
        return self.folder / "classes.jsa"

    def command(self) -> Sequence[str]:
        name, *arguments = super().command()
        return [name, f"-XX:ArchiveClassesAtExit={self.archive}", *arguments]

    def launch(self) -> None:
        ServerProcess.launch(self)


def _archive_classes(jars: Path) -> None:
    """It takes as long as two starts, and each later one takes two thirds of its time."""
    with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
        broker = _ArchivingKafka(Path(folder))
        broker.start()
        broker.stop()
        broker.archive.rename(archive_of(jars))


class ZooKeeper(ServerProcess):
    """The ensemble of one that an older broker needs."""

    def __init__(self, folder: Path, jars: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._jars = jars
        (folder / "zookeeper.properties").write_text(_ZOOKEEPER.format(folder=folder, zookeeper_port=self.port))

    def command(self) -> Sequence[str]:
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        return java(self._jars, 128, main, "zookeeper.properties")

    def is_ready(self) -> bool:
        return listens(self.port)

    def wait_until_gone(self, node: str) -> None:
        """Wait until no session holds the ephemeral node."""
        self.wait_for(lambda: node not in self._dump(node), seconds=READY_SECONDS)

    def _dump(self, otherwise: str) -> str:
        """Sessions and ephemeral nodes; `otherwise` while it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"dump")
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return otherwise


class ZooKeeperKafka(KafkaServer):
    """A broker that keeps its metadata in ZooKeeper. Killing it leaves ZooKeeper running, as a real crash would."""

    version = ZOOKEEPER_VERSION

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "ensemble").mkdir()
        self._zookeeper = ZooKeeper(folder / "ensemble", self.jars)
        self._configure(_ZOOKEEPER_BROKER, zookeeper_port=self._zookeeper.port)

    def start(self) -> None:
        if self.running:
            return
        self._zookeeper.start()
        # A killed broker's registration outlives it by its session, and would turn the new one away.
        self._zookeeper.wait_until_gone("/brokers/ids/1")
        super().start()

    def stop(self) -> None:
        super().stop()
        self._zookeeper.stop()


def answer[T](question: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own, for who asks may be running an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, question).result()


async def _makes_topics(bootstrap: str) -> bool:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    try:
        await admin.start()
        response = await admin.create_topics([NewTopic(f"recovered_{uuid4().hex}", 1, 1)])
        return all(code == 0 for _, code, *_ in response.topic_errors)
    except (KafkaError, AttributeError):  # the latter of aiokafka, while there is no controller
        return False
    finally:
        await admin.close()


async def _knows_brokers(bootstrap: str) -> bool:
    """Whether the broker tells of itself; it listens before it does."""
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    try:
        await client.bootstrap()
        return bool((await client.fetch_all_metadata()).brokers())
    except KafkaError:
        return False
    finally:
        await client.close()


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"Kafka's storage cannot be formatted: {(done.stdout + done.stderr)[-2000:]}")
