"""Long texts on as many lines as they need. Pure; knows no widget."""

import textwrap

from rich.cells import cell_len, chop_cells


def wrap(value: str, width: int) -> list[str]:
    """Lines of at most `width` terminal cells, broken between words where that is possible; at least one line."""
    lines: list[str] = []
    for line in textwrap.wrap(value, max(1, width)) or [""]:
        # It counts characters, of which some are two cells wide.
        lines += [line] if cell_len(line) <= width else chop_cells(line, max(2, width))
    return lines
