"""Standard streams that are closed, broken, or cannot show every character: no command ends in a traceback because of
them.

Imports nothing heavy.
"""

import codecs
import os
import re
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, NoReturn, TextIO

_ERRORS: Final = "fintrends-likeness"
_LIKENESS: Final = {
    "…": "...",
    "·": "-",
    "•": "*",
    "×": "x",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "▲": "^",
    "▼": "v",
    "✓": "+",
    "✗": "x",
    "€": "EUR",
    "£": "GBP",
    **dict.fromkeys("–—‐‑−", "-"),
    **dict.fromkeys("‘’′", "'"),
    **dict.fromkeys("“”″", '"'),
}


def settle() -> None:
    """To be called first of all. A closed stream becomes one that is not read, so that no file of ours, a database for
    one, gets its number; and what a stream cannot show is written in characters like it."""
    codecs.register_error(_ERRORS, _alike)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as we do
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a test may have put something else there
            reconfigure(errors=_ERRORS)


def is_utf8(encoding: str | None) -> bool:
    """Whether that is what the encoding's name means."""
    try:
        return codecs.lookup(encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def encoded(text: str, stream: TextIO) -> bytes:
    """The text as the stream would write it, in characters like those that it cannot show."""
    codecs.register_error(_ERRORS, _alike)
    try:
        return text.encode(stream.encoding or "ascii", _ERRORS)
    except (LookupError, UnicodeError):  # of a codec that is for no text, or knows no replacement
        return text.encode("ascii", _ERRORS)


def json_for(text: str, stream: TextIO) -> str:
    """A JSON document for the stream: escaped where it has no UTF-8, and so the same document for whoever reads it."""
    return text if is_utf8(stream.encoding) else re.sub(r"[^\x00-\x7f]", _escaped, text)


def complain(sentence: str) -> None:
    """What went wrong, in one line on stderr."""
    remark(f"fintrends-tui: {sentence}")


def remark(sentence: str) -> None:
    """One line on stderr, if that can be written."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _forget(2)


def approved(lines: Iterable[str], question: str, *, yes: bool) -> bool:
    """Show what would happen, and ask whether to do it unless that was said already. Where nobody can be asked, it is
    not done."""
    print(*lines, sep="\n", flush=True)
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        remark("nothing was done; --yes does it without asking")
        return False
    remark(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def leave(command: Callable[[], int | None]) -> NoReturn:
    """Run a command to the end of its output, and exit with its status. A reader that has gone (`| head`) ends it as
    it ends any filter; a full disk is an error like others."""
    status: int | None = 0
    try:
        status = _status_of(command)
        sys.stdout.flush()
    except BrokenPipeError:
        status = 128 + signal.SIGPIPE
        _forget(1)
    except OSError as error:
        if not status:  # or the command has reported it
            complain(f"the output cannot be written: {error.strerror or error}")
        status = status or 1
        _forget(1)
    try:
        sys.stderr.flush()
    except OSError:
        _forget(2)
    sys.exit(status or 0)


def _status_of(command: Callable[[], int | None]) -> int | None:
    try:
        return command()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _forget(number: int) -> None:
    """It is not read: what is still to be written must not raise at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _alike(error: UnicodeError) -> tuple[str, int]:
    """Instead of what cannot be encoded; the handler's contract is that of `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_likeness, error.object[error.start : error.end])), error.end


def _likeness(character: str) -> str:
    known = _LIKENESS.get(character)
    if known is not None:
        return known
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or ("" if unicodedata.combining(character) else "?")


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
