"""What differs of a snapshot, put onto the one before, gives the one after: for any two, over the wire, in any row."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fintrends_tui.link.client import connect
from pipeline.contract.protocol import PARTS, Focus, Push, Update, encode_frame
from pipeline.contract.snapshot import (
    AlertView,
    CollectionView,
    LoadView,
    PipelineView,
    ServiceView,
    Snapshot,
    TickerDetail,
    TickerView,
    TopicView,
)
from pipeline.contract.updates import differ, update_of, updated
from pipeline.control.server import ControlServer

PIPELINE = PipelineView(
    pid=1, version="0", state="running", started_at=0, source="s", source_note="", simulated=False,
    bus="b", store="s", roles=[],
)  # fmt: skip

tickers = st.lists(
    st.builds(
        TickerView,
        ticker=st.sampled_from(["AAPL", "MSFT", "^GSPC", "BRK.B", "BTC-USD"]),
        price=st.one_of(st.none(), st.sampled_from([1.0, 1.1, 2.0])),
        spark=st.sampled_from([[], [1.0], [1.0, 2.0]]),
        note=st.sampled_from(["", "n"]),
    ),
    unique_by=lambda view: view.ticker,
)
snapshots = st.builds(
    Snapshot,
    seq=st.integers(0, 9),
    at=st.floats(0, 9),
    pipeline=st.builds(replace, st.just(PIPELINE), log_seq=st.integers(0, 3)),
    tickers=tickers,
    services=st.lists(
        st.builds(ServiceView, name=st.sampled_from("ab"), role=st.just("sink"), state=st.just("running"))
    ),
    topics=st.lists(st.builds(TopicView, topic=st.sampled_from("ab"), records=st.integers(0, 1)), max_size=2),
    topics_total=st.integers(0, 1),
    collections=st.lists(st.builds(CollectionView, name=st.just("news")), max_size=1),
    loads=st.lists(st.builds(LoadView, ticker=st.just("A"), state=st.just("done")), max_size=1),
    alerts=st.lists(
        st.builds(AlertView, seq=st.just(1), at=st.just(1.0), rule=st.just(""), ticker=st.just(""),
                  metric=st.just(""), value=st.just(1.0)), max_size=1
    ),
    detail=st.one_of(st.none(), st.builds(TickerDetail, ticker=st.sampled_from("ab"))),
)  # fmt: skip

_decoder = msgspec.json.Decoder(Push | Update)


def over_the_wire(frame: Push | Update) -> Any:
    return _decoder.decode(encode_frame(frame))


@given(st.lists(st.tuples(snapshots, st.booleans()), min_size=1, max_size=8))
def test_any_row_of_snapshots_arrives_whole(row: Sequence[tuple[Snapshot, bool]]) -> None:
    sent: Snapshot | None = None
    had: Snapshot | None = None
    for snapshot, reconnected in row:
        if sent is None or had is None or reconnected:
            had = over_the_wire(Push(snapshot)).snapshot
        else:
            had = updated(had, over_the_wire(update_of(sent, snapshot)))
        sent = snapshot
        assert had == snapshot


@given(snapshots, snapshots)
def test_nothing_is_sent_that_is_as_it_was(before: Snapshot, after: Snapshot) -> None:
    update = update_of(before, after)
    assert [name for name in PARTS if getattr(before, name) != getattr(after, name)] == update.changed
    assert not [ticker for ticker in update.snapshot.tickers if ticker in before.tickers]
    now = updated(before, update)
    for name in PARTS:
        assert name in update.changed or getattr(now, name) is getattr(before, name)


def test_every_part_is_known() -> None:
    assert [*Snapshot.__struct_fields__] == ["seq", "at", "pipeline", "outages", "tickers", *PARTS[1:]]


def test_a_thousand_tickers_of_which_one_moves_are_one() -> None:
    views = [TickerView(ticker=f"T{number}", price=1.0) for number in range(1000)]
    before = Snapshot(seq=1, at=1, pipeline=PIPELINE, tickers=views)
    after = replace(before, seq=2, tickers=[replace(views[0], price=2.0), *views[1:]])
    assert len(encode_frame(update_of(before, after))) < 3000
    assert updated(before, update_of(before, after)) == after


def test_an_update_of_another_snapshot_is_refused() -> None:
    bare = Snapshot(seq=1, at=1, pipeline=PIPELINE)
    with pytest.raises(ValueError, match="AAPL"):
        updated(bare, Update(bare, watched=["AAPL"]))


def test_a_later_number_and_time_make_no_difference() -> None:
    before = Snapshot(seq=1, at=1, pipeline=PIPELINE, tickers=[TickerView(ticker="A")])
    assert not differ(before, replace(before, seq=2, at=9.0))
    assert differ(before, replace(before, tickers=[]))
    assert differ(before, replace(before, pipeline=replace(PIPELINE, log_seq=3)))


async def test_a_screen_has_what_the_pipeline_said_after_every_update_and_reconnection() -> None:
    said: dict[int, Snapshot] = {}

    def snapshot(focus: str | None) -> Snapshot:
        seq = len(said) + 1
        views = [TickerView(ticker=name, price=float(seq // 2)) for name in ("A", "B", "C")[: 1 + seq % 3]]
        detail = TickerDetail(ticker=focus) if focus else None
        said[seq] = Snapshot(seq=seq, at=float(seq), pipeline=PIPELINE, tickers=views, detail=detail)
        return said[seq]

    async def execute(_: object) -> None: ...

    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.control.server.PUSH_PERIOD", 0.0)
        server = ControlServer(execute, snapshot)
        path = Path(directory) / "s.sock"
        await server.start(path)
        try:
            for _ in range(2):
                heard: asyncio.Queue[Snapshot] = asyncio.Queue()
                async with connect(path, heard.put_nowait) as connection:
                    for number in range(20):
                        arrived = await heard.get()
                        assert arrived == said[arrived.seq]
                        if number == 10:
                            await connection.ask(Focus("B"))
                    while arrived.detail is None:
                        arrived = await heard.get()
                        assert arrived == said[arrived.seq]
        finally:
            await server.close()
