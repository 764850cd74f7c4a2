"""Rules, when they fire, who is told, and what is remembered."""

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import SystemClock
from pipeline.config.settings import AlertSettings, SettingsError, SupervisorSettings, load
from pipeline.contract.alerts import sentence_of
from pipeline.contract.snapshot import AlertView
from pipeline.model.alert_rules import Alerts, InvalidRuleError, Rule, parse_rule
from pipeline.stages.alerts import PERIOD, AlertStage, run_command
from pipeline.supervision.supervisor import Supervisor
from testkit.fakes import FakeClock

ABOVE = Rule("AAPL", "price", ">", 250.0)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("AAPL price > 250", ABOVE),
        ("  aapl PRICE>250 ", ABOVE),
        ("BRK.B price>=2.5e2", Rule("BRK.B", "price", ">=", 250.0)),
        ("rsi_14 < 30", Rule(None, "rsi_14", "<", 30.0)),
        ("sentiment < -0.5", Rule(None, "sentiment", "<", -0.5)),
        ("lag>1000", Rule(None, "lag", ">", 1000.0)),
        ("AAPL gain > 1000", Rule("AAPL", "gain", ">", 1000.0)),
        ("aapl GAIN%<-10", Rule("AAPL", "gain%", "<", -10.0)),
        ("day_gain < -500", Rule(None, "day_gain", "<", -500.0)),
    ],
)
def test_a_rule_is_read(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule
    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a rule; write"),
        ("AAPL price 250", "is not a rule; write"),
        ("AAPL price = 250", "is not a rule; write"),
        ("AAPL MSFT price > 250", "is not a rule; write"),
        ("AAPL prize > 250", "'prize' is not a metric; the metrics are price, "),
        ("AAPL price > much", "'much' is not a number"),
        ("AAPL price > nan", "'nan' is not a number"),
        ("AAPL price > 1e999", "'1e999' is not a number"),
        ("A$PL price > 1", "'A$PL' is not a ticker symbol"),
        ("AAPL lag > 1", "lag is the pipeline's"),
    ],
)
def test_what_is_no_rule_is_explained(text: str, reason: str) -> None:
    with pytest.raises(InvalidRuleError) as caught:
        parse_rule(text)
    assert reason in str(caught.value)


def test_a_bad_rule_in_the_configuration_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[alerts]\nrules = ["AAPL prize > 250"]\n')
    with pytest.raises(SettingsError, match=r"alerts.*'prize' is not a metric"):
        load(config, environ={})


def fires(alerts: Alerts, *prices: float | None) -> list[bool]:
    return [bool(alerts.observe("AAPL", {"price": price})) for price in prices]


def test_one_crossing_is_one_alert() -> None:
    alerts = Alerts([ABOVE], hysteresis=1.0)
    assert fires(alerts, 249, 250, 250.1, 251, 249, 250.5) == [False, False, True, False, False, False]
    # Back by more than one percent of the threshold, it is over; an unknown value is no change.
    assert fires(alerts, 247.4, None, 251) == [False, False, True]


@given(st.lists(st.floats(200, 300)), st.floats(0, 10))
def test_between_two_alerts_the_value_was_back_beyond_the_margin(prices: list[float], hysteresis: float) -> None:
    alerts = Alerts([ABOVE], hysteresis)
    fired = [index for index, is_fired in enumerate(fires(alerts, *prices)) if is_fired]
    assert all(prices[index] > 250 for index in fired)
    for first, second in pairwise(fired):
        assert min(prices[first:second]) < 250 - 2.5 * hysteresis
    if any(price > 250 for price in prices):
        assert fired


@pytest.mark.parametrize(
    ("metric", "value", "doubt"),
    [
        ("change_percent", 791.9, True),
        ("change_percent", -90, True),
        ("return_1", -0.5, True),
        ("return_1", 1.0, True),
        ("change_percent", 60, False),
        ("change_percent", -40, False),
        ("return_1", 0.3, False),
        ("price", 791.9, False),
    ],
)
def test_a_change_as_at_a_split_is_told_with_its_doubt(metric: str, value: float, doubt: bool) -> None:
    rule = f"{metric} {'>' if value > 0 else '<'} 0"
    alert = AlertView(seq=1, at=0.0, rule=rule, ticker="LCID", metric=metric, value=value)
    assert ("perhaps a split" in sentence_of(alert)) == doubt


