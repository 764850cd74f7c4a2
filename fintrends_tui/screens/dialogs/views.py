"""The questions about named views: which to show, what to call a new one, which to forget."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import msgspec
from textual.app import App

from fintrends_tui.screens.dialogs.ask import AskScreen
from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen
from fintrends_tui.state.arrangement import ALL, Arrangement
from fintrends_tui.state.memory import SavedView
from pipeline.config.settings import check_group_name

Views = Mapping[str, SavedView]


class NameViewScreen(AskScreen[str]):
    """Returns the name for a view, or None."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Keep {what} as", "A name of one word. One that there is already is replaced.", verb="keep")

    def answered(self, text: str) -> None:
        try:
            check_group_name(text.strip())
        except ValueError as error:
            self.refuse(str(error).removeprefix("groups: ").replace("a group", "a view"))
        else:
            self.dismiss(text.strip())


def choose_view(
    app: App[Any],
    now: Arrangement,
    views: Views,
    show: Callable[[Arrangement], None],
    keep: Callable[[dict[str, SavedView]], None],
) -> None:
    """Ask; then `show` what was chosen, or `keep` the views as they are to be."""

    def named(name: str | None) -> None:
        if name is not None:
            keep({**views, name: msgspec.convert(asdict(now), SavedView)})

    def forget(name: str | None) -> None:
        if name is not None:
            keep({other: view for other, view in views.items() if other != name})

    def chosen(value: str | None) -> None:
        if value == "keep":
            app.push_screen(NameViewScreen(told(now)), named)
        elif value == "forget":
            app.push_screen(ChooseScreen("Forget the view", [Choice(name, name) for name in views]), forget)
        elif value == "all":
            show(Arrangement())
        elif value is not None:
            show(arrangement_of(views[value.removeprefix("view ")]))

    app.push_screen(
        ChooseScreen(
            "Show the view",
            [
                *(Choice(f"view {name}", f"{name}: {told(arrangement_of(view))}") for name, view in views.items()),
                Choice("all", "all tickers in their own order"),
                Choice("keep", f"keep what is shown now as a view: {told(now)}"),
                *([Choice("forget", "forget a view")] if views else []),
            ],
        ),
        chosen,
    )


def arrangement_of(view: SavedView) -> Arrangement:
    """What the view shows."""
    return replace(Arrangement(), **(msgspec.structs.asdict(view) | {"group": view.group or ALL}))


def told(arrangement: Arrangement) -> str:
    """An arrangement in words: ``rsi<30 of tech by RSI, Src``."""
    of = "" if arrangement.group == ALL else f" of {arrangement.group}"
    keys = ", ".join(filter(None, (arrangement.sort, arrangement.then)))
    return f"{arrangement.filter or 'all'}{of}" + (f" by {keys}" if keys else "")
