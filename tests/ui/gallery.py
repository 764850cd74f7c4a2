"""Screenshots of the dashboard with sample data: ``python -m tests.ui.gallery DIRECTORY [NAME…]`` writes SVG files."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

from textual.pilot import Pilot

from fintrends_tui.app import ExitReason, FintrendsApp
from fintrends_tui.link.port import LinkStatus
from fintrends_tui.state.positions import PositionKeeper
from pipeline.config.settings import ScreenSettings
from pipeline.contract.protocol import TopicMessage
from pipeline.contract.snapshot import Snapshot
from tests.ui import samples
from tests.ui.fake_link import CONNECTED, FakeLink, FakeTopic
from tests.ui.headless import headless, paint

SMALL, LARGE = (80, 24), (140, 45)

Steps = Callable[[Pilot[ExitReason]], Awaitable[None]]


def keys(*names: str) -> Steps:
    async def press(pilot: Pilot[ExitReason]) -> None:
        for name in names:
            await pilot.press(name)
            await settled(pilot)

    return press


def panel(name: str) -> Steps:
    """By Tab to the panel of that id, wherever in the round it stands."""

    async def go(pilot: Pilot[ExitReason]) -> None:
        for _ in pilot.app.screen.query(".panel"):
            if pilot.app.focused is not None and pilot.app.focused.id == name:
                return
            await pilot.press("tab")
            await settled(pilot)
        raise AssertionError(f"Tab leads to no panel {name!r}")

    return go


async def fire(pilot: Pilot[ExitReason]) -> None:
    """Two alerts fire."""
    link = cast("FintrendsApp", pilot.app).link
    cast("FakeLink", link).push(samples.snapshot(seq=2, rules=samples.rules(), alerts=samples.alerts(9)))
    cast("FintrendsApp", pilot.app).repaint()
    await settled(pilot)


async def settled(pilot: Pilot[ExitReason]) -> None:
    """Wait until what the last event led to is on the screen."""
    await pilot.pause()
    while working := [worker for worker in pilot.app.workers if worker.group not in ("link", "stop")]:
        await pilot.app.workers.wait_for_complete(working)
        await pilot.pause()
    await pilot.pause()
    while pilot.app._resize_event is not None:  # Textual waits for a while whether another comes
        await asyncio.sleep(0.001)
        await pilot.pause()
    while (screen := pilot.app.screen)._layout_required or screen._dirty_widgets or screen._callbacks:
        await pilot.pause()


class Shot(NamedTuple):
    """A screen as it is after some keys."""

    size: tuple[int, int]
    snapshot: Snapshot | None
    status: LinkStatus = CONNECTED
    steps: Steps | None = None
    theme: str | None = None
    messages: list[TopicMessage] | None = None
    lots: str = ""


@asynccontextmanager
async def shown(shot: Shot) -> AsyncIterator[FintrendsApp]:
    """The dashboard as the shot wants it."""
    watches_nothing = shot.snapshot is not None and not shot.snapshot.tickers
    link = FakeLink(shot.snapshot, shot.status, log_lines=0 if watches_nothing else 12)
    if shot.messages is not None:
        link.topic = FakeTopic(shot.messages)
    link.alerts = shot.snapshot.alerts if shot.snapshot is not None else []
    settings = ScreenSettings(theme=shot.theme or "")
    with TemporaryDirectory() as directory:
        positions = PositionKeeper(written(Path(directory), shot.lots)) if shot.lots else None
        app = FintrendsApp(link, settings=settings, positions=positions, now=lambda: samples.NOW)
        async with headless(app, shot.size) as pilot:
            await settled(pilot)
            app.repaint()
            await settled(pilot)
            if shot.steps is not None:
                await shot.steps(pilot)
            for _ in range(2):  # what the first asks for, such as a history, comes after it
                app.repaint()
                await settled(pilot)
            paint(app)
            yield app


def written(directory: Path, lots: str) -> Path:
    """The file of positions, private as it should be."""
    path = directory / "positions.toml"
    path.write_text(lots, "utf-8")
    path.chmod(0o600)
    return path


async def shoot(shot: Shot) -> str:
    """The screen as SVG."""
    async with shown(shot) as app:
        return app.export_screenshot()


def shots() -> dict[str, Shot]:
    """All of them, by name."""
    full = samples.snapshot()
    simulated = samples.snapshot(
        pipeline=samples.pipeline(
            simulated=True, source="simulator", bus="embedded", store="embedded", source_note="no API key is set"
        ),
        tickers=[samples.ticker(t, i, simulated=True) for i, t in enumerate(("AAPL", "MSFT", "TSLA"))],
    )
    alerting = samples.snapshot(rules=samples.rules(), alerts=samples.alerts(7))
    starting = LinkStatus("starting", "starting the pipeline (pid 4711)…")
    failed = LinkStatus("failed", "pipeline exited with status 2: kafka localhost:9092 cannot be reached")
    empty = samples.snapshot(tickers=[], services=[], topics=[], topics_total=0, collections=[], detail=None)
    letters = samples.snapshot(pipeline=samples.pipeline(dead_letters=2, dead_letter_at=samples.NOW - 12))
    stalled = samples.snapshot(topics=samples.stalled_topics())
    stale = samples.snapshot(tickers=[samples.ticker(t, i * 40) for i, t in enumerate(("AAPL", "MSFT", "TSLA"))])
    return {
        "small": Shot(SMALL, full),
        "small-sim": Shot(SMALL, simulated),
        "large": Shot(LARGE, full),
        "large-loads": Shot(LARGE, samples.snapshot(loads=samples.loads())),
        "small-loads": Shot(SMALL, samples.snapshot(loads=samples.loads())),
        "large-light": Shot(LARGE, simulated, theme="fintrends-light"),
        "small-light": Shot(SMALL, simulated, theme="fintrends-light"),
        "large-colour-blind": Shot(LARGE, full, theme="fintrends-colour-blind"),
        "sorted": Shot(SMALL, stale, steps=keys("o", "o", "o", "o")),
        "worth": Shot(SMALL, samples.of_all_worths()),
        "detail-worth": Shot(SMALL, samples.of_all_worths(), steps=keys("enter")),
        "columns": Shot(SMALL, full, steps=keys("C", "j", "J", "x")),
        "all-columns": Shot(LARGE, full, steps=keys("C", "end", *["k"] * 5, *["x", "k"] * 9, "enter", "z")),
        "zoomed": Shot(SMALL, full, steps=keys("z")),
        "filter": Shot(SMALL, full, steps=keys("slash", *"us")),
        "groups": Shot(SMALL, full, steps=keys("m", *"tech cars", "enter", "tab")),
        "write": Shot(SMALL, full, steps=keys("w")),
        "welcome": Shot(SMALL, empty),
        "huge": Shot((200, 60), full),
        "starting": Shot(LARGE, None, starting),
        "failed": Shot(SMALL, None, failed),
        "empty": Shot(LARGE, empty),
        "detail": Shot(LARGE, full, steps=keys("enter")),
        "candles": Shot(LARGE, full, steps=keys("enter", "m", "b", "r", "plus")),
        "compare": Shot(LARGE, full, steps=keys("enter", "C", "enter")),
        "chart-panes": Shot(LARGE, full, steps=keys("enter", "r", "s", "comma", "comma", "comma")),
        "charts": Shot(LARGE, full, steps=keys("c")),
        "charts-small": Shot(SMALL, full, steps=keys("c")),
        "heat": Shot(SMALL, full, steps=keys("H")),
        "candles-small": Shot(SMALL, full, steps=keys("enter", "v", "w")),
        "detail-small": Shot(SMALL, full, steps=keys("enter")),
        "add": Shot(SMALL, full, steps=keys("a", *"aapl", "space", "percent_sign", "enter")),
        "load": Shot(SMALL, full, steps=keys("i")),
        "restart": Shot(LARGE, full, steps=keys("r")),
        "help": Shot(LARGE, full, steps=keys("question_mark")),
        "help-small": Shot(SMALL, full, steps=keys("question_mark")),
        "topics-screen": Shot(LARGE, full, steps=keys("t")),
        "topics-screen-small": Shot(SMALL, full, steps=keys("t", "o", "o", "o")),
        "topics-filter": Shot(SMALL, full, steps=keys("t", "slash", *"tsla")),
        "consumers": Shot(LARGE, full, steps=keys("T", "enter", "j", "j")),
        "consumers-small": Shot(SMALL, full, steps=keys("T", "slash", *"tsla", "enter")),
        "reset-time": Shot(SMALL, full, steps=keys("T", "r", *"yesterday", "enter")),
        "plan": Shot(LARGE, full, steps=keys("T", "r", *"beginning", "enter")),
        "plan-small": Shot(SMALL, full, steps=keys("t", "x")),
        "messages": Shot(LARGE, full, steps=keys("t", "enter", "j", "j")),
        "messages-small": Shot(SMALL, full, steps=keys("t", "enter")),
        "dead-letters": Shot(LARGE, letters, steps=keys("e"), messages=samples.dead_letters()),
        "dead-letters-small": Shot(SMALL, letters, steps=keys("e"), messages=samples.dead_letters()),
        "services-screen": Shot(LARGE, full, steps=keys("s")),
        "budgets": Shot(LARGE, samples.snapshot(budgets=[samples.budget()]), steps=keys("s")),
        "budgets-small": Shot(SMALL, samples.snapshot(budgets=[samples.budget()]), steps=keys("s")),
        "services-screen-small": Shot(SMALL, full, steps=keys("s")),
        "trouble": Shot(SMALL, letters),
        "trouble-large": Shot(LARGE, stalled),
        "log-find": Shot(LARGE, full, steps=keys("l", "slash", *"sink", "enter")),
        "log": Shot(SMALL, full, steps=keys("l")),
        "indicators": Shot(SMALL, full, steps=panel("indicators")),
        "sentiment": Shot(SMALL, full, steps=panel("headlines")),
        "topics": Shot(SMALL, full, steps=panel("topics")),
        "store": Shot(SMALL, full, steps=panel("writes")),
        "services": Shot(SMALL, full, steps=panel("services")),
        "alerts": Shot(LARGE, alerting, steps=keys("A")),
        "alerts-small": Shot(SMALL, alerting, steps=keys("A")),
        "alerts-empty": Shot(SMALL, full, steps=keys("A")),
        "alerts-add": Shot(SMALL, alerting, steps=keys("A", "a", *"prize", "greater_than_sign", "5", "enter")),
        "alerts-remove": Shot(SMALL, alerting, steps=keys("A", "x")),
        "alert": Shot(SMALL, alerting, steps=fire),
        "positions": Shot(LARGE, samples.in_two_currencies(), steps=keys("b", "j"), lots=samples.LOTS),
        "positions-small": Shot(SMALL, samples.in_two_currencies(), steps=keys("b"), lots=samples.LOTS),
        "positions-hidden": Shot(SMALL, samples.in_two_currencies(), steps=keys("b", "dollar_sign"), lots=samples.LOTS),
        "positions-add": Shot(
            SMALL,
            samples.in_two_currencies(),
            steps=keys("b", "a", *"aapl", "space", *"ten", "enter"),
            lots=samples.LOTS,
        ),
        "palette": Shot(SMALL, full, steps=keys("ctrl+p")),
    }


def main(directory: Path, names: list[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, shot in shots().items():
        if not names or name in names:
            (directory / f"{name}.svg").write_text(asyncio.run(shoot(shot)), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
