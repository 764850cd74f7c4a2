"""A server of MongoDB's protocol that asks for a password, over TLS."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from motor.motor_asyncio import AsyncIOMotorClient

from testkit.engines.certificates import Authority, Certificate
from testkit.engines.mongo import MongoServer

USER = "analyst"
PASSWORD = "correct-horse"  # noqa: S105 - of a server that lives for one test run


class SecureMongo(MongoServer):
    """Known by the address 127.0.0.1. With `mutual` it takes only those who bring a certificate of `authority`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = Authority(folder / "tls")
        self.certificate = self.authority.issue("127.0.0.1")
        self.mutual = False

    def command(self) -> Sequence[str]:
        files = {"cert": self.certificate.cert, "key": self.certificate.key, "ca": self.authority.ca}
        options = [text for name, path in files.items() for text in (f"--tls-{name}-file", str(path))]
        return [*super().command(), *options, *(["--tls-require-client-cert"] if self.mutual else [])]

    def start_with(self, certificate: Certificate | None = None, *, mutual: bool = False) -> None:
        """Start it anew, with another certificate or other demands."""
        self.stop()
        self.certificate = certificate or self.authority.issue("127.0.0.1")
        self.mutual = mutual
        self.start()

    def provide_user(self) -> None:
        """Make the user, as long as none is needed, and ask for one from then on."""
        self.start()
        asyncio.run(self._make_user())
        self.stop()
        self.auth = True
        self.start()

    def login(self, database: str, *options: str, password: str = PASSWORD, host: str = "127.0.0.1") -> str:
        """A URI with further options."""
        all_options = "&".join(["tls=true", "authSource=admin", *options])
        return f"mongodb://{USER}:{password}@{host}:{self.port}/{database}?{all_options}"

    async def _make_user(self) -> None:
        client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(f"{self.uri}/?tls=true&tlsCAFile={self.ca}")
        await client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
        client.close()

    @property
    def ca(self) -> Path:
        return self.authority.ca
