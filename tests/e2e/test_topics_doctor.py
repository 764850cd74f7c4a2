"""`fintrends-tui topics` and `fintrends-tui doctor`, with and without a pipeline, on each kind of engine."""

import json
import os
import signal
import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from pymongo import MongoClient

from pipeline.doctor.engines import mongodb
from pipeline.model.topics import GENERAL, topics_of
from testkit.engines import shared
from testkit.engines.fixtures import KAFKA_VARIABLE, bootstrap, mongodb_uri, require
from testkit.engines.kafka import SASL_USER, KRaftKafka
from testkit.engines.process import free_port
from testkit.fakes import FakeClock
from testkit.forked import ForkedProduct
from testkit.product import Product, written

SIMULATED = ("--source", "simulator")


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return ForkedProduct(tmp_path)


def marked(output: str, mark: str) -> list[str]:
    """The findings with that mark."""
    return [line[2:] for line in output.splitlines() if line.startswith(f"{mark} ")]


class TestTopics:
    def test_they_are_listed_while_a_pipeline_runs_and_afterwards(self, product: Product) -> None:
        with product.running("AAPL", *SIMULATED):
            product.wait_for(written)
            running = product.run("topics", "AAPL", "--json")
            assert running.returncode == 0, running.stderr
            topics = {p["topic"]: p for p in json.loads(running.stdout)["partitions"]}
            assert topics["stock_data_aapl"]["records"] > 0
            refused = product.run("topics", "MSFT", "--create")
            assert refused.returncode == 1
            assert "cannot be made on the embedded bus now" in refused.stderr
            product.stop()
        stopped = product.run("topics")
        assert stopped.returncode == 0, stopped.stderr
        rows = [line.split() for line in stopped.stdout.splitlines()]
        assert rows[0] == ["topic", "partition", "begin", "end", "records", "retention", "lag"]
        assert {*topics_of("AAPL"), *GENERAL} >= {row[0] for row in rows[1:]} >= {"stock_data_aapl"}
        assert {lag for row in rows[1:] for lag in row[7::2]} == {"0"}

    def test_watching_says_how_the_groups_of_a_running_pipeline_do(self, product: Product) -> None:
        with product.running("AAPL", *SIMULATED):
            # Not before the first batch, for which pandas is imported.
            product.wait_for(lambda s: written(s, "indicators"))
            result = product.run("topics", "AAPL", "--watch", 5, "--json")
        groups = [group for p in json.loads(result.stdout)["partitions"] for group in p["groups"]]
        assert {group["status"] for group in groups} == {"OK"}

    def test_a_pipeline_uses_the_topics_that_were_made_for_it(self, product: Product) -> None:
        result = product.run("topics", "AAPL", "--create")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("created: ")
        assert product.run("topics", "AAPL", "--create").stdout.startswith("topic ")
        product.fill("AAPL", *SIMULATED)
        assert product.query("stock_data", "AAPL")

    def test_a_bus_that_is_not_there_is_said(self, product: Product) -> None:
        nothing = product.run("topics")
        assert (nothing.returncode, nothing.stdout) == (1, "")
        assert "a pipeline creates it" in nothing.stderr
        address = f"127.0.0.1:{free_port()}"
        closed = product.run("topics", "--kafka", address)
        assert (closed.returncode, closed.stdout) == (1, "")
        assert address in closed.stderr
        assert len(closed.stderr.splitlines()) == 1

    def test_what_cannot_be_asked_is_said(self, product: Product) -> None:
        assert product.run("topics", "<script>").returncode == 2
        assert product.run("topics", "--watch", "1").returncode == 2
        assert "--create" in product.run("topics", "--help").stdout


