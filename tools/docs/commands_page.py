"""The command line: a page for the docs and a man page, from the definitions that parse it."""

import re
import sys
from typing import Final, Literal
from unittest.mock import patch

from docutils.core import publish_string
from docutils.writers import manpage

from fintrends_tui.cli import app as screen
from pipeline import __version__
from pipeline.__main__ import app as pipeline

_NAME: Final = "fintrends-tui"
_HANDED_OVER: Final = ("query", "export", "topics")
"""Commands whose options only the pipeline's own command line knows."""
_TITLE: Final = "=============\nfintrends-tui\n=============\n"
_SUBTITLE: Final = f"{'-' * 42}\nlive financial dashboard for the terminal\n{'-' * 42}\n\n"
_REPEATED: Final = re.compile(r"(fintrends-tui \w+ )\1")
"""The name twice, where a command has a usage line of its own."""
_CONTENTS: Final = re.compile(r"^\.\. contents::.*\n(?: +:.*\n)*", re.MULTILINE)


def commands_page() -> str:
    """The page as Markdown."""
    text = _documented("markdown")
    return text.replace("# fintrends-tui", "# Command line", 1)


def man_page() -> str:
    """The manual page, in the language of man."""
    head = f":Manual section: 1\n:Manual group: User Commands\n:Version: fintrends-tui {__version__}\n\n"
    body = _CONTENTS.sub("", _documented("rst")).partition(_TITLE)[2]
    text = f"{_TITLE}{_SUBTITLE}{head}{body}"
    settings = {"report_level": 3, "halt_level": 3, "file_insertion_enabled": False}
    made = publish_string(text, writer=manpage.Writer(), settings_overrides=settings)
    return made.decode() if isinstance(made, bytes) else str(made)


def _documented(form: Literal["markdown", "rst"]) -> str:
    # The library takes a part of the usage lines from how Python was started; here it is always started as the program.
    with patch.object(sys, "argv", [_NAME]), patch.object(sys.modules["__main__"], "__spec__", None):
        parts = [screen.generate_docs(form, recursive=False)]
        for name in screen:
            if not name.startswith("-"):
                command = (pipeline if name in _HANDED_OVER else screen)[name]
                parts.append(command.generate_docs(form, heading_level=2, usage_name=f"{_NAME} {name}"))
    return _REPEATED.sub(r"\1", "\n".join(parts))
