"""What a check of `fintrends-tui doctor` has found, and how it is written."""

from dataclasses import dataclass
from typing import Final, Literal

from pipeline.model.text import clean
from pipeline.system.streams import is_utf8

Level = Literal["ok", "absent", "warning", "fault"]

_MARKS: Final[dict[Level, str]] = {"ok": "✓", "absent": "–", "warning": "!", "fault": "✗"}
_ASCII_MARKS: Final[dict[Level, str]] = {"ok": "+", "absent": "-", "warning": "!", "fault": "x"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; for a problem also the likely cause and how to fix it.

    A fault keeps the pipeline from working; a warning does not, or not yet. What is absent need not be there.
    """

    level: Level
    what: str
    cause: str = ""
    fix: str = ""


def ok(what: str) -> Finding:
    return Finding("ok", what)


def absent(what: str) -> Finding:
    return Finding("absent", what)


def warning(what: str, cause: str, fix: str) -> Finding:
    return Finding("warning", what, cause, fix)


def fault(what: str, cause: str, fix: str) -> Finding:
    return Finding("fault", what, cause, fix)


def fault_of(error: Exception, fix: str) -> Finding:
    """A fault from an error of a port, whose message ends in ": " and the likely cause."""
    what, _, cause = str(error).partition(": ")
    return fault(what, cause, fix)


def written(finding: Finding, encoding: str | None) -> str:
    """The lines for a terminal of that encoding; what it cannot show is escaped."""
    marks = _MARKS if is_utf8(encoding) else _ASCII_MARKS
    lines = [f"{marks[finding.level]} {clean(finding.what)}"]
    lines += [f"    {label}: {clean(text)}" for label, text in (("cause", finding.cause), ("fix", finding.fix)) if text]
    text = "\n".join(lines) + "\n"
    return text if is_utf8(encoding) else text.encode("ascii", "backslashreplace").decode("ascii")