@pytest.mark.parametrize(
    ("text", "alert"),
    [
        ("SHIB-USD price > 0.00001324", "SHIB-USD price is 0.00001325 (SHIB-USD price > 0.00001324)"),
        ("BTC-USD price>768655.98", "BTC-USD price is 768655.99 (BTC-USD price > 768655.98)"),
        ("CL=F price < -37.5", "CL=F price is -37.63 (CL=F price < -37.5)"),
        ("PEPE-USD price>1e-9", "PEPE-USD price is 0.0000000015 (PEPE-USD price > 0.000000001)"),
        ("M&M.NS price > 3,000".replace(",", ""), "M&M.NS price is 3001.05 (M&M.NS price > 3000)"),
        ("BRK-A volume > 1e16", "BRK-A volume is 20000000000000000 (BRK-A volume > 10000000000000000)"),
    ],
)
def test_numbers_in_alerts_have_the_digits_they_need(text: str, alert: str) -> None:
    rule = parse_rule(text)
    value = float(alert.split(" is ")[1].split()[0])
    (fired,) = Alerts([rule], 0.5).observe(rule.ticker, {rule.metric: value})
    view = AlertView(seq=1, at=0, rule=str(rule), ticker=fired.ticker or "", metric=rule.metric, value=fired.value)
    assert sentence_of(view) == alert
    assert parse_rule(str(rule)) == rule


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_rule_reads_back_whatever_its_threshold(threshold: float) -> None:
    rule = Rule("AAPL", "price", ">", threshold)
    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(
    ("rule", "values", "again"),
    [
        ("price > 0.00001324", {"price": 0.00001330}, {"price": 0.00001300}),
        ("macd_hist > 0", {"price": 0.00001324, "macd_hist": 1e-7}, {"price": 0.00001324, "macd_hist": -1e-7}),
        ("vwap < 0.5", {"price": 0.5, "vwap": 0.499}, {"price": 0.5, "vwap": 0.503}),
    ],
)
def test_a_rule_on_a_tiny_price_is_over_when_the_price_is_back(
    rule: str, values: dict[str, float], again: dict[str, float]
) -> None:
    alerts = Alerts([parse_rule(rule)], 0.5)
    assert alerts.observe("SHIB-USD", values)
    assert not alerts.observe("SHIB-USD", values)
    assert not alerts.observe("SHIB-USD", again)
    assert alerts.observe("SHIB-USD", values)


def test_a_rule_without_a_ticker_is_about_each() -> None:
    alerts = Alerts([parse_rule("rsi_14 < 30")], 0.5)
    assert [a.ticker for t in ("AAPL", "MSFT") for a in alerts.observe(t, {"rsi_14": 20.0})] == ["AAPL", "MSFT"]
    assert alerts.observe(None, {"rsi_14": 20.0}) == []


def test_a_pipeline_metric_is_the_pipelines() -> None:
    alerts = Alerts([parse_rule("lag > 10")], 0.5)
    assert alerts.observe("AAPL", {"lag": 11.0}) == []
    (alert,) = alerts.observe(None, {"lag": 11.0})
    assert (alert.ticker, alert.value) == (None, 11.0)


def test_what_fired_on_another_sources_figures_has_not_fired() -> None:
    alerts = Alerts([ABOVE, parse_rule("MSFT price > 1")], 0.5)
    assert alerts.observe("MSFT", {"price": 2.0}, "a")
    assert alerts.observe("AAPL", {"price": 251.0}, "a")
    assert not alerts.observe("AAPL", {"price": 252.0}, "a")
    assert not alerts.observe("AAPL", {}, None)  # it is unknown for a while: that is no other source
    assert not alerts.observe("AAPL", {"price": 252.0}, "a")
    assert alerts.observe("AAPL", {"price": 251.0}, "b")
    assert not alerts.observe("AAPL", {"price": 249.9}, "c")
    assert alerts.fired == {(Rule("MSFT", "price", ">", 1.0), "MSFT")}


def test_what_fired_for_tickers_that_nobody_watches_is_forgotten() -> None:
    alerts = Alerts([parse_rule("price > 100"), parse_rule("lag > 1")], 0.5)
    for ticker in ("AAPL", "MSFT"):
        assert alerts.observe(ticker, {"price": 120.0}, "a")
    assert alerts.observe(None, {"lag": 2.0})
    alerts.keep(["MSFT"])
    assert {ticker for _, ticker in alerts.fired} == {"MSFT", None}
    assert alerts.observe("AAPL", {"price": 120.0}, "a")  # watched again, it is news


