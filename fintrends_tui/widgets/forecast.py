"""The forecast of the selected ticker, in words."""

from typing import Final

from textual.content import Content
from textual.widgets import Static

from fintrends_tui.state.forecast import ForecastLine, forecast_lines
from fintrends_tui.state.view import View

_STYLES: Final = {"dim": "$faint", "strong": "bold", "warn": "$warning"}


class ForecastWords(Static):
    """The 80 % bands of the next closes, what such bands held so far, and where there is no skill, that there is none.
    Empty while nothing was forecast, as where forecasts are turned off."""

    def __init__(self) -> None:
        super().__init__(id="forecast")
        self._shown: list[ForecastLine] | None = None

    def update_view(self, view: View) -> None:
        lines = forecast_lines(view.detail)
        if lines != self._shown:
            self._shown = lines
            self.display = bool(lines)
            self.update(Content("\n").join(_content(line) for line in lines))


def _content(line: ForecastLine) -> Content:
    return Content.assemble(*(Content.styled(text, _STYLES.get(tone, "")) for text, tone in line.parts))
