"""Conditions on the fields of a JSON object, as people type them: ``interval=1min close>100 text~"two words"``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_TERM: Final = re.compile(r"""([A-Za-z_][\w.]*)(!=|>=|<=|=|>|<|~)("[^"]*"|[^\s"]+)""")
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class _Condition:
    path: tuple[str, ...]
    operator: str
    wanted: str

    def holds(self, document: Any) -> bool:
        found = _at(document, self.path)
        if self.operator == "!=":
            return found is not _ABSENT and not any(_equal(value, self.wanted) for value in _each(found))
        return found is not _ABSENT and any(self._meets(value) for value in _each(found))

    def _meets(self, value: Any) -> bool:
        match self.operator:
            case "=":
                return _equal(value, self.wanted)
            case "~":
                return self.wanted.casefold() in _text(value).casefold()
            case order:
                return _in_order(value, order, self.wanted)


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """Lets through what meets all conditions. A field within an object is written with a dot, ``a.b``; of a list, one
    element has to meet the condition. What a document does not have meets none."""

    conditions: tuple[_Condition, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        return all(condition.holds(document) for condition in self.conditions)


def parse_filter(text: str) -> FieldFilter | None:
    """The conditions, separated by blanks: ``=`` and ``!=`` whatever the case, ``~`` for a part of the text, and ``<``,
    ``<=``, ``>``, ``>=`` by number, or by text where one of both is no number. None if the text is anything else."""
    terms = list(_TERM.finditer(text))
    if not terms or _TERM.sub("", text).strip():
        return None
    return FieldFilter(tuple(_Condition(tuple(t[1].split(".")), t[2], t[3].strip('"')) for t in terms))


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(document, Mapping) or name not in document:
            return _ABSENT
        document = document[name]
    return document


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _equal(value: Any, wanted: str) -> bool:
    number, other = _number(value), _number(wanted)
    return (number is not None and number == other) or _text(value).casefold() == wanted.casefold()


def _in_order(value: Any, order: str, wanted: str) -> bool:
    one: Any = _number(value)
    other: Any = _number(wanted)
    if one is None or other is None:
        one, other = _text(value).casefold(), wanted.casefold()
    match order:
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case ">":
            return bool(one > other)
        case _:
            return bool(one >= other)