class Bench:
    """A stage on a clock that stands, and the values it sees."""

    def __init__(self, directory: Path, **settings: list[str]) -> None:
        self.values: dict[str | None, Mapping[str, float | None]] = {"AAPL": {"price": 200.0}, None: {"lag": 0.0}}
        self.clock = FakeClock()
        self.file = directory / "alerts.json"
        self.source = "a"
        self.stage = AlertStage(
            AlertSettings(**settings),  # type: ignore[arg-type]
            lambda: self.values,
            self.file,
            directory / "fired.json",
            self.clock,
            lambda _: self.source,
        )

    async def see(self, *prices: float) -> list[AlertView]:
        """What is told after these prices, each seen once."""
        before = self.stage.history[-1].seq if self.stage.history else 0
        supervisor = Supervisor(SupervisorSettings(), self.clock)
        self.values["AAPL"] = {"price": prices[0]}
        supervisor.add("alerts", "view", self.stage.run)
        await self.clock.advance(0)
        for price in prices[1:]:
            self.values["AAPL"] = {"price": price}
            await self.clock.advance(PERIOD)
        assert supervisor.services[0].error is None
        await supervisor.stop(5)
        return [alert for alert in self.stage.history if alert.seq > before]


async def test_a_crossing_is_told_once_and_outlives_a_restart(tmp_path: Path) -> None:
    rules = ["AAPL price > 250"]
    bench = Bench(tmp_path, rules=rules)
    (alert,) = await bench.see(249, 251, 252)
    assert (alert.rule, alert.ticker, alert.value) == ("AAPL price > 250", "AAPL", 251.0)
    assert bench.stage.rules()[0].fired == ["AAPL"]

    again = Bench(tmp_path, rules=rules)
    assert list(again.stage.history) == [alert]
    assert await again.see(253) == []  # it was told before the restart
    (second,) = await again.see(240, 260)
    assert second.seq == alert.seq + 1


async def test_another_source_after_a_restart_is_another_source(tmp_path: Path) -> None:
    rules = ["AAPL price > 250"]
    assert len(await Bench(tmp_path, rules=rules).see(251)) == 1
    assert await Bench(tmp_path, rules=rules).see(252) == []
    again = Bench(tmp_path, rules=rules)
    again.source = "b"
    assert len(await again.see(252)) == 1


async def test_a_ticker_that_is_removed_is_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rules=["price > 250"])
    assert len(await bench.see(251)) == 1
    supervisor = Supervisor(SupervisorSettings(), bench.clock)
    del bench.values["AAPL"]
    supervisor.add("alerts", "view", bench.stage.run)
    await bench.clock.advance(0)
    await supervisor.stop(5)
    assert bench.stage.rules()[0].fired == []
    assert json.loads((tmp_path / "fired.json").read_text())["fired"] == []


async def test_a_rule_of_a_ticker_that_is_not_watched_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, rules=["AAPL price > 250", "rsi_14 < 30", "lag > 1", "APPL price > 250"])
    await bench.see(200, 201, 202)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the alert rule APPL price > 250 cannot fire: APPL is not watched; add it"
    ]
    bench.values["APPL"] = {"price": 1.0}
    await bench.see(200)
    del bench.values["APPL"]
    await bench.see(200)
    assert sum("APPL is not watched" in record.message for record in caplog.records) == 2


async def test_rules_from_the_screen_are_remembered_and_can_be_removed(tmp_path: Path) -> None:
    stage = Bench(tmp_path, rules=["lag > 5"]).stage
    assert stage.add("msft price<1") == "MSFT price < 1"
    assert [(r.rule, r.origin) for r in stage.rules()] == [("lag > 5", "config"), ("MSFT price < 1", "screen")]
    again = Bench(tmp_path, rules=["lag > 5"]).stage
    assert [r.rule for r in again.rules()] == ["lag > 5", "MSFT price < 1"]
    again.remove("MSFT price < 1")
    assert [r.rule for r in Bench(tmp_path).stage.rules()] == []


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("alerts.json", "{"),
        ("alerts.json", '{"rules": ["AAPL prize > 1"]}'),
        ("alerts.json", "\udcff"),
        ("fired.json", '{"history": 3}'),
        ("fired.json", '{"fired": [["AAPL prize > 1", null]]}'),
    ],
)
def test_a_damaged_memory_stops_nobody(
    tmp_path: Path, file: str, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / file).write_bytes(content.encode("utf-8", "surrogateescape"))
    stage = Bench(tmp_path).stage
    assert stage.rules() == []
    assert f"{file} cannot be read" in caplog.text


