"""Bars out of documents, for a store that has no quicker way to them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from pipeline.model.bar_table import BarTable, tables_of
from pipeline.model.documents import messages_in
from pipeline.model.messages import Bar
from pipeline.store.base import Query, Store


async def scanned_bars(store: Store, query: Query, *, simulated: bool) -> AsyncIterator[BarTable]:
    """What `Store.bars` gives."""
    async for documents in store.scan(query):
        for table in await asyncio.to_thread(bars_in, documents, simulated=simulated):
            yield table


def bars_in(documents: Iterable[Mapping[str, Any]], *, simulated: bool) -> list[BarTable]:
    """The bars among the documents, which are in time order."""
    return tables_of(bar for bar in messages_in(documents, Bar) if bar.simulated == simulated)
