"""The question from when on."""

from datetime import UTC, datetime
from typing import Final

from fintrends_tui.screens.dialogs.ask import AskScreen
from pipeline.contract.plans import BEGINNING, END
from pipeline.model.times import InvalidTimeError, parse_time

_TIMES: Final = "a time such as 2026-01-31T09:30 (UTC), or 90m, 36h, 7d for how long ago; records are compared by the "


class AskTimeScreen(AskScreen[str]):
    """Returns a time as it was typed, `BEGINNING` or, where that is allowed, `END`; or None."""

    def __init__(self, title: str, *, verb: str, may_end: bool = False) -> None:
        self._words = (BEGINNING, END) if may_end else (BEGINNING,)
        words = ", ".join(self._words)
        super().__init__(title, f"{words}, or {_TIMES}times of their events", verb=verb, placeholder=f"{words}, 2h …")

    def answered(self, text: str) -> None:
        wanted = text.strip().lower()
        if wanted not in self._words:
            try:
                parse_time(text.strip(), datetime.now(UTC))
            except InvalidTimeError as error:
                self.refuse(f"{error}; or {', '.join(self._words)}")
                return
        self.dismiss(wanted if wanted in self._words else text.strip())
