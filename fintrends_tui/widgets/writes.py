"""The store: writes per collection, and how long they take."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Cell, Column, Row, outside, text
from pipeline.contract.snapshot import CollectionView

_SPARK: Final = 10
_COLUMNS: Final = (
    Column("Collection", 11, elastic=True),
    Column("/s", 6, right=True),
    Column("Written", 7, right=True),
    Column("Stored", 7, right=True, drop=2),
    Column("p50 ms", 6, right=True),
    Column("p99 ms", 6, right=True),
    Column("Delay p50", 9, right=True, drop=4),
    Column("Delay p99", 9, right=True, drop=3),
    Column("Writes/s", _SPARK, right=True, drop=1),
)
_SHORT_SPARK: Final = 4
_PAIR: Final = tuple(
    column
    for _ in range(2)
    for column in (Column("", 10), Column("", 4, right=True), Column("", _SHORT_SPARK, elastic=True))
)
"""Of the compact form: two collections a line."""


class Writes(Panel):
    """Writes to the store's collections since the pipeline started; latencies are of whole batches. The compact form
    has the rates, the greatest first.

    The delay, in ms, is that of a record from its entry into the bus until it is stored.
    """

    LABEL = "Store"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="writes", classes="panel")

    def update_view(self, view: View) -> None:
        collections = view.snapshot.collections if view.snapshot else []
        rate = sum(collection.per_second for collection in collections)
        self.set_titles("Store", f"{fmt.rate(rate)} writes/s" if collections else "")
        self.set_columns(_PAIR if self.compact else _COLUMNS, header=not self.compact)
        rows = _pairs(collections) if self.compact else [_row(collection) for collection in collections]
        self.show(rows, view.waiting("Nothing written yet: the sinks write what arrives in the topics."))


def _pairs(collections: Sequence[CollectionView]) -> list[Row]:
    fastest = sorted(collections, key=lambda collection: -collection.per_second)
    cells = [_short(collection) for collection in fastest]
    nothing = (text(""),) * 3
    return [
        Row(fastest[2 * number].name, (*left, *(right or nothing)))
        for number, (left, right) in enumerate(zip_longest(cells[::2], cells[1::2]))
    ]


def _short(collection: CollectionView) -> tuple[Cell, Cell, Cell]:
    return (
        outside(collection.name),
        text(fmt.rate(collection.per_second), "" if collection.per_second else "dim"),
        text(fmt.sparkline(collection.spark, _SHORT_SPARK), "accent"),
    )


def _row(collection: CollectionView) -> Row:
    return Row(
        collection.name,
        (
            outside(collection.name),
            text(fmt.rate(collection.per_second), "" if collection.per_second else "dim"),
            text(fmt.human(collection.total)),
            text(fmt.human(collection.documents)),
            text(fmt.milliseconds(collection.p50_ms)),
            text(fmt.milliseconds(collection.p99_ms)),
            text(fmt.milliseconds(collection.delay_p50_ms)),
            text(fmt.milliseconds(collection.delay_p99_ms)),
            text(fmt.sparkline(collection.spark, _SPARK), "accent"),
        ),
    )
