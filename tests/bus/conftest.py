"""An embedded bus that is open, its file, and its clock."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.bus.embedded.bus import EmbeddedBus
from testkit.fakes import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus.sqlite"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def bus(path: Path, clock: FakeClock) -> AsyncIterator[EmbeddedBus]:
    opened = EmbeddedBus(path, clock=clock)
    await opened.open()
    yield opened
    await opened.close()
