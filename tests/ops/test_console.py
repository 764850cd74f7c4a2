from msgspec.structs import replace

from pipeline.contract.snapshot import LoadView
from pipeline.ops.console import status_line
from tests.ops.test_metrics import SNAPSHOT


def test_the_status_line_names_trouble_and_dead_letters() -> None:
    line = status_line(SNAPSHOT)
    assert line == "running SIMULATED · 2 tickers · 0 msg/s · 9 written · lag 4 · 3 dead letters · sink backing off"


def test_the_status_line_counts_what_is_set_aside() -> None:
    strays = replace(SNAPSHOT, pipeline=replace(SNAPSHOT.pipeline, set_aside=2))
    assert " · 2 set aside · " in status_line(strays)


def test_loads_show_their_progress_each_and_in_all() -> None:
    loads = [
        LoadView(ticker="AAPL", state="done", done=9, total=9),
        LoadView(ticker="MSFT", state="loading", done=2, total=5),
        LoadView(ticker="TSLA", state="waiting"),
        LoadView(ticker="JPM", state="waiting"),
    ]
    line = status_line(replace(SNAPSHOT, loads=loads))
    assert "loaded 1 of 4 · loading MSFT [####......] 40 % · loading TSLA waiting" in line
    assert "JPM" not in line


def test_a_load_of_unknown_length_says_what_it_says_of_itself() -> None:
    load = LoadView(ticker="MSFT", state="loading", done=2, note="3 of 12 requests, goes on at 00:00 EST")
    assert "loading MSFT 3 of 12 requests, goes on at 00:00 EST" in status_line(replace(SNAPSHOT, loads=[load]))
