"""Screenshots of the dashboard with sample data: ``python -m tests.ui.gallery DIRECTORY [NAME…]`` writes SVG files."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from textual.pilot import Pilot

from fintrends_tui.app import ExitReason, FintrendsApp
from fintrends_tui.link import LinkStatus
from pipeline.protocol import TopicMessage
from pipeline.settings import ScreenSettings
from pipeline.snapshot import Snapshot
from tests.ui import samples
from tests.ui.fake_link import CONNECTED, FakeLink, FakeTopic

SMALL, LARGE = (80, 24), (140, 45)

Steps = Callable[[Pilot[ExitReason]], Awaitable[None]]


def keys(*names: str) -> Steps:
    async def press(pilot: Pilot[ExitReason]) -> None:
        for name in names:
            await pilot.press(name)
            await settled(pilot)

    return press


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


async def shoot(
    size: tuple[int, int],
    snapshot: Snapshot | None,
    status: LinkStatus = CONNECTED,
    steps: Steps | None = None,
    theme: str | None = None,
    *,
    started_here: bool = False,
    messages: list[TopicMessage] | None = None,
) -> str:
    """A screenshot as SVG."""
    link = FakeLink(snapshot, status, started_here=started_here)
    if messages is not None:
        link.topic = FakeTopic(messages)
    link.alerts = snapshot.alerts if snapshot is not None else []
    app = FintrendsApp(link, settings=ScreenSettings(theme=theme or ""), now=lambda: samples.NOW)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(pilot)
        app.repaint()
        await settled(pilot)
        if steps is not None:
            await steps(pilot)
        app.repaint()
        await settled(pilot)
        return app.export_screenshot()


def main(directory: Path, names: list[str]) -> None:
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
    shots = {
        "small": shoot(SMALL, full),
        "small-sim": shoot(SMALL, simulated),
        "large": shoot(LARGE, full),
        "large-loads": shoot(LARGE, samples.snapshot(loads=samples.loads())),
        "small-loads": shoot(SMALL, samples.snapshot(loads=samples.loads())),
        "large-light": shoot(LARGE, simulated, theme="fintrends-light"),
        "small-light": shoot(SMALL, simulated, theme="fintrends-light"),
        "large-colour-blind": shoot(LARGE, full, theme="fintrends-colour-blind"),
        "sorted": shoot(SMALL, stale, steps=keys("o", "o", "o", "o")),
        "zoomed": shoot(SMALL, full, steps=keys("z")),
        "filter": shoot(SMALL, full, steps=keys("slash", *"us")),
        "groups": shoot(SMALL, full, steps=keys("m", *"tech cars", "enter", "tab")),
        "write": shoot(SMALL, full, steps=keys("w")),
        "welcome": shoot(SMALL, empty),
        "huge": shoot((200, 60), full),
        "starting": shoot(LARGE, None, starting),
        "failed": shoot(SMALL, None, failed),
        "empty": shoot(LARGE, empty),
        "detail": shoot(LARGE, full, steps=keys("enter")),
        "candles": shoot(LARGE, full, steps=keys("enter", "c", "m", "b", "plus", "plus")),
        "candles-small": shoot(SMALL, full, steps=keys("enter", "c", "v", "w")),
        "detail-small": shoot(SMALL, full, steps=keys("enter")),
        "add": shoot(SMALL, full, steps=keys("a", *"aapl", "space", "percent_sign", "enter")),
        "load": shoot(SMALL, full, steps=keys("i")),
        "restart": shoot(LARGE, full, steps=keys("r")),
        "help": shoot(LARGE, full, steps=keys("question_mark")),
        "help-small": shoot(SMALL, full, steps=keys("question_mark")),
        "topics-screen": shoot(LARGE, full, steps=keys("t")),
        "topics-screen-small": shoot(SMALL, full, steps=keys("t", "o", "o", "o")),
        "topics-filter": shoot(SMALL, full, steps=keys("t", "slash", *"tsla")),
        "messages": shoot(LARGE, full, steps=keys("t", "enter", "j", "j")),
        "messages-small": shoot(SMALL, full, steps=keys("t", "enter")),
        "dead-letters": shoot(LARGE, letters, steps=keys("e"), messages=samples.dead_letters()),
        "dead-letters-small": shoot(SMALL, letters, steps=keys("e"), messages=samples.dead_letters()),
        "services-screen": shoot(LARGE, full, steps=keys("s", "j", "j")),
        "services-screen-small": shoot(SMALL, full, steps=keys("s", "j", "j")),
        "trouble": shoot(SMALL, letters),
        "trouble-large": shoot(LARGE, stalled),
        "log-find": shoot(LARGE, full, steps=keys("l", "slash", *"sink", "enter")),
        "log": shoot(SMALL, full, steps=keys("l")),
        "indicators": shoot(SMALL, full, steps=keys("tab", "tab")),
        "sentiment": shoot(SMALL, full, steps=keys("tab", "tab", "tab")),
        "topics": shoot(SMALL, full, steps=keys(*["tab"] * 4)),
        "store": shoot(SMALL, full, steps=keys(*["tab"] * 5)),
        "services": shoot(SMALL, full, steps=keys(*["tab"] * 6)),
        "alerts": shoot(LARGE, alerting, steps=keys("A")),
        "alerts-small": shoot(SMALL, alerting, steps=keys("A")),
        "alerts-empty": shoot(SMALL, full, steps=keys("A")),
        "alerts-add": shoot(SMALL, alerting, steps=keys("A", "a", *"prize", "greater_than_sign", "5", "enter")),
        "alerts-remove": shoot(SMALL, alerting, steps=keys("A", "x")),
        "alert": shoot(SMALL, alerting, steps=fire),
        "palette": shoot(SMALL, full, steps=keys("ctrl+p")),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, shot in shots.items():
        if not names or name in names:
            (directory / f"{name}.svg").write_text(asyncio.run(shot), "utf-8")
        else:
            shot.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
