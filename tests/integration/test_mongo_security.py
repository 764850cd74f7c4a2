"""A login and certificates on a server of MongoDB's protocol that insists on them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.model.documents import Document
from pipeline.store.base import Query, StoreError
from pipeline.store.mongo.store import MongoStore
from testkit.engines.certificates import Authority
from testkit.engines.fixtures import require
from testkit.engines.secure_mongo import SecureMongo

pytestmark = pytest.mark.daily  # the server is started four times, and the driver tries for a while before it fails

Uri = Callable[[SecureMongo], str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureMongo]:
    server = require(lambda: SecureMongo(tmp_path_factory.mktemp("mongo")))
    server.provide_user()
    yield server
    server.stop()


def uri(server: SecureMongo, *options: str, **login: str) -> str:
    """Of a database that no other test uses."""
    return server.login(f"test_{uuid4().hex[:12]}", *options, **login)


def ca(server: SecureMongo) -> str:
    return f"tlsCAFile={server.ca}"


def certificate(server: SecureMongo, authority: Authority | None = None) -> str:
    return f"tlsCertificateKeyFile={(authority or server.authority).issue(user='analyst').both}"


async def writes_and_reads(uri: str) -> None:
    store = MongoStore(uri, timeout=5)
    await store.open()
    ts = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    await store.upsert("stock_data", [Document("stock_data", "AAPL|1min|1", "1", ts, {"close": 7}, "AAPL", "1min")])
    assert [found["close"] for found in await store.find(Query("stock_data", "AAPL"))] == [7]
    await store.close()


async def test_whoever_logs_in_over_tls_writes_and_reads(server: SecureMongo) -> None:
    await writes_and_reads(uri(server, ca(server)))


@pytest.mark.parametrize(
    ("where", "says"),
    [
        pytest.param(lambda s: uri(s, ca(s), password="wrong-horse"), "refuses the user name", id="password"),  # noqa: S106
        pytest.param(lambda s: uri(s), "not trusted here; name that in tlsCAFile", id="no CA"),
        pytest.param(lambda s: uri(s, ca(s), host="localhost"), "certificate is for another host", id="host"),
    ],
)
async def test_what_is_wrong_is_said_in_words(server: SecureMongo, where: Uri, says: str) -> None:
    await refused_for_good(where(server), says)


async def refused(uri: str, says: str) -> StoreError:
    store = MongoStore(uri, timeout=1)
    with pytest.raises(StoreError, match=says) as caught:
        await store.open()
    assert "-horse" not in str(caught.value), "that is a password"
    return caught.value


async def refused_for_good(uri: str, says: str) -> None:
    assert (await refused(uri, says)).permanent


async def test_an_expired_certificate_is_said_to_be(server: SecureMongo) -> None:
    server.start_with(server.authority.issue("127.0.0.1", expired=True))
    try:
        await refused_for_good(uri(server, ca(server)), "its certificate has expired")
    finally:
        server.start_with()


async def test_a_server_that_asks_for_a_certificate_takes_ours_and_no_other(
    server: SecureMongo, tmp_path: Path
) -> None:
    server.start_with(mutual=True)
    try:
        await writes_and_reads(uri(server, ca(server), certificate(server)))
        stranger = Authority(tmp_path / "stranger")
        breaks_off = "it breaks off TLS connections; .* it asks for tlsCertificateKeyFile"
        refuses = "it refuses our certificate, or misses one; check tlsCertificateKeyFile"
        for missing in ((), (certificate(server, stranger),)):
            error = await refused(uri(server, ca(server), *missing), f"{breaks_off}|{refuses}")
            # With TLS 1.3 we have a connection before the server looks at our certificate. Which comes first, what it
            # says of it or the end of that connection, is a matter of moments; only the former is known to stay.
            assert error.permanent is ("refuses our certificate" in str(error))
    finally:
        server.start_with()
