"""Text from outside is hostile: what may reach a log, a terminal or a document."""

import html
import re
import unicodedata

# Whole ANSI sequences go before single characters do, or their tails ("[31m") would stay behind as text.
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x1b\x07\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC
    r"|\x9b[0-?]*[ -/]*[@-~]"  # 8-bit CSI
    r"|\x1b[ -/]*[0-~]"  # two-character sequences
)
_SPACE = re.compile(r"\s+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Joiners that real scripts and emoji need; every other format character (bidi overrides among them) goes.
_KEPT = frozenset({"\u200c", "\u200d"})


def clean(text: str, limit: int = 4096) -> str:
    """One line of plain text: no ANSI sequence, control, bidi override or unassigned character; spaces folded.

    At most `limit` characters; a longer text ends in "…". Idempotent.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and text == " ".join(text.split()):
        return text  # as nearly all is that we write ourselves
    # The bound comes first, so that a megabyte of hostile text costs no more than a long one.
    text = _ANSI.sub("", text[: 4 * limit + 64])
    text = "".join(
        " " if c.isspace() else c
        for c in text
        if c.isspace() or c in _KEPT or unicodedata.category(c) not in _INVISIBLE
    )
    text = _SPACE.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clean_html(text: str, limit: int = 4096) -> str:
    """As `clean`, for text whose provider escapes it for HTML (``&amp;``, ``&#39;``)."""
    return clean(html.unescape(text[: 16 * limit + 64]), limit)
