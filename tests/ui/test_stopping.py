"""What is said while a pipeline drains and stops, on the screen and by `stop`."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.content import Content
from textual.widgets import Static

from fintrends_tui.state.stopping import StopProgress
from fintrends_tui.stopping import stop_and_wait
from pipeline.contract.protocol import Command, Stop
from pipeline.contract.snapshot import Snapshot
from pipeline.control.server import ControlServer
from pipeline.storage.datadir import DataDir
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.running import Dash, running


def stopping(lag: int, at: float = 0.0, *draining: str) -> Snapshot:
    """A pipeline in whose way so many records stand."""
    topic = samples.topics()[0]
    group = replace(topic.groups[0], lag=lag)
    services = [
        replace(service, state="draining" if service.name in draining else "stopped")
        for service in samples.snapshot().services
    ]
    return samples.snapshot(
        at=samples.NOW + at,
        services=services,
        topics=[replace(topic, groups=[group])],
        pipeline=samples.pipeline(state="stopping"),
    )


def names() -> list[str]:
    return [service.name for service in samples.snapshot().services]


def test_the_records_left_are_of_those_that_there_were() -> None:
    progress, (first, second, *_) = StopProgress(), names()
    assert progress.told(stopping(9000, 0, first)) == f"Waiting for {first} (draining): 9,000 of 9,000 records left."
    assert progress.told(stopping(12_000, 1, second)).endswith("12,000 of 12,000 records left, for 1 s.")
    assert progress.told(stopping(500, 8, second)).endswith("500 of 12,000 records left, for 8 s.")
    assert progress.told(stopping(0, 9, second)) == f"Waiting for {second} (draining), for 9 s."
    assert progress.told(stopping(0, 9)) == "Waiting for the process to end."


def test_of_many_services_a_few_are_named() -> None:
    assert " and 3 more" in StopProgress().told(stopping(0, 0, *names()[:6]))


def said(dash: Dash) -> str:
    content = dash.app.screen.query_one("#stopping", Static).content
    assert isinstance(content, Content)
    return content.plain


async def test_the_screen_says_how_far_it_is_and_that_nothing_is_lost() -> None:
    link = FakeLink(samples.snapshot(), started_here=True)
    async with running(link) as dash:
        await dash.press("q")
        link.push(stopping(9000, 0, names()[0]))
        await dash.repaint()
        assert "9,000 of 9,000 records left" in said(dash)
        link.push(stopping(1234, 7, names()[0]))
        await dash.repaint()
        assert "1,234 of 9,000 records left, for 7 s." in said(dash)
        assert "done at the next start: nothing is lost" in said(dash)
        link.may_stop.set()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Draining:
    """A pipeline that gives its directory up once a client has heard of all its records."""

    def __init__(self, data_dir: DataDir) -> None:
        self.data_dir = data_dir
        self.left: Iterator[int] = iter(())
        self.asked: list[Command] = []

    def snapshot(self, _: str | None = None) -> Snapshot:
        if not self.asked:
            return samples.snapshot()
        left = next(self.left, None)
        if left is None:
            self.data_dir.unlock()
        return replace(stopping(left or 0, 0, names()[0]), seq=1 << 20 | (left or 0))

    async def execute(self, command: Command) -> object:
        self.asked.append(command)
        self.left = iter((900, 400, 7))
        return None


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
async def test_stop_says_on_a_terminal_what_it_waits_for(
    tmp_path: Path, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("pipeline.control.server.PUSH_PERIOD", 0.01)
    owner = DataDir(tmp_path)
    owner.lock()
    draining = Draining(owner)
    server = ControlServer(draining.execute, draining.snapshot)
    await server.start(owner.prepare_socket())
    try:
        assert await stop_and_wait(DataDir(tmp_path), 60, stream) > 0
    finally:
        await server.close()
    assert draining.asked == [Stop()]
    lines = stream.getvalue().split("\r\x1b[K")
    if stream.isatty():
        assert lines[-1] == "", "the line is taken away again"
        told = [line.rpartition(": ")[2] for line in lines if "records" in line]
        assert [told[0], told[-1]] == ["900 of 900 records left.", "7 of 900 records left."]
    else:
        assert lines == [""], "in a file only now and then"
