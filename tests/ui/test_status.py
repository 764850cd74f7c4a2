"""What `fintrends-tui status` says, and whether it says that all is well."""

import pytest
from msgspec.structs import replace

from fintrends_tui.status import describe, is_healthy
from pipeline.contract.snapshot import OutageView, ProgressView, ServiceView, Snapshot
from pipeline.supervision.outages import outages
from tests.ui import samples

RUNNING = [
    replace(s, state="running", error=None, failing_since=None, retry_in=None) for s in samples.snapshot().services
]
WELL = samples.snapshot(services=RUNNING)
ENGINES = {"bus": "kafka localhost:9092", "store": "mongodb localhost:27017"}
AWAY = OutageView(what=ENGINES["store"], kind="store", since=samples.NOW - 3725, why="there is no connection")


def with_services(role: str, **changes: object) -> Snapshot:
    """A snapshot whose services of the role are different."""
    services = [replace(s, **changes) if s.role == role else s for s in RUNNING]
    return replace(WELL, services=services)


def test_all_is_well() -> None:
    assert is_healthy(WELL)


@pytest.mark.parametrize("role", ["producer", "processor", "sink"])
@pytest.mark.parametrize("state", ["backing off", "starting", "failed"])
def test_it_is_not_while_no_service_of_a_role_gets_anything_done(role: str, state: str) -> None:
    assert any(s.role == role for s in RUNNING)
    assert not is_healthy(with_services(role, state=state, failing_since=samples.NOW, error="KeyError: 'close'"))


def test_it_is_while_one_of_several_that_do_the_same_backs_off() -> None:
    services = list(RUNNING)
    index = next(i for i, s in enumerate(services) if s.role == "processor")
    services[index] = replace(services[index], state="backing off", failing_since=samples.NOW, error="KeyError: 'x'")
    assert is_healthy(replace(WELL, services=services))


def test_a_start_is_no_failure() -> None:
    assert is_healthy(with_services("sink", state="starting"))


@pytest.mark.parametrize("state", ["starting", "stopping"])
def test_it_is_not_before_its_engines_have_answered_nor_while_it_stops(state: str) -> None:
    """What waits for a container's health would go on too early, or send work to one that takes none."""
    assert not is_healthy(replace(WELL, pipeline=samples.pipeline(state=state)))


@pytest.mark.parametrize("kind", ["bus", "store", "provider", "system"])
def test_it_is_not_while_something_is_waited_for(kind: str) -> None:
    snapshot = replace(WELL, outages=[replace(AWAY, kind=kind)])
    assert not is_healthy(snapshot)
    text = describe(snapshot)
    assert "waiting    for mongodb localhost:27017 since 2026-11-20 " in text
    assert "for 1 h 2 min: there is no connection" in text


def test_a_watchlist_that_is_still_read_from_the_store_is_told() -> None:
    pipeline = samples.pipeline(restoring=ProgressView(done=120, total=300))
    assert "running, restoring 120 of 300 tickers" in describe(samples.snapshot(pipeline=pipeline))


def test_a_rule_of_a_ticker_that_is_not_watched_is_named() -> None:
    rules = [*samples.rules(), replace(samples.rules()[0], rule="APPL price > 250")]
    text = describe(samples.snapshot(rules=rules))
    assert "alert      APPL price > 250 waits: APPL is not watched; `fintrends-tui add APPL` watches it" in text
    assert text.count("not watched") == 1


def test_the_latest_alert_is_told_while_its_rule_is_watched_by() -> None:
    removed = samples.alert(8, rule="price > 9", ticker="JPM")
    text = describe(samples.snapshot(rules=samples.rules(), alerts=[*samples.alerts(7), removed]))
    assert "alert      TSLA price 307 (price > 300)" in text
    assert "alert " not in describe(samples.snapshot(rules=[], alerts=[removed]))


def test_what_does_not_come_is_said_with_the_reason_and_the_next_try() -> None:
    text = describe(samples.of_all_worths())
    assert "feed       NONE: away for 15m: Yahoo does not know this symbol; next try in 2h" in text
    assert "feed       SAP.DE: delayed by alpha_vantage: its price is 17m old" in text
    assert "feed       MSFT: stale: nothing from alpha_vantage for 11m" in text
    assert "VOD.L:" not in text and "AAPL:" not in text


def test_each_source_is_named_with_what_it_serves() -> None:
    tickers = [
        samples.ticker("AAPL", source="yahoo"),
        samples.ticker("BTC-USD", source="coinbase"),
        samples.ticker("NONE", source=""),
        samples.ticker("VOD.L", source="yahoo"),
    ]
    assert "\nserved by  yahoo: AAPL VOD.L; coinbase: BTC-USD\n" in describe(replace(WELL, tickers=tickers))
    assert "served by" not in describe(replace(WELL, tickers=tickers[2:3]))


def test_what_could_not_be_read_is_said() -> None:
    snapshot = replace(WELL, pipeline=samples.pipeline(unread=["alerts.json cannot be read"]))
    assert "unread     alerts.json cannot be read" in describe(snapshot)


def service(name: str, kind: str, since: float, **changes: object) -> ServiceView:
    role = "sink" if name == "sink" else "producer"
    values = {"state": "backing off", "failing_since": since, "waits_for": kind, "error": f"{name} misses it"}
    return ServiceView(name=name, role=role, **(values | changes))


def test_an_engine_is_told_once_and_a_provider_for_each_that_misses_it() -> None:
    found = outages(
        [
            service("social reddit", "provider", 5.0),
            service("sink", "store", 20.0),
            service("market", "store", 10.0, state="starting"),
            service("news", "bus", 30.0),
            service("economic", "bus", 1.0, state="paused"),
        ],
        [samples.budget(), samples.budget(away_since=40.0, trouble="status 503")],
        ENGINES,
    )
    assert [(o.what, o.since, o.why) for o in found] == [
        ("mongodb localhost:27017", 10.0, "market misses it"),
        ("kafka localhost:9092", 30.0, "news misses it"),
        ("social reddit", 5.0, "social reddit misses it"),
        ("Alpha Vantage", 40.0, "status 503"),
    ]


def test_embedded_engines_are_told_apart() -> None:
    embedded = {"bus": "embedded", "store": "embedded"}
    found = outages([service("sink", "store", 2.0), service("market", "bus", 1.0)], [], embedded)
    assert [o.what for o in found] == ["the embedded bus", "the embedded store"]


def test_what_others_stand_in_for_is_missed_by_nobody() -> None:
    away = service("market kraken", "provider", 5.0, stand_ins=["yahoo"])
    served = service("market yahoo", "", 5.0, state="running", failing_since=None, error=None)
    assert outages([away, served], [], ENGINES) == []
    snapshot = replace(WELL, services=[*WELL.services, away, served])
    assert is_healthy(snapshot)
    assert "market kraken          standby" in describe(snapshot)
    assert "yahoo instead, for market kraken misses it" in describe(snapshot)
    assert not is_healthy(replace(WELL, services=[*WELL.services, replace(away, state="failed", stand_ins=[])]))
