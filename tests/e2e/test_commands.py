"""The command line against a headless pipeline."""

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from pyarrow import parquet

from testkit.engines.process import free_port
from testkit.forked import ForkedProduct
from testkit.product import COMMAND, ROOT, Product, environment, written

SIMULATED = ("--source", "simulator")


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """Started as its users start it."""
    return Product(tmp_path)


@pytest.fixture
def forked(tmp_path: Path) -> Product:
    """For what comes of a command, where how it is started is shown by others."""
    return ForkedProduct(tmp_path)


def tickers(status: dict) -> list[str]:
    return [ticker["ticker"] for ticker in status["tickers"]]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_simulated_pipeline_lives_through_every_command(product: Product) -> None:
    with product.running("AAPL", *SIMULATED) as process:
        status = product.wait_for(lambda s: s["tickers"][0]["price"])
        schema = json.loads(product.run("status", "--schema").stdout)
        jsonschema.validate(status, schema)
        assert "against the previous close" in schema["$defs"]["TickerView"]["description"]
        fields = [field for view in schema["$defs"].values() for field in view["properties"].values()]
        assert "Seconds since the epoch." in str(fields)
        assert status["pipeline"]["simulated"]
        assert status["tickers"][0]["simulated"]
        product.wait_for(lambda s: {service["state"] for service in s["services"]} == {"running"})

        added = product.run("add", "msft", "BRK.B")
        assert (added.returncode, added.stdout) == (0, "watching MSFT, BRK.B\n")
        product.wait_for(lambda s: tickers(s) == ["AAPL", "MSFT", "BRK.B"] and all(t["price"] for t in s["tickers"]))
        assert product.run("remove", "AAPL").returncode == 0
        assert product.run("remove", "AAPL").returncode == 1

        loaded = product.run("load", "MSFT", "--wait")
        assert loaded.returncode == 0, loaded.stderr
        assert "MSFT done 100 %" in loaded.stderr
        daily = []
        deadline = time.monotonic() + 60
        while not daily or daily[0]["sma_50"] is None:
            assert time.monotonic() < deadline, daily
            daily = product.query("indicators", "MSFT", interval="daily", last=1)
        assert daily[0]["sma_50"] > 0
        assert daily[0]["simulated"] is True
        file = product.directory / "daily.parquet"
        exported = product.run("export", "indicators", "MSFT", "--interval", "daily", "--to", file)
        assert exported.returncode == 0, exported.stderr
        assert parquet.read_table(file).num_rows == 250
        again = product.run("export", "indicators", "--to", file)
        assert (again.returncode, again.stderr.count("--force")) == (2, 1)

        stopped = product.run("stop")
        assert stopped.returncode == 0, stopped.stderr
        assert process.wait(60) == 0
    assert product.run("status").returncode == 3
    assert product.run("stop").returncode == 3


def test_what_was_watched_is_watched_again(forked: Product) -> None:
    with forked.running("AAPL", "TSLA", *SIMULATED):
        forked.run("stop")
    with forked.running(*SIMULATED):
        status = forked.status()
        assert status is not None
        assert tickers(status) == ["AAPL", "TSLA"]


def test_a_second_pipeline_on_the_same_data_is_refused(product: Product) -> None:
    with product.running("AAPL", *SIMULATED) as first:
        second = product.run("AAPL", "--no-ui", *SIMULATED)
        assert second.returncode == 1
        assert f"pid {first.pid}" in second.stderr
        assert f"`fintrends-tui stop --data-dir {product.data_dir}`" in second.stderr
        assert product.status() is not None


def test_what_kill_9_leaves_behind_is_recovered_from(product: Product) -> None:
    with product.running("AAPL", *SIMULATED) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert product.run("status").returncode == 3
    with product.running("AAPL", *SIMULATED):
        assert product.run("stop").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_in_good_order(product: Product, number: signal.Signals) -> None:
    with product.running("AAPL", *SIMULATED) as process:
        product.wait_for(written)
        process.send_signal(number)
        assert process.wait(120) == 0
    for line in product.run("status").stdout.splitlines():
        if " records" in line:
            assert set(line.partition("lag: ")[2].split()[1::2]) == {"0"}, line


