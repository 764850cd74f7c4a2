"""A collection as a table of typed columns, which are known before the first document is read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

import msgspec
from msgspec import inspect

from pipeline.contract.schemas import KINDS, MessageKind
from pipeline.model.documents import OTHER_THAN_BARS, message_in
from pipeline.model.messages import INTERVALS, AnyMessage, DueBands, Forecast, HorizonForecast
from pipeline.ops.lines import DUE, NESTED, due_column
from pipeline.ops.query import FIRST_COLUMNS, day_of

ColumnType = Literal["text", "number", "integer", "flag", "time", "day", "words"]
"""`time` is an aware datetime in UTC, `day` a date, `words` a list of pairs of a text and a number."""
Row = tuple[Any, ...]
"""A value for each column; None where there is none."""

_TYPES: Final[dict[type[inspect.Type], ColumnType]] = {
    inspect.StrType: "text",
    inspect.LiteralType: "text",
    inspect.FloatType: "number",
    inspect.IntType: "integer",
    inspect.BoolType: "flag",
    inspect.DateTimeType: "time",
    inspect.ListType: "words",
}
_INTEGERS: Final = 1 << 63
"""What a column of integers can hold begins below it."""


class TableColumn(NamedTuple):
    name: str
    type: ColumnType


@dataclass
class CollectionTable:
    """The columns, and what was passed over while documents became rows."""

    kind: MessageKind
    columns: tuple[TableColumn, ...]
    foreign: int = 0
    """Documents that this pipeline did not write."""
    others: set[str] = field(default_factory=set)
    """Intervals of `stock_data` that stand for no bars, and were met among them."""

    def rows(self, documents: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> list[Row]:
        """The documents as rows, a forecast as one for each horizon. Days are those of `zone` where the symbol names no
        exchange."""
        getters = [_getter(column.name, zone, self.kind.type) for column in self.columns]
        integers = [place for place, column in enumerate(self.columns) if column.type == "integer"]
        rows = []
        for document in documents:
            interval = document.get("interval")
            if interval in _NO_BARS and interval != _interval_of(self.kind):
                self.others.add(str(interval))
                continue
            try:
                message = message_in(document, self.kind.type)
            except ValueError:
                self.foreign += 1
                continue
            parts = message.horizons if isinstance(message, Forecast) else (None,)
            of_it = [tuple(get(document, message, part) for get in getters) for part in parts]
            if all(-_INTEGERS <= row[place] < _INTEGERS for row in of_it for place in integers):
                rows += of_it
            else:
                self.foreign += 1
        return rows


def table_of(collection: str, interval: str | None) -> CollectionTable:
    """The table of a collection; of `stock_data` that of the bars, or of what the interval names."""
    kinds = [kind for kind in KINDS.values() if kind.collection == collection]
    kind = next((kind for kind in kinds if interval in _NO_BARS and _interval_of(kind) == interval), kinds[0])
    fields = _types_of(kind.type)
    if kind.type is Forecast:
        fields |= _OF_HORIZON | _DUE
    if "ticker" in fields and (interval == "daily" or (interval is None and "interval" in fields)):
        fields["day"] = "day"
    if _interval_of(kind):
        fields["interval"] = "text"
    first = [name for name in FIRST_COLUMNS if name in fields]
    names: list[str] = [*first, "_id", *(name for name in fields if name not in FIRST_COLUMNS)]
    return CollectionTable(kind, tuple(TableColumn(name, "text" if name == "_id" else fields[name]) for name in names))


_NO_BARS: Final = {*OTHER_THAN_BARS.values()} - {*INTERVALS}


def _interval_of(kind: MessageKind) -> str | None:
    """What stands for the interval of such documents, if that is none."""
    return cast("Mapping[type, str]", OTHER_THAN_BARS).get(kind.type)


def _types_of(type_: type[msgspec.Struct]) -> dict[str, ColumnType]:
    """Of the fields, but for what is nested."""
    fields = msgspec.structs.fields(type_)
    return {field.name: _type_of(field.type) for field in fields if field.name not in (NESTED, DUE)}


def _type_of(type_: Any) -> ColumnType:
    info = inspect.type_info(type_)
    if isinstance(info, inspect.UnionType):
        (info,) = (option for option in info.types if not isinstance(option, inspect.NoneType))
    return _TYPES[type(info.type if isinstance(info, inspect.Metadata) else info)]


_OF_HORIZON: Final = _types_of(HorizonForecast)
_DUE: Final = {due_column(name): type_ for name, type_ in _types_of(DueBands).items()}


_Get = Callable[[Mapping[str, Any], AnyMessage, HorizonForecast | None], Any]
"""The value of a column, of a document, its message, and the horizon that the line is of."""


def _getter(name: str, zone: ZoneInfo, type_: type[AnyMessage]) -> _Get:
    match name:
        case "day":
            return lambda document, _message, _said: day_of(document, zone)
        case "_id" | "interval":
            return lambda document, _message, _said: document[name]
    if type_ is Forecast and name in _DUE:
        get_due = attrgetter(f"{DUE}.{name.removeprefix(due_column(''))}")
        return lambda _document, _message, said: get_due(said) if said is not None and said.due is not None else None
    get = attrgetter(name)
    if type_ is Forecast and name in _OF_HORIZON:
        return lambda _document, _message, said: get(said)
    return lambda _document, message, _said: get(message)