async def test_a_full_disk_stops_no_alert(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(tmp_path / "missing", rules=["AAPL price > 250"])
    assert len(await bench.see(251)) == 1
    assert "alerts.json cannot be written" in caplog.text


ALERT = AlertView(seq=1, at=5.0, rule="AAPL price > 250", ticker="AAPL", metric="price", value=251.5)


async def test_the_command_finds_the_values_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_VANTAGE_API_KEY", "planted")
    monkeypatch.setenv("FINTRENDS_KAFKA__SASL_PASSWORD", "planted")
    monkeypatch.setenv("FINTRENDS_reddit__client_secret", "planted")
    found = tmp_path / "found.json"
    script = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ)))"
    await run_command([sys.executable, "-c", script, str(found), "$(touch x); `id`"], ALERT, SystemClock())
    environment = json.loads(found.read_text())
    assert "planted" not in environment.values()
    assert {name: value for name, value in environment.items() if name.startswith("FINTRENDS_ALERT")} == {
        "FINTRENDS_ALERT": "AAPL price is 251.5 (AAPL price > 250)",
        "FINTRENDS_ALERT_RULE": "AAPL price > 250",
        "FINTRENDS_ALERT_TICKER": "AAPL",
        "FINTRENDS_ALERT_METRIC": "price",
        "FINTRENDS_ALERT_VALUE": "251.5",
        "FINTRENDS_ALERT_THRESHOLD": "250.0",
        "FINTRENDS_ALERT_AT": "5.0",
    }


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/does/not/exist"], "cannot be run"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with status 3"),
    ],
)
async def test_a_command_that_fails_is_logged(command: list[str], said: str, caplog: pytest.LogCaptureFixture) -> None:
    await run_command(command, ALERT, SystemClock())
    assert said in caplog.text


async def test_a_command_that_hangs_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock(auto=True)
    await run_command([sys.executable, "-c", "import time; time.sleep(600)"], ALERT, clock)
    assert "took longer than 30 s and is ended" in caplog.text


async def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $! > {pids}; wait"
    running = asyncio.create_task(run_command(["sh", "-c", script], ALERT, clock := FakeClock()))
    async with asyncio.timeout(20):
        while not (pids.exists() and pids.read_text().strip()):
            await asyncio.sleep(0)
        while not running.done():  # it may not have come to its waiting yet
            await clock.advance(31)
        while _is_alive(int(pids.read_text())):
            await asyncio.sleep(0)


def _is_alive(pid: int) -> bool:
    """Not so if it waits to be reaped only."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it ended before it was opened, or before it was read
        return False


async def test_an_alert_runs_the_command(tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text(os.environ['FINTRENDS_ALERT_TICKER'])"
    bench = Bench(tmp_path, rules=["AAPL price > 250"], command=[sys.executable, "-c", script, str(done)])
    supervisor = Supervisor(SupervisorSettings(), bench.clock)
    bench.values["AAPL"] = {"price": 251.0}
    supervisor.add("alerts", "view", bench.stage.run)
    async with asyncio.timeout(20):
        while not (done.exists() and done.read_text()):
            await asyncio.sleep(0)
    assert done.read_text() == "AAPL"
    await supervisor.stop(5)


async def test_an_alert_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await Bench(tmp_path, rules=["AAPL price > 250"]).see(251)
    assert "alert: AAPL price is 251 (AAPL price > 250)" in caplog.text


async def test_what_positions_are_worth_is_not_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(tmp_path, rules=["AAPL gain > 100", "AAPL gain% > 5"])
    bench.values["MSFT"] = {}
    bench.values["AAPL"] = {"gain": 4711.5, "gain%": 12.5}
    with caplog.at_level(logging.WARNING):
        supervisor = Supervisor(SupervisorSettings(), bench.clock)
        supervisor.add("alerts", "view", bench.stage.run)
        await bench.clock.advance(0)
        await supervisor.stop(5)
    assert [(alert.metric, alert.value) for alert in bench.stage.history] == [("gain", 4711.5), ("gain%", 12.5)]
    assert "alert: AAPL meets the rule AAPL gain > 100" in caplog.text
    assert "alert: AAPL gain% is 12.5 (AAPL gain% > 5)" in caplog.text
    assert "4711" not in caplog.text
