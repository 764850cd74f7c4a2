"""The store: writes per collection, and how long they take."""

from typing import Final

from fintrends_tui import format as fmt
from fintrends_tui.view import View
from fintrends_tui.widgets.cells import Column, Row, outside, text
from fintrends_tui.widgets.panel import Panel
from pipeline.snapshot import CollectionView

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


class Writes(Panel):
    """Writes to the store's collections since the pipeline started; latencies are of whole batches.

    The delay, in ms, is that of a record from its entry into the bus until it is stored.
    """

    LABEL = "Store"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="writes", classes="panel")

    def update_view(self, view: View) -> None:
        collections = view.snapshot.collections if view.snapshot else []
        rate = sum(collection.per_second for collection in collections)
        self.set_titles("Store", f"{fmt.rate(rate)} writes/s" if collections else "")
        self.show(
            [_row(collection) for collection in collections],
            view.waiting("Nothing written yet: the sinks write what arrives in the topics."),
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
