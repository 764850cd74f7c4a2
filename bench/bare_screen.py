"""The least that a Textual application can be: the first paint of the dashboard is compared with its."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class BareApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("Watchlist")


if __name__ == "__main__":
    BareApp().run()
