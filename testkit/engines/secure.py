"""A Kafka broker that lets in whom it knows, over TLS, and lets them do what they are allowed to."""

from pathlib import Path
from typing import Final

from pipeline.config.settings import KafkaSettings
from testkit.engines.certificates import Authority
from testkit.engines.kafka import SASL_PASSWORD, SASL_USER, KRaftKafka
from testkit.engines.process import free_port

_LISTENERS: Final = {
    "LOGIN": "SASL_SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SASL_SSL",
    "ELSEWHERE": "SASL_SSL",
}
"""Those with TLS, and their protocols."""
_SECURE: Final = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},{tls}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},{tls}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}
allow.everyone.if.no.acl.found=false
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.truststore.type=PEM
ssl.truststore.location={ca}
ssl.keystore.type=PEM
ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/
listener.name.mutual.ssl.client.auth=required
"""
_JAAS: Final = """\
listener.name.{name}.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.{name}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.{name}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


class SecureKafka(KRaftKafka):
    """Listens with a login over TLS (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), with certificates on both sides, with an
    expired certificate and with that of another host. Whoever comes in there may do nothing until allowed to
    (`access.allow`); who connects to `bootstrap` may do everything."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "tls")
        self.ports = {name: free_port() for name in _LISTENERS}
        here = self.authority.issue("127.0.0.1", "localhost")
        certificates = {
            "LOGIN": here,
            "MUTUAL": here,
            "EXPIRED": self.authority.issue("127.0.0.1", expired=True),
            "ELSEWHERE": self.authority.issue("kafka.example"),
        }
        names = [f"listener.name.{name.lower()}.ssl.keystore.location={c.both}\n" for name, c in certificates.items()]
        logins = [
            _JAAS.format(name=name.lower(), user=SASL_USER, password=SASL_PASSWORD)
            for name, protocol in _LISTENERS.items()
            if protocol == "SASL_SSL"
        ]
        super().__init__(
            folder,
            _SECURE + "".join([*names, *logins]),
            [
                argument
                for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
                for argument in ("--add-scram", f"{mechanism}=[name={SASL_USER},password={SASL_PASSWORD}]")
            ],
            tls=",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items()),
            protocols=",".join(f"{name}:{protocol}" for name, protocol in _LISTENERS.items()),
            ca=self.authority.ca,
        )

    def login(self, mechanism: str = "SCRAM-SHA-512", listener: str = "LOGIN", **other: str) -> KafkaSettings:
        """Settings to log in with."""
        settings = {
            "bootstrap_servers": f"127.0.0.1:{self.ports[listener]}",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_username": SASL_USER,
            "sasl_password": SASL_PASSWORD,
            "ssl_cafile": str(self.authority.ca),
        }
        return KafkaSettings(**settings | other)

    def mutual(self, user: str = SASL_USER, **other: str) -> KafkaSettings:
        """Settings to be known by a certificate with; any user may have one."""
        mine = self.authority.issue(user=user)
        settings = {
            "bootstrap_servers": f"127.0.0.1:{self.ports['MUTUAL']}",
            "security_protocol": "SSL",
            "ssl_cafile": str(self.authority.ca),
            "ssl_certfile": str(mine.cert),
            "ssl_keyfile": str(mine.key),
        }
        return KafkaSettings(**settings | other)