def test_duration_bounds_a_run(product: Product) -> None:
    started = time.monotonic()
    result = product.run("AAPL", "--no-ui", *SIMULATED, "--duration", 4)
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - started >= 4
    assert product.query("stock_data", "AAPL")


def test_duration_bounds_the_wait_for_an_engine_too(forked: Product) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with forked.started("AAPL", *SIMULATED, "--kafka", nobody, "--duration", 10) as process:
        status = forked.wait_for(lambda s: nobody in s["pipeline"]["note"], process)
        assert status["pipeline"]["state"] == "starting"
        assert forked.run("status").returncode == 1
        assert process.wait(120) == 1


def test_the_log_is_where_it_should_be(forked: Product) -> None:
    with forked.running("AAPL", *SIMULATED):
        pass
    assert "simulated data" in (forked.data_dir / "logs" / "pipeline.log").read_text()


def test_a_data_directory_too_deep_for_a_socket_works(tmp_path: Path) -> None:
    product = ForkedProduct(tmp_path / ("deep" * 30))
    product.directory.mkdir()
    with product.running("AAPL", *SIMULATED):
        assert product.run("stop").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["<script>"], 2, ["not a ticker symbol", "AAPL"]),
        (["AAPL", "--source", "tea leaves"], 2, ["source", "replay:DIR"]),
        (["AAPL", "--source", "replay:/nowhere"], 2, ["/nowhere"]),
        (["AAPL", "--source", "alpha_vantage"], 2, ["alpha_vantage"]),
        (["AAPL", "--config", "nowhere.toml"], 2, ["nowhere.toml"]),
        (["AAPL", "--speed", "-1"], 2, ["speed"]),
        (["AAPL", "--duration", "-1"], 2, ["duration"]),
        (["AAPL", "--source", "replay:"], 2, ["replay:DIR"]),
        (["AAPL", "--mongodb", "localhost"], 2, ["mongodb://"]),
        (["AAPL", "--roles", "cook"], 2, ["producer", "processor", "sink"]),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    forked: Product, arguments: list[str], status: int, words: list[str]
) -> None:
    result = forked.run(*arguments, "--no-ui", "--until-idle")
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_a_loader_and_a_worker_end_by_themselves_one_after_the_other(forked: Product) -> None:
    """Each drains what its own roles read; what nobody works on waits for whoever comes."""
    loader = forked.run(
        "AAPL", "--no-ui", "--source", "simulator", "--roles", "producer", "--initial-load", "--until-idle"
    )
    assert loader.returncode == 0, loader.stderr
    assert forked.query("stock_data", "AAPL") == []
    worker = forked.run("AAPL", "--no-ui", "--source", "simulator", "--roles", "processor,sink", "--until-idle")
    assert worker.returncode == 0, worker.stderr
    assert len(forked.query("stock_data", "AAPL", interval="daily")) == 250
    assert len(forked.query("indicators", "AAPL", interval="daily")) == 250


