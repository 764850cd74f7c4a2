"""Command-line options that the pipeline and the screen share, and how they become settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter, Token, validators

from pipeline.config.where import Where

_PIPELINE = Group("Pipeline", sort_key=1)
_WHERE = Group("Where", sort_key=2)


Parameter(name="*", group=_WHERE)(Where)


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
        layer = super().with_tickers(tickers)
        section = layer.setdefault("pipeline", {})
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


WHERE_DEFAULTS = Where()
RUN_DEFAULTS = RunFlags()
