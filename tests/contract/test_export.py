"""A file is the same from whichever store."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.model.documents import COLLECTIONS, document_of
from pipeline.ops.export import export
from pipeline.store.base import Query, Store
from pipeline.store.embedded.store import EmbeddedStore
from testkit.data import NEW_YORK
from tools.docs.examples import EXAMPLES


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
async def test_every_collection_is_exported_alike(store: Store, tmp_path: Path, suffix: str) -> None:
    reference = EmbeddedStore(tmp_path / "reference.sqlite")
    await reference.open()
    for engine in (reference, store):
        for message in EXAMPLES.values():
            await engine.upsert(document_of(message).collection, [document_of(message)])
    for collection in COLLECTIONS:
        files = [tmp_path / f"{collection}{number}{suffix}" for number in range(2)]
        for engine, file in zip((reference, store), files, strict=True):
            await export(engine, Query(collection), file, NEW_YORK, origin="", force=False)
        assert _content(files[0]) == _content(files[1])
    await reference.close()


def _content(file: Path) -> object:
    return file.read_text("utf-8") if file.suffix == ".csv" else pq.read_table(file).to_pylist()
