"""A recording on the screen: its own clock, and the keys that steer it."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from fintrends_tui.state.replay import SPEEDS, Speed, next_speed, pace
from pipeline.contract.protocol import Add, SetReplay
from pipeline.contract.snapshot import ReplayView
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import SMALL
from tests.ui.running import running

AT = datetime(2019, 2, 11, 14, 31, 5, tzinfo=UTC).timestamp()
PLAYING = ReplayView(at=AT, speed=60)


@pytest.mark.parametrize(
    ("speed", "step", "after"),
    [(60, 1, 120), (60, -1, 30), (1, -1, 1), (0.5, -1, 1), ("max", 1, "max"), ("max", -1, 3600), (7.5, 1, 10)],
)
def test_speeds_follow_each_other(speed: Speed, step: int, after: Speed) -> None:
    assert next_speed(speed, step) == after
    assert after in SPEEDS


def test_its_pace_is_said() -> None:
    assert pace(PLAYING) == "▶ 60 times real time"
    assert pace(replace(PLAYING, paused=True)) == "‖ paused"
    assert pace(replace(PLAYING, speed="max")) == "as fast as possible"


async def test_its_end_is_said_and_what_it_does_not_have_cannot_be_added() -> None:
    link = FakeLink(samples.snapshot(pipeline=samples.pipeline(replay=PLAYING, idle=True)))
    async with running(link, SMALL) as dash:
        assert "the recording is over" in dash.line("fintrends")
        await dash.press("I")
        assert link.asked_for(Add) == []


async def test_a_replay_has_its_own_clock_and_keys() -> None:
    tickers = [samples.ticker("AAPL", as_of=AT - 65, updated_at=samples.NOW)]
    link = FakeLink(samples.snapshot(pipeline=samples.pipeline(replay=PLAYING), tickers=tickers))
    async with running(link, SMALL) as dash:
        assert "REPLAY  ▶ 60 times real time" in dash.line("fintrends")
        assert "2019-02-11 14:31:05 UTC replay" in dash.line("fintrends")
        assert dash.row("AAPL").rstrip(" │").endswith(" 1m")
        await dash.press("plus", "minus", "full_stop", "p")
        assert link.asked_for(SetReplay) == [
            SetReplay(speed=120),
            SetReplay(speed=30),
            SetReplay(paused=True, step=True),
            SetReplay(paused=True),
        ]
        link.push(samples.snapshot(seq=2, pipeline=samples.pipeline(replay=replace(PLAYING, paused=True))))
        await dash.repaint()
        await dash.press("p")
        assert link.asked_for(SetReplay)[-1] == SetReplay(paused=False)


async def test_what_is_live_has_none() -> None:
    link = FakeLink(samples.snapshot())
    async with running(link) as dash:
        await dash.press("plus", "full_stop")
        assert link.asked_for(SetReplay) == []
        assert "REPLAY" not in dash.text and "Faster" not in dash.text
