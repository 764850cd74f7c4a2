"""Command-line options that the pipeline and the screen share, and how they become settings. Imports nothing heavy."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Group, Parameter, Token, validators

from pipeline.config import settings
from pipeline.config.settings import Loaded, LogLevel
from pipeline.model.namespace import own_part
from pipeline.model.tickers import parse_tickers

_PIPELINE = Group("Pipeline", sort_key=1)
_WHERE = Group("Where", sort_key=2)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Where:
    """Which configuration and which data directory a command is about."""

    config: Annotated[Path | None, Parameter(group=_WHERE)] = None
    "Configuration file. Default: config.toml here, else in the user's configuration directory."

    data_dir: Annotated[Path | None, Parameter(group=_WHERE)] = None
    "Data directory: databases, control socket, lock. One pipeline runs on each."

    log_level: Annotated[LogLevel | None, Parameter(group=_WHERE)] = None
    "What goes to the log: debug, info, warning or error."

    kafka: Annotated[str | None, Parameter(group=_WHERE)] = None
    "HOST:PORT[,HOST:PORT] of Apache Kafka, instead of the embedded bus."

    mongodb: Annotated[str | None, Parameter(group=_WHERE)] = None
    "URI of MongoDB, instead of the embedded store. One with a password belongs into the environment: MONGODB_URI."

    namespace: Annotated[str | None, Parameter(group=_WHERE)] = None
    "Keeps data apart from those of others on the same engines: a directory, a prefix of topics and groups, a database."

    def overrides(self) -> dict[str, dict[str, Any]]:
        """The flags as a layer of settings."""
        layer: dict[str, dict[str, Any]] = {}
        if self.data_dir is not None:
            layer["pipeline"] = {"data_dir": str(self.data_dir)}
        if self.namespace is not None:
            layer.setdefault("pipeline", {})["namespace"] = self.namespace
        if self.log_level is not None:
            layer["logging"] = {"level": self.log_level}
        if self.kafka is not None:
            layer["kafka"] = {"bootstrap_servers": self.kafka}
        if self.mongodb is not None:
            layer["mongodb"] = {"uri": self.mongodb}
        return layer

    def load(self, environ: Mapping[str, str] = os.environ) -> Loaded:
        """The settings of this command.

        Raises:
            SettingsError
        """
        layer = self.overrides()
        if self.namespace is not None:  # of simulated data too, which cannot be set
            layer["pipeline"]["namespace"] = own_part(self.namespace)
        return msgspec.structs.replace(settings.load(self.config, layer, environ), namespace=self.namespace)

    def arguments(self) -> list[str]:
        """The flags again, for a process started with the same; but for what may be a secret, see `hand_over`."""
        given = (
            ("--config", self.config),
            ("--data-dir", self.data_dir),
            ("--log-level", self.log_level),
            ("--kafka", self.kafka),
            ("--namespace", self.namespace),
        )
        return [text for flag, value in given if value is not None for text in (flag, str(value))]


def read_speed(_: Any, tokens: Sequence[Token]) -> float | Literal["max"]:
    """A speed as it is typed."""
    text = tokens[0].value
    if text == "max":
        return "max"
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a speed: write a number, such as 60 for 60 times real time, or max"
        ) from None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunFlags(Where):
    """How a pipeline runs."""

    initial_load: Annotated[bool, Parameter(group=_PIPELINE, negative="", show_default=False)] = False
    "Load the history of the tickers first."

    until_idle: Annotated[bool, Parameter(group=_PIPELINE, negative="", show_default=False)] = False
    "Exit with 0 when sources are exhausted and lag is zero. With --initial-load, an endless source gives history only."

    duration: Annotated[float | None, Parameter(group=_PIPELINE, validator=validators.Number(gt=0))] = None
    "Stop gracefully after this many seconds."

    source: Annotated[str | None, Parameter(group=_PIPELINE)] = None
    "auto (live, without a key), one source by name such as yahoo, simulator, or replay:DIR (<TICKER>_<interval>.csv)."

    speed: Annotated[float | Literal["max"] | None, Parameter(group=_PIPELINE, converter=read_speed)] = None
    "Speed of simulator and replay: a multiple of real time, or max. A replay skips nights."

    roles: Annotated[str | None, Parameter(group=_PIPELINE)] = None
    "Roles to run, separated by commas: producer,processor,sink. Default: all."

    metrics_port: Annotated[int | None, Parameter(group=_PIPELINE)] = None
    "Serve metrics for Prometheus on http://127.0.0.1:PORT/metrics."

    quiet: Annotated[bool, Parameter(group=_PIPELINE, negative="", show_default=False)] = False
    "No status line on stderr; warnings only."

    def with_tickers(self, tickers: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The flags and the tickers as a layer of settings.

        Raises:
            InvalidTickerError
        """
        layer = self.overrides()
        section = layer.setdefault("pipeline", {})
        if tickers:
            section["tickers"] = parse_tickers(tickers)
        if self.source is not None:
            section["source"] = self.source
        if self.speed is not None:
            section["speed"] = self.speed
        if self.roles is not None:
            section["roles"] = [role.strip() for role in self.roles.split(",")]
        if self.metrics_port is not None:
            layer["metrics"] = {"port": self.metrics_port}
        return layer

    def arguments(self) -> list[str]:
        return super().arguments() + self.run_arguments()

    def run_arguments(self) -> list[str]:
        """Those of the flags that say how a pipeline runs, and not which."""
        given = (
            ("--source", self.source),
            ("--speed", self.speed),
            ("--roles", self.roles),
            ("--metrics-port", self.metrics_port),
        )
        flags = [text for flag, value in given if value is not None for text in (flag, str(value))]
        if self.duration is not None:
            flags += ["--duration", str(self.duration)]
        if self.initial_load:
            flags.append("--initial-load")
        if self.until_idle:
            flags.append("--until-idle")
        if self.quiet:
            flags.append("--quiet")
        return flags


def hand_over(where: Where) -> None:
    """Put into the environment, for a process started next, what must not stand among its arguments."""
    if where.mongodb is not None:
        os.environ["MONGODB_URI"] = where.mongodb
        os.environ.pop("FINTRENDS_MONGODB__URI", None)


WHERE_DEFAULTS = Where()
RUN_DEFAULTS = RunFlags()
