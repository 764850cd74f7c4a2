"""Real engines for the integration tests."""

from testkit.engines.fixtures import (  # noqa: F401 - fixtures are found by name
    kafka_bootstrap,
    kafka_kind,
    kafka_server,
    mongo_server,
    mongo_uri,
)
