"""The question which groups a ticker is in."""

import re
from collections.abc import Mapping, Sequence

from fintrends_tui.screens.dialogs.ask import AskScreen
from pipeline.config.settings import check_group_name

Members = dict[str, list[str]]


class GroupsScreen(AskScreen[Members]):
    """Returns the groups made on the screen as they are to be, or None.

    Groups of the settings are shown and not changed; a group without tickers is deleted.
    """

    def __init__(self, ticker: str, groups: Mapping[str, Sequence[str]], fixed: Mapping[str, Sequence[str]]) -> None:
        """`groups` can be changed here, `fixed` are those of the settings."""
        self._ticker = ticker
        self._groups = {name: list(tickers) for name, tickers in groups.items() if name not in fixed}
        self._fixed = fixed
        settled = ", ".join(name for name, tickers in fixed.items() if ticker in tickers)
        super().__init__(
            f"Groups of {ticker}",
            "Names separated by spaces, such as tech; a new name makes a new group."
            + (f" Groups: {', '.join(self._groups)}." if self._groups else "")
            + (f" The settings put it in {settled}." if settled else ""),
            verb="keep",
            value=" ".join(name for name, tickers in self._groups.items() if ticker in tickers),
        )

    def answered(self, text: str) -> None:
        wanted = list(dict.fromkeys(name for name in re.split(r"[\s,;]+", text) if name))
        for name in wanted:
            try:
                check_group_name(name)
            except ValueError as error:
                self.refuse(str(error).removeprefix("groups: "))
                return
            if name in self._fixed:
                self.refuse(f"{name} is defined in the settings; change it there, under [screen.groups].")
                return
        changed = {name: list(tickers) for name, tickers in self._groups.items()}
        for name in {*changed, *wanted}:
            members = changed.setdefault(name, [])
            if name in wanted and self._ticker not in members:
                members.append(self._ticker)
            elif name not in wanted and self._ticker in members:
                members.remove(self._ticker)
        self.dismiss({name: tickers for name, tickers in sorted(changed.items()) if tickers})
