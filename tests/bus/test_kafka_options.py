"""The settings of Kafka as arguments of its client."""

import pytest

from pipeline.bus.kafka.options import KafkaOptions
from pipeline.config.settings import KafkaSettings


@pytest.mark.parametrize("session", [1.0, 4.0, 10.0, 1800.0])
def test_of_the_heartbeats_in_a_session_two_may_be_lost(session: float) -> None:
    options = KafkaOptions(KafkaSettings(bootstrap_servers="h:1", session_timeout=session))
    for arguments in (options.consumer_arguments(), options.consumer_arguments() | options.claims_arguments()):
        assert arguments["session_timeout_ms"] == session * 1000
        assert 3 * arguments["heartbeat_interval_ms"] <= arguments["session_timeout_ms"]


def test_a_rebalance_ends_before_a_request_does() -> None:
    options = KafkaOptions(KafkaSettings(bootstrap_servers="h:1"), timeout=4)
    assert (
        options.consumer_arguments()["rebalance_timeout_ms"] < options.client_arguments()["request_timeout_ms"] == 4000
    )
