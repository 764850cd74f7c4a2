"""The panels of the dashboard beside the watchlist, and the tabs that choose one of them.

A module of its own, for the dashboard loads it only after its first paint.
"""

from textual.widgets import Tab, Tabs

from fintrends_tui.charting.look import Look
from fintrends_tui.screens.base import Application
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.headlines import Headlines
from fintrends_tui.widgets.indicators import Indicators
from fintrends_tui.widgets.loads import Loads
from fintrends_tui.widgets.log_pane import LogPane
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.services import Services
from fintrends_tui.widgets.topics import Topics
from fintrends_tui.widgets.writes import Writes


def make_panels(fintrends: Application) -> tuple[Panel | Chart, ...]:
    """In the order of their tabs."""
    return (
        Chart(fintrends.link.ask, Look(extended=fintrends.settings.extended_hours), fintrends.glyphs),
        Indicators(),
        Headlines(),
        Topics(),
        Services(),
        Writes(),
        LogPane(fintrends.log_feed),
        Loads(),
    )


def make_tabs(panels: tuple[Panel | Chart, ...]) -> Tabs:
    tabs = Tabs(*(Tab(panel.LABEL, id=f"tab-{panel.id}") for panel in panels), id="tabs")
    tabs.can_focus = False
    return tabs
