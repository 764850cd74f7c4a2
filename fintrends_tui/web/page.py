"""The page that shows a terminal, and the files that it loads: all from here, none from another host."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).with_name("static")
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the terminal sets its colours by styles of its own
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FONTS: Final = ("RobotoMono-VariableFont_wght.ttf", "RobotoMono-Italic-VariableFont_wght.ttf")


def assets() -> dict[str, Path]:
    """The files by the names they are served under: the terminal for browsers and the fonts that textual-serve brings,
    and what is ours.

    Raises:
        ModuleNotFoundError: if textual-serve is not installed.
    """
    theirs = Path(str(files("textual_serve"))) / "static"
    return {
        "textual.js": theirs / "js" / "textual.js",
        "xterm.css": theirs / "css" / "xterm.css",
        **{name: theirs / "fonts" / name for name in _FONTS},
        **{path.name: path for path in sorted(STATIC.iterdir())},
    }


def page(base_path: str, *, font_size: int = 16) -> str:
    """The page. Its script finds the websocket beside it, whatever a proxy calls the server."""
    static = f"{escape(base_path)}/static"
    return f"""\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>fintrends</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="{static}/xterm.css">
    <link rel="stylesheet" href="{static}/web.css">
    <script src="{static}/textual.js"></script>
    <script src="{static}/web.js"></script>
  </head>
  <body>
    <div id="terminal" class="textual-terminal" data-font-size="{font_size}"></div>
    <div id="notice" role="status" hidden><p></p><button type="button">Open again</button></div>
  </body>
</html>
"""