def test_a_source_that_had_nothing_is_asked_again_for_a_ticker_that_is_added(forked: Product, tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    header = "datetime,open,high,low,close,volume"
    (recordings / "AAPL_1min.csv").write_text(f"{header}\n2019-02-11 09:31:00,1,1,1,1,1\n")
    with forked.running("ZZZ", "--source", f"replay:{recordings}", "--speed", "max") as process:
        forked.wait_for(lambda s: s["services"] and _market(s)["state"] == "failed", process)
        assert forked.run("add", "AAPL").returncode == 0
        forked.wait_for(lambda s: _market(s)["total"] == 1, process)


def _market(status: dict) -> dict:
    return next(service for service in status["services"] if service["name"] == "market")


def test_queries_say_what_is_wrong(forked: Product) -> None:
    nothing = forked.run("query", "stock_data")
    assert nothing.returncode == 1
    assert "no" in nothing.stderr
    for words in (["query"], ["query", "stocks"]):
        unknown = forked.run(*words)
        assert unknown.returncode == 2
        assert "are stock_data, indicators, " in unknown.stderr.lower()
    assert forked.run("query", "stock_data", "--since", "lately").returncode == 2
    assert forked.run("query", "stock_data", "--last", "-1").returncode == 2


def test_help_teaches(forked: Product) -> None:
    result = forked.run("--help")
    assert result.returncode == 0
    for word in ("AAPL", "--no-ui", "--until-idle", "replay:DIR", "status", "query"):
        assert word in result.stdout
    assert "--since" in forked.run("query", "--help").stdout


def test_without_a_terminal_the_dashboard_says_what_to_do(forked: Product) -> None:
    result = forked.run("AAPL")
    assert result.returncode == 2
    assert "--no-ui" in result.stderr


def test_a_terminal_that_can_show_no_screen_is_told_so(product: Product) -> None:
    master, slave = pty.openpty()
    try:
        result = subprocess.run(
            [COMMAND, "AAPL", "--data-dir", product.data_dir],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            env=environment(TERM="dumb"),
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(master)
        os.close(slave)
    assert result.returncode == 2
    assert "--no-ui" in result.stderr


def test_a_mistyped_command_is_no_ticker(forked: Product) -> None:
    result = forked.run("stauts", "--no-ui", "--until-idle")
    assert result.returncode == 2
    assert "did you mean status?" in result.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """One that has run, for those who only look."""
    product = Product(tmp_path_factory.mktemp("filled"))
    product.fill("AAPL", *SIMULATED)
    return product


@pytest.mark.parametrize(
    "command", [["--help"], ["status"], ["status", "--json"], ["query", "stock_data", "--last", "0"], ["doctor"]]
)
def test_a_reader_that_has_seen_enough_is_no_error(filled: Product, command: list[str]) -> None:
    process = filled.start(*command)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read()
    process.stderr.close()
    process.wait(30)
    assert "Traceback" not in error
    assert "Errno" not in error


def test_the_working_directory_cannot_replace_the_pipeline(product: Product) -> None:
    impostor = product.directory / "pipeline"
    impostor.mkdir()
    (impostor / "__init__.py").write_text("raise SystemExit('the wrong pipeline')")
    product.fill("AAPL", *SIMULATED)


def test_json_status_of_a_stopped_pipeline_is_json(filled: Product) -> None:
    result = filled.run("status", "--json")
    assert result.returncode == 3
    status = json.loads(result.stdout)
    assert status["running"] is False
    assert status["collections"]["stock_data"] > 0


def test_the_committed_configuration_is_accepted(forked: Product) -> None:
    forked.fill("AAPL", "--config", ROOT / "config.toml")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("topics", "--kafka", "127.0.0.1:99999"), "kafka.bootstrap_servers"),
        (("query", "news", "--mongodb", "mongodb://h/?tls=maybe"), "mongodb.uri"),
        (("AAPL", "--no-ui", "--kafka", "kafka://a:1"), "no kafka:// before it"),
        (("AAPL", "--no-ui", "--metrics-port", "65536"), "metrics.port"),
        (("status", "--config", "/nowhere.toml"), "no configuration file /nowhere.toml"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence_before_anything_starts(
    forked: Product, flags: tuple[str, ...], words: str
) -> None:
    result = forked.run(*flags)
    assert result.returncode == 2
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("fintrends-tui: ") and words in sentence


def test_a_working_directory_that_is_gone_stops_nobody(product: Product) -> None:
    gone = product.directory / "gone"
    for command in ("AAPL --no-ui --source simulator --duration 2 --quiet", "query stock_data", "status", "doctor"):
        gone.mkdir()
        script = f"rmdir {gone} && exec {COMMAND} {command} --data-dir {product.data_dir}"
        result = subprocess.run(
            ["/bin/sh", "-c", script], cwd=gone, env=environment(), capture_output=True, text=True, check=False
        )
        assert result.returncode == (3 if command == "status" else 0), result.stderr
        assert "Traceback" not in result.stderr
    assert product.query("stock_data")


def test_without_a_home_a_data_directory_is_enough(product: Product) -> None:
    """And logs, compiled functions and temporary files have their places there."""
    product._variables |= {"HOME": "/nonexistent"}
    result = product.run("AAPL", "--no-ui", *SIMULATED, "--duration", "8", "--quiet")
    assert (result.returncode, result.stderr) == (0, "")
    assert product.query("stock_data", "AAPL")
