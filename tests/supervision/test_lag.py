import pytest

from pipeline.supervision.lag import LagWindow

TEN = range(10)


def window(observations: list[tuple[int, int]]) -> LagWindow:
    result = LagWindow()
    for committed, lag in observations:
        result.observe(committed, lag)
    return result


@pytest.mark.parametrize(
    ("observations", "status"),
    [
        ([], "OK"),
        ([(5, 100)] * 9, "OK"),  # too early to tell
        ([(5, 100)] * 10, "STALL"),
        ([(5, 100)] * 10 + [(6, 99)], "OK"),
        ([(i, 100 + i) for i in TEN], "WARN"),
        ([(i, 100 - i) for i in TEN], "OK"),
        ([(i, 100) for i in TEN], "WARN"),
        ([(i, 0 if i == 4 else 100 + i) for i in TEN], "OK"),
    ],
)
def test_status_follows_from_how_lag_moves(observations: list[tuple[int, int]], status: str) -> None:
    assert window(observations).status() == status


def test_lag_is_that_of_the_last_observation() -> None:
    assert window([]).lag == 0
    assert window([(1, 5), (2, 4)]).lag == 4


def test_nothing_follows_from_what_is_seen_while_a_start_is_worked_off() -> None:
    seen = LagWindow()
    for _ in range(30):
        seen.observe(5, 100, starting=True)
    for _ in range(9):
        seen.observe(5, 100)
        assert seen.status() == "OK"
    seen.observe(5, 100)
    assert seen.status() == "STALL"
