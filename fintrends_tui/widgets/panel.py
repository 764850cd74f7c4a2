"""A table that knows how to show its part of a view."""

from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.live_table import Table


class Panel(Table):
    """One framed part of the dashboard. `LABEL` names it on its tab; one that is `compact` has a few lines only, and
    shows what matters most."""

    LABEL = ""
    compact = False

    def update_view(self, view: View) -> None:
        """Show the view; called at every repaint while the panel can be seen."""
        raise NotImplementedError
