"""A writer that is killed loses nothing it was told is written, and leaves nothing half-written."""

import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from tests.bus.embedded_writer import SIZE, TOPICS, body_of

ROUNDS = 4
ROOT = Path(__file__).parents[2]


def write_until_killed(directory: Path, round_: int, acknowledgements: int) -> list[str]:
    """The batches that were acknowledged."""
    command = [sys.executable, "-m", "tests.bus.embedded_writer", str(directory), str(round_)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        process.kill()
        lines += process.stdout.readlines()  # what it said before the signal reached it
    return [line.strip() for line in lines if line.endswith("\n")]


async def test_a_killed_writer_keeps_its_word(tmp_path: Path) -> None:
    rng = random.Random(20_240_102)
    acknowledged: list[str] = []
    for round_ in range(ROUNDS):
        batches = write_until_killed(tmp_path, round_, rng.randint(1, 60))
        assert batches
        acknowledged += batches
        await check(tmp_path, acknowledged)


async def check(directory: Path, acknowledged: list[str]) -> None:
    expected = {body_of(batch, i) for batch in acknowledged for i in range(SIZE)}

    bus = EmbeddedBus(directory / "bus.sqlite")
    await bus.open()
    published: list[str] = []
    for where, (begin, end) in (await bus.offsets(TOPICS)).items():
        records = [record async for batch in bus.read(where, begin, end) for record in batch]
        assert [record.offset for record in records] == list(range(end))
        published += [record.value.decode() for record in records]
    await bus.close()
    assert expected <= set(published)
    assert set(Counter(text.split("/")[0] for text in published).values()) == {SIZE}

    store = EmbeddedStore(directory / "store.sqlite")
    await store.open()
    stored: defaultdict[str, set[str]] = defaultdict(set)
    for found in await store.find(Query("news")):
        assert found["text"].startswith(found["_id"] + " ")
        stored[found["ticker"]].add(found["text"])
    assert (await store.counts())["news"] == sum(len(texts) for texts in stored.values())
    await store.close()
    assert expected <= set().union(*stored.values())
    assert {len(texts) for texts in stored.values()} == {SIZE}
