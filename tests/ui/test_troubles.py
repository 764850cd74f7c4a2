import pytest
from msgspec.structs import replace

from fintrends_tui.link.port import LinkStatus
from fintrends_tui.state.troubles import LETTERS_SECONDS, troubles
from fintrends_tui.state.view import View
from fintrends_tui.widgets.trouble_line import TroubleLine
from pipeline.contract.snapshot import OutageView, ServiceView, Snapshot, TickerView
from tests.ui import samples
from tests.ui.fake_link import CONNECTED, FakeLink
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import running

WELL = samples.snapshot(services=[replace(s, failing_since=None) for s in samples.snapshot().services])
FAILED = [
    replace(s, state="failed", error="no such host", failing_since=samples.NOW - 600) if s.name == "sink" else s
    for s in samples.snapshot().services
]


def said(snapshot: Snapshot | None, status: LinkStatus = CONNECTED, now: float = samples.NOW) -> list[tuple[str, str]]:
    return [(trouble.what, trouble.key) for trouble in troubles(View(status, snapshot, now=int(now)))]


def letters(ago: float) -> Snapshot:
    return replace(WELL, pipeline=samples.pipeline(dead_letters=7, dead_letter_at=samples.NOW - ago))


def test_while_all_is_well_nothing_is_said() -> None:
    assert said(WELL) == []
    assert said(None) == []


def test_of_the_past_nothing_is_said() -> None:
    assert said(samples.snapshot(), LinkStatus("lost", "connection lost")) == []


def test_a_service_that_fails_is_named_with_its_error_and_for_how_long() -> None:
    ((what, key),) = said(samples.snapshot())
    assert what.startswith("social fails for 2m: reddit answered 429: too many requests")
    assert key == "s services"


def test_of_several_the_one_that_was_given_up_comes_first() -> None:
    ((what, key),) = said(samples.snapshot(services=FAILED))
    assert what == "sink has failed for 10m, social fails: no such host"
    assert key == "s services"


def test_of_several_with_one_cause_that_is_said_first() -> None:
    refused = [replace(s, state="failed", error="no such key", failing_since=samples.NOW) for s in FAILED[:2]]
    assert said(samples.snapshot(services=refused)) == [("no such key (2 services fail)", "s services")]


def test_what_is_wrong_with_a_provider_and_with_a_ticker_that_has_a_price_is_said() -> None:
    budget = samples.budget(note="status 503, goes on at 00:00 EST", trouble="status 503")
    tickers = [samples.ticker("AAPL", note="silent for 15 s"), TickerView(ticker="APPL", note="unknown")]
    assert said(replace(WELL, budgets=[budget], tickers=tickers)) == [
        ("Alpha Vantage: status 503", "l log"),
        ("AAPL: silent for 15 s", "l log"),
    ]


def test_a_group_that_stalls_is_told_once_for_all_its_topics() -> None:
    assert said(replace(WELL, topics=samples.stalled_topics())) == [
        ("sink has stalled on 2 topics, 1,240 records behind, for 3m", "t topics")
    ]
    assert said(replace(WELL, topics=samples.topics())) == []  # WARN falls behind, but works


def test_a_paused_consumer_is_told_as_paused_and_not_as_stalled() -> None:
    services = [replace(s, state="paused") if s.name == "sink" else s for s in WELL.services]
    assert said(replace(WELL, services=services, topics=samples.stalled_topics())) == [
        ("sink is paused, 1,240 records behind", "s services")
    ]


@pytest.mark.parametrize(("ago", "when"), [(1, "just now"), (12, "10s ago"), (200, "3m ago")])
def test_dead_letters_are_news_when_they_come_in(ago: float, when: str) -> None:
    assert said(letters(ago)) == [
        (f"records could not be processed, the last {when}; 7 in all", "e dead letters"),
    ]


def test_dead_letters_are_no_news_later() -> None:
    assert said(letters(LETTERS_SECONDS)) == []


def test_an_engine_out_of_reach_is_said() -> None:
    note = "waiting for kafka localhost:9092: cannot connect"
    assert said(replace(WELL, pipeline=samples.pipeline(state="starting", note=note))) == [(note, "l log")]


def test_an_engine_that_is_away_is_said_once_however_many_services_miss_it() -> None:
    since = samples.NOW - 180
    away = OutageView(what="mongodb localhost", kind="store", since=since, why="there is no connection")
    services = [
        replace(s, state=state, waits_for="store", failing_since=since, error="cannot write: there is no connection")
        for s, state in zip(WELL.services[:3], ("backing off", "starting", "running"), strict=True)
    ]
    assert said(replace(WELL, outages=[away], services=services)) == [
        ("waiting for mongodb localhost, for 3m: there is no connection", "l log")
    ]


def test_what_could_not_be_read_is_said() -> None:
    text = "alerts.json could not be read and is now alerts.json.unreadable-20261120T150405Z"
    assert said(replace(WELL, pipeline=samples.pipeline(unread=[text]))) == [(text, "l log")]


def test_errors_come_before_warnings() -> None:
    found = said(replace(samples.snapshot(), topics=samples.stalled_topics()))
    assert [key for _, key in found] == ["t topics", "s services"]


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_line_is_there_only_while_something_is_wrong(size: tuple[int, int]) -> None:
    link = FakeLink(WELL)
    async with running(link, size) as dash:
        line = dash.app.screen.query_one(TroubleLine)
        assert not line.region.height
        link.push(replace(samples.snapshot(seq=2), topics=samples.stalled_topics()))
        await dash.repaint()
        told = dash.text.splitlines()[line.region.y]
        assert told.lstrip().startswith("✗ sink has stalled on 2 topics")
        assert told.rstrip().endswith("+1 more  t topics")
        link.push(replace(WELL, seq=3))
        await dash.repaint()
        assert not line.region.height


async def test_hostile_errors_stay_on_the_line() -> None:
    services = [replace(s, error="[/bold]\x1b[2J\n[@click=app.quit]x") for s in FAILED]
    async with running(FakeLink(samples.snapshot(services=services)), LARGE) as dash:
        assert "[/bold] [@click=app.quit]x" in dash.line("s services")


def test_what_others_stand_in_for_is_no_trouble_and_prices_are_before_news() -> None:
    def feed(name: str, since: float, **changes: object) -> ServiceView:
        values = {"state": "backing off", "error": f"{name} is away", "failing_since": samples.NOW - since}
        return ServiceView(name=name, role="producer", **(values | changes))  # type: ignore[arg-type]

    kraken = feed("market kraken", 90, stand_ins=["yahoo"])
    assert said(replace(WELL, services=[*WELL.services, kraken])) == []
    others = [feed("news yahoo_news", 600), feed("market coinbase", 90, entries=0)]
    services = [*WELL.services, kraken, *others, feed("market yahoo", 60, entries=9)]
    ((what, _),) = said(replace(WELL, services=services))
    assert what == "market yahoo fails for 1m, 2 more fail: market yahoo is away"
