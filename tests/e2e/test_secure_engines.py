"""The whole pipeline on engines that insist on TLS, a login and rights: as their administrators run them."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from testkit.engines import access
from testkit.engines.fixtures import require
from testkit.engines.secure import SecureKafka
from testkit.engines.secure_mongo import SecureMongo
from testkit.faults.recording import record
from testkit.faults.watching import audit
from testkit.forked import ForkedProduct

pytestmark = pytest.mark.daily  # two servers, and a pipeline on both


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    server = require(lambda: SecureKafka(tmp_path_factory.mktemp("kafka")))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureMongo]:
    server = require(lambda: SecureMongo(tmp_path_factory.mktemp("mongo")))
    server.provide_user()
    yield server
    server.stop()


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "PLAIN", "certificates"])
async def test_a_replay_with_the_rights_that_the_docs_ask_for(
    kafka: SecureKafka, mongo: SecureMongo, tmp_path: Path, way: str
) -> None:
    namespace, user = f"n{uuid4().hex[:12]}", "analyst"
    settings = kafka.mutual(user) if way == "certificates" else kafka.login(way)
    await access.allow(kafka.bootstrap, user, "topic", f"{namespace}-", *access.TOPIC_RIGHTS)
    await access.allow(kafka.bootstrap, user, "group", f"{namespace}-", *access.GROUP_RIGHTS)
    names = ("security_protocol", "sasl_mechanism", "sasl_username", "sasl_password", "ssl_cafile", "ssl_certfile")
    variables = {f"FINTRENDS_KAFKA__{n.upper()}": getattr(settings, n) for n in (*names, "ssl_keyfile")}
    uri = mongo.login(f"e2e_{uuid4().hex[:12]}", f"tlsCAFile={mongo.ca}")
    flags = ("--kafka", settings.bootstrap_servers, "--mongodb", uri, "--namespace", namespace)
    product = ForkedProduct(tmp_path, *flags, **{name: value for name, value in variables.items() if value})
    recording = record(tmp_path / "recording", ["AAPL", "BRK.B"], minutes=120)
    source = ("--source", f"replay:{recording.directory}", "--speed", "max")
    result = product.run(*recording.tickers, "--no-ui", *source, "--until-idle")
    assert result.returncode == 0, result.stderr
    assert audit(product, recording.live).harm == 0
    logs = "".join(path.read_text() for path in (product.data_dir / "logs").iterdir())
    for text in (result.stdout, result.stderr, logs):
        assert "correct-horse" not in text
