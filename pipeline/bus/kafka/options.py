"""How to reach Kafka, and how topics are made there."""

from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.bus.client import client_name
from pipeline.config.settings import KafkaSettings
from pipeline.system import tls

_FOREVER: Final = str((1 << 63) - 1)

_HEARTBEAT_MS: Final = 3000
_CLAIMS_HEARTBEAT_MS: Final = 1000
"""A rebalance begins at each member with a heartbeat, and whoever adds a ticker waits for it."""
MAX_BATCH_BYTES: Final = 512 * 1024
"""A partition's batch, before compression; well below the 1 MiB that brokers take by default."""
REQUEST_SECONDS: Final = 5.0
"""For a request to one broker, after which a client looks whether another has taken its place. A call has longer: a
cluster gives a silent broker up after nine seconds by default, and only then others lead its partitions."""
REBALANCE_SECONDS: Final = 8.0
"""For the members of a group to come back from the batches that they work on."""
JOIN_SECONDS: Final = 10.0
"""For the answer to a join, which takes as long as the slowest member's batch."""
METADATA_MAX_AGE_MS: Final = 10_000
"""How long a client may use outdated partitions and leaders, where no error reports the change."""


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """The settings as arguments of aiokafka. `timeout` bounds every call, in seconds. `client` is the name by which
    brokers and their tools know this process.

    Retention: a record's timestamp is the time of its event, which is years ago in a replay, and `retention_ms` counts
    from that time. The default -1 therefore keeps records whatever their age. Bound the disk by `retention_bytes`, the
    limit for one partition.
    """

    settings: KafkaSettings
    timeout: float = 15.0
    client: str = field(default_factory=client_name)

    def client_arguments(self) -> dict[str, Any]:
        """Arguments of every client.

        Raises:
            OSError: if a certificate file cannot be read (`ssl.SSLError` is one).
            ValueError: if the options contradict each other.
        """
        settings = self.settings
        arguments: dict[str, Any] = {
            "client_id": self.client,
            "bootstrap_servers": [server.strip() for server in settings.bootstrap_servers.split(",") if server.strip()],
            "request_timeout_ms": round(min(self.timeout, REQUEST_SECONDS) * 1000),
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "security_protocol": settings.security_protocol,
        }
        if settings.security_protocol in ("SSL", "SASL_SSL"):
            arguments["ssl_context"] = tls.context(settings.ssl_cafile, settings.ssl_certfile, settings.ssl_keyfile)
        if settings.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
            if not settings.sasl_username or not settings.sasl_password:
                raise ValueError(f"{settings.security_protocol} needs sasl_username and sasl_password")
            arguments["sasl_mechanism"] = settings.sasl_mechanism
            arguments["sasl_plain_username"] = settings.sasl_username
            arguments["sasl_plain_password"] = settings.sasl_password
        return arguments

    def producer_arguments(self) -> dict[str, Any]:
        """Further arguments of the producer."""
        return {"acks": "all", "enable_idempotence": True, "max_batch_size": MAX_BATCH_BYTES}

    def consumer_arguments(self) -> dict[str, Any]:
        """Further arguments of consumers."""
        return {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            # Records of an aborted transaction are not data; those of an open one are not data yet.
            "isolation_level": "read_committed",
            "session_timeout_ms": round(self.settings.session_timeout * 1000),
            "heartbeat_interval_ms": self._heartbeat(_HEARTBEAT_MS),
            # A connection serves one request at a time, and what a rebalance asks comes after a wait for records.
            "fetch_max_wait_ms": 100,
            "rebalance_timeout_ms": round(min(self.timeout * 0.8, REBALANCE_SECONDS) * 1000),
        }

    def reader_arguments(self) -> dict[str, Any]:
        """Further arguments of consumers that read what is there already, one partition after another."""
        return {"fetch_max_wait_ms": 10}

    def claims_arguments(self) -> dict[str, Any]:
        """Further arguments of consumers that hold topics only."""
        return {"heartbeat_interval_ms": self._heartbeat(_CLAIMS_HEARTBEAT_MS)}

    def _heartbeat(self, most: int) -> int:
        """Milliseconds; of three in a session, two may be lost."""
        return min(most, round(self.settings.session_timeout * 1000 / 3))

    def topic_configs(self) -> tuple[dict[str, str], dict[str, str]]:
        """The configuration of a new topic, and a second one for brokers that refuse a key of the first as unknown."""
        configs = {
            "cleanup.policy": "delete",
            "message.timestamp.type": "CreateTime",
            "retention.ms": str(self.settings.retention_ms),
            "retention.bytes": str(self.settings.retention_bytes),
            # A segment rolls when its timestamps span this long. History spans years, so the default of a week would
            # roll one segment per batch.
            "segment.ms": _FOREVER,
        }
        # From Kafka 4 on, a broker refuses timestamps more than an hour ahead by default, and a simulator at speed is
        # ahead. Brokers before 3.6 do not know the key and accept such timestamps.
        return {**configs, "message.timestamp.after.max.ms": _FOREVER}, configs