class TestDoctor:
    def test_a_fresh_installation_is_well_and_stays_fresh(self, product: Product) -> None:
        result = product.run("doctor")
        assert result.returncode == 0, result.stdout + result.stderr
        assert marked(result.stdout, "✗") == []
        assert list(product.directory.iterdir()) == []

    def test_a_running_pipeline_is_found(self, product: Product) -> None:
        with product.running("AAPL", *SIMULATED) as process:
            result = product.run("doctor")
            assert result.returncode == 0, result.stdout
            findings = marked(result.stdout, "✓")
            assert f"a pipeline (pid {process.pid}) runs on the data directory" in findings
            assert sum("is healthy" in finding for finding in findings) == 2
            process.send_signal(signal.SIGKILL)
            process.wait()
        after = product.run("doctor")
        assert after.returncode == 0, after.stdout
        assert any("socket" in finding for finding in marked(after.stdout, "!"))

    def test_faults_are_found_together(self, product: Product) -> None:
        product.data_dir.mkdir(mode=0o700)
        (product.data_dir / "logs").touch()
        with sqlite3.connect(product.data_dir / "bus.sqlite") as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
        (product.data_dir / "store.sqlite").write_bytes(b"no database at all\n" * 100)
        result = product.run("doctor")
        assert result.returncode == 1
        assert [finding.split()[1] for finding in marked(result.stdout, "✗")] == ["log", "embedded", "embedded"]
        assert result.stdout.count("    fix: ") >= 3

    def test_engines_out_of_reach_are_faults_without_noise(self, product: Product) -> None:
        kafka, mongodb = (f"127.0.0.1:{free_port()}" for _ in range(2))
        result = product.run("doctor", "--kafka", kafka, "--mongodb", f"mongodb://me:hunter2@{mongodb}/")
        assert (result.returncode, result.stderr) == (1, "")
        found = marked(result.stdout, "✗")
        assert found == [f"cannot connect to Kafka at {kafka}", f"cannot open MongoDB at {mongodb}"]
        assert "hunter2" not in result.stdout

    def test_an_invalid_configuration_is_a_fault(self, product: Product) -> None:
        (product.directory / "config.toml").write_text("[kafka]\npartitions = 0\n")
        result = product.run("doctor")
        assert result.returncode == 1
        assert "partitions" in result.stdout

    @pytest.mark.parametrize(
        ("config", "word"),
        [('[keys]\nad = "n"\n', "keys.ad"), ('[keys]\nadd = "q"\n', "keys.add"), ('[screen]\ntheme = "x"\n', "theme")],
    )
    def test_what_the_dashboard_would_refuse_is_a_fault(self, product: Product, config: str, word: str) -> None:
        (product.directory / "config.toml").write_text(config)
        result = product.run("doctor")
        assert result.returncode == 1
        assert marked(result.stdout, "✗") == ["the dashboard cannot be shown"]
        assert word in result.stdout


class TestRealEngines:
    @pytest.fixture
    def ticker(self) -> str:
        """One that no other test on the same broker has topics of."""
        return f"T{uuid4().hex[:9]}".upper()

    def test_kafka_and_mongodb_from_missing_topics_to_none(self, tmp_path: Path, ticker: str) -> None:
        address = bootstrap(KRaftKafka)
        uri = f"{mongodb_uri()}/doctor_{uuid4().hex[:12]}"
        product = ForkedProduct(tmp_path, "--kafka", address, "--mongodb", uri)
        (tmp_path / "config.toml").write_text(f'[pipeline]\ntickers = ["{ticker}"]\n')

        before = product.run("doctor")
        assert (before.returncode, before.stderr) == (0, ""), before.stdout
        (missing,) = marked(before.stdout, "!")
        assert all(topic in missing for topic in topics_of(ticker))
        assert f"fix: fintrends-tui topics {ticker} --create" in before.stdout
        assert f"the broker can be reached at {address}, as it advertises" in marked(before.stdout, "✓")

        created = product.run("topics", "--create", ticker)
        assert created.returncode == 0, created.stderr
        # Without a key the source is the simulator, whose topics have their own prefix.
        named = {f"simulated-{topic}" for topic in topics_of(ticker)}
        assert named <= {line.split()[0] for line in created.stdout.splitlines()}
        after = product.run("doctor")
        assert "all topics of the watched tickers exist" in marked(after.stdout, "✓"), after.stdout
        assert any(finding.endswith("writing is not tried") for finding in marked(after.stdout, "✓"))
        assert not product.data_dir.exists()
        with MongoClient[dict[str, object]](uri) as client:
            assert client.get_default_database().list_collection_names() == []

    async def test_a_clock_that_goes_wrong_is_a_warning(self) -> None:
        findings = [finding async for finding in mongodb(mongodb_uri(), FakeClock())]
        assert [finding.level for finding in findings] == ["ok", "warning"]
        assert "timedatectl" in findings[1].fix

    def test_a_wrong_password_is_told_from_a_closed_port(self, tmp_path: Path) -> None:
        if os.environ.get(KAFKA_VARIABLE):
            pytest.skip(f"{KAFKA_VARIABLE} names a broker whose passwords are not ours to know")
        broker = require(lambda: shared.kafka(KRaftKafka))
        product = ForkedProduct(tmp_path, "--kafka", broker.sasl_bootstrap)
        (tmp_path / "config.toml").write_text(
            f'[kafka]\nsecurity_protocol = "SASL_PLAINTEXT"\nsasl_username = "{SASL_USER}"\nsasl_password = "wrong"\n'
        )
        (tmp_path / "config.toml").chmod(0o600)
        result = product.run("doctor")
        assert (result.returncode, result.stderr) == (1, ""), result.stdout
        assert "refuses the user name or password" in result.stdout
        assert "FINTRENDS_KAFKA__SASL_PASSWORD" in result.stdout
