"""What every screen may ask of the application, so that no screen has to know it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from textual.screen import Screen

from fintrends_tui.commands import KeyCommand
from fintrends_tui.link.port import Link
from fintrends_tui.state.access import Access
from fintrends_tui.state.arrangement import Groups
from fintrends_tui.state.log_feed import LogFeed
from fintrends_tui.state.memory import ScreenMemory
from fintrends_tui.state.positions import PositionKeeper
from fintrends_tui.state.view import View
from pipeline.config.settings import ScreenSettings
from pipeline.contract.protocol import Command

if TYPE_CHECKING:
    from fintrends_tui.charting.candles import Glyphs
    from fintrends_tui.charting.look import Look


class Application(Protocol):
    """The application, as far as screens need it. `selected` is the ticker that the watchlist is at."""

    link: Link
    access: Access
    log_feed: LogFeed
    settings: ScreenSettings
    memory: ScreenMemory
    positions: PositionKeeper
    selected: str | None
    chart_look: "Look"

    @property
    def current_view(self) -> View: ...

    @property
    def glyphs(self) -> "Glyphs": ...

    @property
    def groups(self) -> Groups: ...

    @property
    def notes(self) -> Mapping[str, str]: ...

    def command(self, command: Command) -> None:
        """Send it to the pipeline, and report the result."""

    def remember(self, **choices: object) -> None:
        """Keep these choices for the next run."""

    def repaint(self) -> None:
        """Paint what has changed."""

    def keys_of(self, command: KeyCommand) -> str:
        """The keys that run the command, as a person reads them."""


class BaseScreen[Result](Screen[Result]):
    """A screen of the dashboard. `fintrends` is its application."""

    @property
    def fintrends(self) -> Application:
        return cast("Application", self.app)

    async def whole(self) -> None:
        """Wait until all of the screen is there; keys wait for it, too."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether the action is there at all."""
        return action not in self.fintrends.access.without and super().check_action(action, parameters)
