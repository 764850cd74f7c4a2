"""Which pipeline a command is about, as flags and as settings.

Imports no library of command lines: the commands that are asked most often answer before one would be loaded.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from pipeline.config import settings
from pipeline.config.settings import Loaded, LogLevel
from pipeline.model.namespace import own_part
from pipeline.model.tickers import parse_tickers


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which configuration and which data directory a command is about."""

    config: Path | None = None
    "Configuration file. Default: config.toml here, else in the user's configuration directory."

    data_dir: Path | None = None
    "Data directory: databases, control socket, lock. One pipeline runs on each."

    log_level: LogLevel | None = None
    "What goes to the log: debug, info, warning or error."

    kafka: str | None = None
    "HOST:PORT[,HOST:PORT] of Apache Kafka, instead of the embedded bus."

    mongodb: str | None = None
    "URI of MongoDB, instead of the embedded store. One with a password belongs into the environment: MONGODB_URI."

    namespace: str | None = None
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

    def with_tickers(self, tickers: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The flags and the tickers as a layer of settings.

        Raises:
            InvalidTickerError
        """
        layer = self.overrides()
        if tickers:
            layer.setdefault("pipeline", {})["tickers"] = parse_tickers(tickers)
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


_FLAGS: Final = {f"--{name.replace('_', '-')}": name for name in Where.__dataclass_fields__}


def plainly(words: Sequence[str]) -> Where | None:
    """What flags say that are written out, each with its value as the next word and once; None for all others, which
    are for the command line's own library to read or to refuse."""
    flags, values = words[::2], words[1::2]
    given = {_FLAGS[flag]: value for flag, value in zip(flags, values, strict=False) if flag in _FLAGS}
    if len(words) != 2 * len(given) or any(value.startswith("-") for value in values):
        return None
    if given.get("log_level", "info") not in get_args(LogLevel):
        return None
    paths = {name: Path(given[name]) for name in ("config", "data_dir") if name in given}
    return Where(**given | paths)  # type: ignore[arg-type] # of these types


def hand_over(where: Where) -> None:
    """Put into the environment, for a process started next, what must not stand among its arguments."""
    if where.mongodb is not None:
        os.environ["MONGODB_URI"] = where.mongodb
        os.environ.pop("FINTRENDS_MONGODB__URI", None)
