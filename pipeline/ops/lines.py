"""Forecasts as the lines of a table, one for each horizon. Everything else is a line as it is."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.model.messages import DueBands

NESTED: Final = "horizons"
DUE: Final = "due"


def due_column(field: str) -> str:
    """The column of what had been said of the bar's close."""
    return f"{DUE}_{field}"


def lines_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The document's lines. What others put into the store may have anything in the place of horizons."""
    horizons = document.get(NESTED)
    if not isinstance(horizons, list) or not all(isinstance(said, dict) for said in horizons):
        return [dict(document)]
    row = {name: value for name, value in document.items() if name != NESTED}
    return [row | _flat(said) for said in horizons]


def _flat(said: Mapping[str, Any]) -> dict[str, Any]:
    due = said.get(DUE)
    known = due if isinstance(due, dict) else {}
    flat = {name: value for name, value in said.items() if name != DUE}
    return flat | {due_column(name): known.get(name) for name in DueBands.__struct_fields__}
