import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pipeline.bus.base import Bus
from pipeline.store.base import Store
from tests.contract.engines import BUS_ENGINES, STORE_ENGINES, BusEngine, StoreEngine


@pytest.fixture(params=BUS_ENGINES, scope="session")
def bus_kind(request: pytest.FixtureRequest) -> str:
    """Of the session, so that all tests on one engine run together: starting a broker takes seconds."""
    return str(request.param)


@pytest.fixture
async def bus_engine(bus_kind: str, tmp_path: Path) -> AsyncIterator[BusEngine]:
    engine = BUS_ENGINES[bus_kind](tmp_path)
    yield engine
    await engine.close()


@pytest.fixture
async def bus(bus_engine: BusEngine) -> Bus:
    return await bus_engine.connect()


@pytest.fixture
def name() -> Callable[[str], str]:
    """Makes names of topics and groups that no other test, and no earlier run on the same server, has used."""
    suffix = secrets.token_hex(4)
    return lambda text: f"{text}-{suffix}"


@pytest.fixture(params=STORE_ENGINES)
async def store_engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreEngine]:
    engine = STORE_ENGINES[request.param](tmp_path)
    yield engine
    await engine.close()


@pytest.fixture
async def store(store_engine: StoreEngine) -> Store:
    return await store_engine.connect()
