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
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SPACE = re.compile(r"\s+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Joiners that real scripts and emoji need; every other format character (bidi overrides among them) goes.
_KEPT = frozenset({"\u200c", "\u200d"})

_UNSTEADY = re.compile("[\u200c\u200d\u20dd-\u20e4\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]+")
_FLAG_LETTERS = {0x1F1E6 + number: chr(ord("A") + number) for number in range(26)}


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


def spreadsheet_cell(text: str) -> str:
    """The text as a cell of CSV that no spreadsheet takes for a formula: with ``'`` before what would begin one."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def drawn(text: str, limit: int = 4096) -> str:
    """As `clean`, and as wide in every terminal: what is stored keeps what is left out here.

    No two terminals agree about the width of emoji in several characters. What a joiner joins stands side by side; skin
    tones, keycaps and the wish for a picture or a letter (variation selectors) go; flags are two letters.
    """
    text = clean(text, limit)
    if text.isascii():
        return text
    return " ".join(_UNSTEADY.sub("", text).translate(_FLAG_LETTERS).split())


def clean_html(text: str, limit: int = 4096) -> str:
    """As `clean`, for text whose provider escapes it for HTML (``&amp;``, ``&#39;``)."""
    return clean(html.unescape(text[: 16 * limit + 64]), limit)
