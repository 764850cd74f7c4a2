from hypothesis import given
from hypothesis import strategies as st

from pipeline.supervision.meters import Latency, RateMeter


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_steady_stream_has_its_rate() -> None:
    time = Time()
    rate = RateMeter(time)
    for _ in range(300):
        time.now += 0.1
        rate.add(4)
    assert 38 <= rate.per_second() <= 42
    assert rate.total == 1200
    assert rate.history()[-5:] == [40.0] * 5


def test_a_stream_that_stopped_has_rate_zero() -> None:
    time = Time()
    rate = RateMeter(time)
    rate.add(1000)
    time.now += 30
    assert rate.per_second() == 0
    assert sum(rate.history()) == 1000
    time.now += 60
    assert sum(rate.history()) == 0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_are_measured_values_and_ordered(samples: list[float], q: float) -> None:
    latency = Latency()
    for sample in samples:
        latency.add(sample)
    value = latency.quantile(q)
    assert value in samples
    assert latency.quantile(0) == min(samples)
    assert latency.quantile(1) == max(samples)


def test_there_is_no_quantile_of_nothing() -> None:
    assert Latency().quantile(0.5) is None
