"""The question which columns the watchlist has, and in which order."""

import re
from collections.abc import Sequence

from fintrends_tui.screens.dialogs.ask import AskScreen
from fintrends_tui.widgets.table.watch_rows import CATALOGUE, DEFAULT, named


class ColumnsScreen(AskScreen[list[str]]):
    """Returns the titles of the columns in their order, or None; none at all are the usual ones."""

    def __init__(self, now: Sequence[str]) -> None:
        super().__init__(
            "Columns of the watchlist",
            f"In the order wanted, of {' '.join(CATALOGUE)}. Empty: the usual ones.",
            verb="show",
            value=" ".join(now or DEFAULT),
        )

    def answered(self, text: str) -> None:
        words = [word for word in re.split(r"[\s,;]+", text) if word]
        for word in words:
            if named(word) is None:
                self.refuse(f"There is no column {word}; there are {' '.join(CATALOGUE)}.")
                return
        titles = list(dict.fromkeys(title for word in words if (title := named(word)) is not None))
        self.dismiss([] if tuple(titles) == DEFAULT else titles)
