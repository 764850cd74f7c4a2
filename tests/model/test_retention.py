import pytest
from aiokafka.protocol.admin import DescribeConfigsResponse_v0

from pipeline.bus.kafka.codec import retentions
from pipeline.contract.retention import Retention


@pytest.mark.parametrize(
    ("retention", "shown"),
    [
        (Retention(), "forever"),
        (Retention(ms=7 * 86_400_000), "7d"),
        (Retention(ms=36 * 3_600_000), "36h"),
        (Retention(ms=90_000), "90s"),
        (Retention(ms=1), "1ms"),
        (Retention(ms=0), "0d"),
        (Retention(bytes=3 << 29), "1.5GiB"),
        (Retention(bytes=100), "100B"),
        (Retention(ms=3_600_000, bytes=1 << 20), "1h/1MiB"),
        (Retention(compacted=True), "compacted"),
        (Retention(ms=3_600_000, compacted=True), "compacted/1h"),
    ],
)
def test_it_is_told_in_few_words(retention: Retention, shown: str) -> None:
    assert str(retention) == shown


def entry(name: str, value: str) -> tuple[str, str, bool, bool, bool]:
    return name, value, False, True, False


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("delete", Retention(ms=60_000)),
        ("compact", Retention(compacted=True)),
        ("compact,delete", Retention(ms=60_000, compacted=True)),
    ],
)
def test_a_compacted_topic_is_told_and_has_limits_only_if_it_deletes_too(policy: str, kept: Retention) -> None:
    told = (0, None, 2, "told", [entry("retention.ms", "60000"), entry("cleanup.policy", policy)])
    assert retentions(DescribeConfigsResponse_v0(0, [told])) == {"told": kept}


def test_what_a_broker_does_not_tell_is_left_out() -> None:
    told = (0, None, 2, "told", [entry("retention.ms", "-1"), entry("retention.bytes", "1024"), entry("other", "x")])
    refused = (29, "Topic authorization failed.", 2, "refused", [])
    assert retentions(DescribeConfigsResponse_v0(0, [told, refused])) == {"told": Retention(ms=None, bytes=1024)}
