"""How to reach Kafka, and how topics are made there."""

import ssl
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pipeline.bus.client import client_name

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_FOREVER: Final = str((1 << 63) - 1)

SESSION_TIMEOUT_MS: Final = 10_000
"""After this long without a heartbeat a member's partitions go to others."""
MAX_BATCH_BYTES: Final = 512 * 1024
"""A partition's batch, before compression; well below the 1 MiB that brokers take by default."""
METADATA_MAX_AGE_MS: Final = 10_000
"""How long a client may go on believing in partitions and leaders that changed without an error telling it so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """`bootstrap` lists HOST:PORT by commas. `timeout` bounds every call, in seconds. `client` is what brokers and
    their tools call us.

    Retention: a record's timestamp is its event's time, which is years ago in a replay, and it is that time which
    `retention_ms` counts from. The default -1 therefore keeps records whatever their age; bound the disk by
    `retention_bytes`, which is a partition's.
    """

    bootstrap: str
    partitions: int = 1
    replication: int = 1
    retention_ms: int = -1
    retention_bytes: int = -1
    timeout: float = 10.0
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    client: str = field(default_factory=client_name)

    def __repr__(self) -> str:
        return f"KafkaOptions(bootstrap={self.bootstrap!r})"  # the default would show the password

    def client_arguments(self) -> dict[str, Any]:
        """What every client of aiokafka is made with.

        Raises:
            OSError: if a certificate file cannot be read (`ssl.SSLError` is one).
            ValueError: if the options contradict each other.
        """
        arguments: dict[str, Any] = {
            "client_id": self.client,
            "bootstrap_servers": [server.strip() for server in self.bootstrap.split(",")],
            "request_timeout_ms": round(self.timeout * 1000),
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol in ("SSL", "SASL_SSL"):
            arguments["ssl_context"] = self._ssl_context()
        if self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
            if not self.sasl_username or not self.sasl_password:
                raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password")
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = self.sasl_password
        return arguments

    def producer_arguments(self) -> dict[str, Any]:
        """What the producer is made with besides."""
        return {"acks": "all", "enable_idempotence": True, "max_batch_size": MAX_BATCH_BYTES}

    def consumer_arguments(self) -> dict[str, Any]:
        """What consumers are made with besides."""
        return {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            # A connection serves one request at a time, and what a rebalance asks comes after a wait for records.
            "fetch_max_wait_ms": 100,
            # The answer to a join takes as long as the slowest member's batch, and must come before the timeout.
            "rebalance_timeout_ms": round(self.timeout * 800),
        }

    def claims_arguments(self) -> dict[str, Any]:
        """What consumers that only hold topics are made with besides."""
        # A rebalance begins at each member with a heartbeat, and whoever adds a ticker waits for it.
        return {"heartbeat_interval_ms": 1000}

    def topic_configs(self) -> tuple[dict[str, str], dict[str, str]]:
        """A new topic's configuration, and that for brokers which refuse the first for a key they do not know."""
        configs = {
            "cleanup.policy": "delete",
            "message.timestamp.type": "CreateTime",
            "retention.ms": str(self.retention_ms),
            "retention.bytes": str(self.retention_bytes),
            # A segment rolls when its timestamps span this long. History spans years, so the default of a week would
            # roll one segment per batch.
            "segment.ms": _FOREVER,
        }
        # From Kafka 4 on, a broker refuses timestamps more than an hour ahead unless told otherwise, and a simulator
        # at speed is ahead. Brokers before 3.6 do not know the key, nor do they refuse such timestamps.
        return {**configs, "message.timestamp.after.max.ms": _FOREVER}, configs

    def _ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        return context
