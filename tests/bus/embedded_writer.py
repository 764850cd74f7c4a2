"""Publishes and stores batches without end, and says after each that it is acknowledged. Run to be killed.

python -m tests.unit.embedded_writer DIRECTORY ROUND
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.store.embedded.store import EmbeddedStore
from tests.contract.helpers import document, record

SIZE = 40
TOPICS = ("crash-a", "crash-b")


def body_of(batch: str, i: int) -> str:
    return f"{batch}/{i} " + "x" * 300


async def write(directory: Path, round_: str) -> None:
    bus, store = EmbeddedBus(directory / "bus.sqlite"), EmbeddedStore(directory / "store.sqlite")
    await bus.open()
    await store.open()
    for n in count():
        batch = f"{round_}-{n}"
        await bus.publish([record(TOPICS[i % 2], body_of(batch, i), key=batch) for i in range(SIZE)])
        await store.upsert(
            "news", [document(f"{batch}/{i}", ticker=batch, text=body_of(batch, i)) for i in range(SIZE)]
        )
        print(batch, flush=True)  # noqa: T201 - the acknowledgement


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2]))
