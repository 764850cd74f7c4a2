"""What a check of `fintrends-tui doctor` has found, and how it is written."""

import codecs
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.text import clean

Level = Literal["ok", "warning", "fault"]

_MARKS: Final[dict[Level, str]] = {"ok": "✓", "warning": "!", "fault": "✗"}
_ASCII_MARKS: Final[dict[Level, str]] = {"ok": "+", "warning": "!", "fault": "x"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report, and for what is not as it should be the likely cause and the command that mends it.

    A fault keeps the pipeline from working; a warning does not, or not yet.
    """

    level: Level
    what: str
    cause: str = ""
    mend: str = ""


def ok(what: str) -> Finding:
    return Finding("ok", what)


def warning(what: str, cause: str, mend: str) -> Finding:
    return Finding("warning", what, cause, mend)


def fault(what: str, cause: str, mend: str) -> Finding:
    return Finding("fault", what, cause, mend)


def fault_of(error: Exception, mend: str) -> Finding:
    """A fault told by an error of a port, whose message ends in ": " and the likely cause."""
    what, _, cause = str(error).partition(": ")
    return fault(what, cause, mend)


def is_utf8(encoding: str | None) -> bool:
    """Whether that is what the encoding's name means."""
    try:
        return codecs.lookup(encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def written(finding: Finding, encoding: str | None) -> str:
    """The lines for a terminal of that encoding; what it cannot show is escaped."""
    marks = _MARKS if is_utf8(encoding) else _ASCII_MARKS
    lines = [f"{marks[finding.level]} {clean(finding.what)}"]
    lines += [
        f"    {label}: {clean(text)}" for label, text in (("cause", finding.cause), ("mend", finding.mend)) if text
    ]
    text = "\n".join(lines) + "\n"
    return text if is_utf8(encoding) else text.encode("ascii", "backslashreplace").decode("ascii")
