"""From which size on, in terminal cells, a screen has which class in app.tcss."""

from typing import Final

WIDTHS: Final = [(0, "-narrow"), (120, "-wide")]
HEIGHTS: Final = [(0, "-short"), (38, "-tall")]
