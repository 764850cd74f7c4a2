import subprocess
import sys
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet

from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.running import running


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    late = "'fintrends_tui.screens.panels', 'fintrends_tui.widgets.chart', 'fintrends_tui.charting'"
    heavy = f"{{'pandas', 'numpy', 'talib', 'aiokafka', 'motor', 'httpx', {late}}}"
    program = (
        f"import sys, fintrends_tui.app, fintrends_tui.screens.dashboard; print(sorted({heavy} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


async def test_our_rules_are_parsed_once_for_the_first_paint(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Any] = []
    parse = Stylesheet._parse_rules

    def counted(self: Stylesheet, css: str, read_from: Any, *arguments: Any, **options: Any) -> Any:
        missing = len(self._parse_cache)
        rules = parse(self, css, read_from, *arguments, **options)
        if read_from[0].endswith(".tcss") and len(self._parse_cache) > missing:
            parsed.append(read_from)
        return rules

    monkeypatch.setattr(Stylesheet, "_parse_rules", counted)
    async with running(FakeLink(samples.snapshot())):
        assert parsed
        assert len(parsed) == len(set(parsed))


async def test_another_theme_parses_the_rules_anew() -> None:
    async with running(FakeLink(samples.snapshot())) as dash:
        dark = dash.table("#watchlist").rich_style
        dash.app.theme = "fintrends-light"
        await dash.repaint()
        assert dash.table("#watchlist").rich_style != dark
