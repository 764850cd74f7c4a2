import gc
import weakref
from collections.abc import Iterator

import pytest

from pipeline.system import collector


class Ring:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_garbage_is_looked_for_more_rarely_and_found_all_the_same() -> None:
    gc.set_threshold(700, 10, 10)
    collector.relax()
    assert gc.isenabled()
    assert gc.get_threshold()[0] > 700
    first = weakref.ref(Ring())
    assert first() is not None
    for _ in range(gc.get_threshold()[0] + 1):
        Ring()
    assert first() is None
