import pytest

from fintrends_tui.state.lag import caught_up_in, growth, summed, totals
from pipeline.contract.snapshot import GroupLag, TopicView


@pytest.mark.parametrize(
    ("lags", "grows", "seconds"),
    [
        ([], None, None),
        ([5], None, None),
        ([0, 10], 10, None),
        ([100, 80], -20, 4),
        ([20, 0], -20, None),
        ([7] * 60, 0, None),
        ([9_999, *range(500, 389, -10)], -10, 39),
    ],
)
def test_growth_is_that_of_the_last_seconds(lags: list[int], grows: float | None, seconds: float | None) -> None:
    assert growth(lags) == grows
    assert caught_up_in(lags) == seconds


def test_what_was_observed_at_the_same_time_is_summed() -> None:
    assert summed([]) == summed([[1, 2], []]) == []
    assert summed([[1, 2, 3], [10, 20]]) == [12, 23]


def test_a_group_is_as_bad_as_its_worst_topic_and_the_worst_come_first() -> None:
    topics = [
        TopicView(topic="a", records=1, groups=[GroupLag(group="sink", lag=1), GroupLag(group="x", lag=900)]),
        TopicView(topic="b", records=1, groups=[GroupLag(group="sink", lag=5, status="STALL")]),
        TopicView(topic="c", records=1, groups=[GroupLag(group="y", lag=900, status="WARN")]),
        TopicView(topic="d", records=1, groups=[GroupLag(group="w", lag=1), GroupLag(group="sink", lag=7)]),
    ]
    found = totals(topics)
    assert [(t.group, t.lag, t.status) for t in found] == [
        ("sink", 13, "STALL"),
        ("y", 900, "WARN"),
        ("w", 1, "OK"),
        ("x", 900, "OK"),
    ]
    assert [topic.topic for topic, _ in found[0].topics] == ["b", "a", "d"]
