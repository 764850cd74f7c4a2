"""Settings: defaults, then `config.toml`, then the environment, then flags; validated as a whole.

Imports nothing heavy: the screen reads settings before its first paint.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
import platformdirs
from msgspec import Meta, Struct

from pipeline.alerts import parse_rule
from pipeline.settings_sources import REPLAY, RedditSettings, StockTwitsSettings, check_sources
from pipeline.tickers import parse_tickers

Role = Literal["producer", "processor", "sink"]
LogLevel = Literal["debug", "info", "warning", "error"]
Speed = Annotated[float, Meta(gt=0)] | Literal["max"]

APP_NAME: Final = "fintrends-tui"
CONFIG_NAME: Final = "config.toml"
_GROUP_NAME: Final = re.compile(r"[\w-]{1,16}")
ENV_PREFIX: Final = "FINTRENDS_"
KNOWN_ENV: Final[dict[str, tuple[str, str]]] = {
    "ALPHA_VANTAGE_API_KEY": ("alpha_vantage", "api_key"),
    "KAFKA_BOOTSTRAP_SERVERS": ("kafka", "bootstrap_servers"),
    "MONGODB_URI": ("mongodb", "uri"),
    "REDDIT_CLIENT_ID": ("reddit", "client_id"),
    "REDDIT_CLIENT_SECRET": ("reddit", "client_secret"),
}


class SettingsError(Exception):
    """The settings cannot be used; the message names the key, where it comes from, and what is allowed."""


class _Section(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    pass


class PipelineSettings(_Section, frozen=True):
    tickers: list[str] = []
    source: str = "auto"
    speed: Speed = 1.0
    seed: int = 7
    roles: tuple[Role, ...] = ("producer", "processor", "sink")
    data_dir: str = ""
    stop_timeout: Annotated[float, Meta(gt=0, le=600)] = 20.0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "tickers", parse_tickers(self.tickers))
        if not self.roles:
            raise ValueError("roles must name at least one of producer, processor, sink")

    @property
    def pace(self) -> float | None:
        """Times real time; None is as fast as it goes."""
        return None if self.speed == "max" else self.speed


class BusSettings(_Section, frozen=True):
    retention_days: Annotated[float, Meta(gt=0)] = 7.0


class IndicatorSettings(_Section, frozen=True):
    exchange_timezone: str = "America/New_York"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.exchange_timezone)
        except (OSError, ValueError, KeyError):
            raise ValueError(
                f"exchange_timezone {self.exchange_timezone!r} is no time zone; use a name such as America/New_York"
            ) from None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.exchange_timezone)


class SupervisorSettings(_Section, frozen=True):
    """Seconds, except for the count."""

    backoff_initial: Annotated[float, Meta(gt=0)] = 0.5
    backoff_max: Annotated[float, Meta(gt=0)] = 30.0
    max_restarts: Annotated[int, Meta(ge=0)] = 10
    restart_window: Annotated[float, Meta(gt=0)] = 300.0


class ScreenSettings(_Section, frozen=True):
    """`stale_after` is in seconds, 0 for never; `groups` are names for parts of the watchlist."""

    refresh_per_second: Annotated[float, Meta(gt=0, le=4)] = 4.0
    theme: str = ""
    characters: Literal["auto", "unicode", "ascii"] = "auto"
    flash: bool = True
    bell: bool = True
    stale_after: Annotated[float, Meta(ge=0)] = 300.0
    groups: dict[str, list[str]] = {}

    def __post_init__(self) -> None:
        for name in self.groups:
            check_group_name(name)
        groups = {name: parse_tickers(tickers) for name, tickers in self.groups.items()}
        msgspec.structs.force_setattr(self, "groups", groups)


def check_group_name(name: str) -> None:
    """Raise ValueError, with what is allowed, for a name that a group of tickers cannot have."""
    if not _GROUP_NAME.fullmatch(name) or name == "all":
        raise ValueError(
            f"groups: {name!r} is no name for a group; use letters, digits, - and _, at most 16, other than 'all'"
        )


class LogSettings(_Section, frozen=True):
    level: LogLevel = "info"
    format: Literal["text", "json"] = "text"
    dir: str = "logs"
    max_megabytes: Annotated[float, Meta(gt=0)] = 10.0
    backups: Annotated[int, Meta(ge=0, le=100)] = 5


class AlertSettings(_Section, frozen=True):
    """Rules as `pipeline.alerts` reads them; `hysteresis` in percent of the threshold; `command` is no shell's."""

    rules: list[str] = []
    hysteresis: Annotated[float, Meta(ge=0, le=100)] = 0.5
    command: list[str] = []

    def __post_init__(self) -> None:
        for rule in self.rules:
            parse_rule(rule)


class MetricsSettings(_Section, frozen=True):
    """For Prometheus; port 0 serves none."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0


class KafkaSettings(_Section, frozen=True):
    """Used once `bootstrap_servers` is set. Retention: see `pipeline.bus.kafka_options`."""

    bootstrap_servers: str = ""
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 1
    replication: Annotated[int, Meta(ge=1, le=9)] = 1
    retention_ms: Annotated[int, Meta(ge=-1)] = -1
    retention_bytes: Annotated[int, Meta(ge=-1)] = -1
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""


class MongoSettings(_Section, frozen=True):
    """Used once `uri` is set."""

    uri: str = ""

    def __post_init__(self) -> None:
        if self.uri and not self.uri.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("uri must begin with mongodb:// or mongodb+srv://")


class AlphaVantageSettings(_Section, frozen=True):
    """`requests_per_day` is of the free plan, `requests_per_minute` of a premium one."""

    api_key: str = ""
    plan: Literal["free", "premium"] = "free"
    requests_per_day: Annotated[int, Meta(ge=1)] = 25
    requests_per_minute: Annotated[int, Meta(ge=1)] = 75
    base_url: Annotated[str, Meta(pattern="^https?://[^/]")] = "https://www.alphavantage.co"


class ScheduleSettings(_Section, frozen=True):
    """Seconds from one answer to the next question for the same."""

    stock: Annotated[float, Meta(ge=1)] = 60.0
    news: Annotated[float, Meta(ge=10)] = 1200.0
    economy: Annotated[float, Meta(ge=60)] = 14400.0
    social: Annotated[float, Meta(ge=10)] = 600.0


class Settings(_Section, frozen=True):
    """Everything that can be set. `keys` gives commands of the screen, which alone knows them, other keys."""

    pipeline: PipelineSettings = PipelineSettings()
    bus: BusSettings = BusSettings()
    indicators: IndicatorSettings = IndicatorSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    screen: ScreenSettings = ScreenSettings()
    logging: LogSettings = LogSettings()
    alerts: AlertSettings = AlertSettings()
    metrics: MetricsSettings = MetricsSettings()
    kafka: KafkaSettings = KafkaSettings()
    mongodb: MongoSettings = MongoSettings()
    alpha_vantage: AlphaVantageSettings = AlphaVantageSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    stocktwits: StockTwitsSettings = StockTwitsSettings()
    reddit: RedditSettings = RedditSettings()
    sources: dict[str, str] = {}
    keys: dict[str, str] = {}

    def __post_init__(self) -> None:
        check_sources(self.pipeline.source, self.sources)


class Loaded(Struct, frozen=True):
    """Validated settings and the paths that follow from where they were found."""

    settings: Settings
    path: Path | None
    data_dir: Path
    log_dir: Path

    @property
    def secrets(self) -> list[str]:
        """The secret values that are set; what must never be written anywhere."""
        values = [str(getattr(getattr(self.settings, section), key)) for section, key in SECRETS]
        return [value for value in (*values, _password_of(self.settings.mongodb.uri)) if value]


SECRETS: Final = (
    ("alpha_vantage", "api_key"),
    ("kafka", "sasl_password"),
    ("reddit", "client_id"),
    ("reddit", "client_secret"),
)
"""A MongoDB URI is no secret as such, for it may hold none; one that does is caught by `_password_of`."""
_MAY_HOLD_SECRETS: Final = (*SECRETS, ("mongodb", "uri"))
SECRET_ENV: Final = frozenset(
    [name for name, where in KNOWN_ENV.items() if where in _MAY_HOLD_SECRETS]
    + [f"{ENV_PREFIX}{section}__{key}".upper() for section, key in _MAY_HOLD_SECRETS]
)
"""Environment variables that no program of the user's is handed down."""


def load(
    config: Path | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded:
    """Read and validate.

    `config` names the file; without it `config.toml` in the working directory is taken, then the one in the user's
    configuration directory, then none. `overrides` are the flags, by section. Relative paths in the file are meant
    relative to the file.

    Raises:
        SettingsError: see there.
    """
    path = _find(config)
    merged = _read(path) if path else {}
    _build(merged, f"{path}" if path else "defaults")  # so that a mistake is reported with the layer it is in
    env = _environment(environ)
    _merge(merged, env)
    settings = _build(merged, "the environment") if env else _build(merged, f"{path}")
    if overrides:
        _merge(merged, overrides)
        settings = _build(merged, "the command line")
    data_dir = Path(settings.pipeline.data_dir or platformdirs.user_data_dir(APP_NAME)).expanduser().absolute()
    log_dir = (path.parent.absolute() if path else data_dir) / Path(settings.logging.dir).expanduser()
    return Loaded(settings, path, data_dir, log_dir)


def _find(config: Path | None) -> Path | None:
    if config is not None:
        if not config.is_file():
            raise SettingsError(f"there is no configuration file {config}")
        return config
    candidates = (Path(CONFIG_NAME), Path(platformdirs.user_config_dir(APP_NAME)) / CONFIG_NAME)
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    readable_by_others = path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    found = [f"{s}.{k}" for s, k in SECRETS if isinstance(data.get(s), dict) and data[s].get(k)]
    mongodb = data.get("mongodb")
    if isinstance(mongodb, dict) and _password_of(str(mongodb.get("uri", ""))):
        found.append("the password in mongodb.uri")
    if found and readable_by_others:
        raise SettingsError(f"{path}: {found[0]} is a secret in a file others can read; run chmod 600 {path}")
    if isinstance(data.get("pipeline"), dict):
        _make_absolute(data["pipeline"], path.parent.absolute())
    return data


def _password_of(uri: str) -> str:
    """The password in a URI; "" where there is none."""
    _, at, _ = uri.rpartition("@")
    user = uri.rpartition("@")[0].partition("://")[2]
    return user.partition(":")[2] if at else ""


def _make_absolute(section: dict[str, Any], base: Path) -> None:
    """Paths in a file are meant relative to the file."""
    data_dir, source = section.get("data_dir"), section.get("source")
    if isinstance(data_dir, str) and data_dir:
        section["data_dir"] = str(base / Path(data_dir).expanduser())
    if isinstance(source, str) and source.startswith(REPLAY):
        section["source"] = REPLAY + str(base / Path(source.removeprefix(REPLAY)).expanduser())


def _environment(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """`FINTRENDS_<SECTION>__<KEY>`, and the names that users know from elsewhere."""
    layer: dict[str, dict[str, Any]] = {}
    sections = get_type_hints(Settings)
    for name, (section, key) in KNOWN_ENV.items():
        if environ.get(name) and section in sections:
            layer.setdefault(section, {})[key] = environ[name]
    for name, text in environ.items():
        section, separator, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        if name.startswith(ENV_PREFIX) and separator:
            has_keys = section in sections and section != "sources"  # there the keys are the user's
            hints = get_type_hints(sections[section]) if has_keys else {}
            layer.setdefault(section, {})[key] = _parse(text, hints.get(key))
    return layer


def _parse(text: str, type_: Any) -> Any:
    """The text as the setting's type wants it: lists by commas, numbers and booleans as TOML writes them."""
    if get_origin(type_) in (list, tuple):
        return [word.strip() for word in text.split(",") if word.strip()]
    if type_ is str:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(into: dict[str, Any], layer: Mapping[str, Mapping[str, Any]]) -> None:
    for section, values in layer.items():
        target = into.setdefault(section, {})
        if isinstance(target, dict):
            target.update(values)


def _build(data: Mapping[str, Any], where: str) -> Settings:
    try:
        return msgspec.convert(data, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {_explain(error)}") from error
    except UnicodeEncodeError as error:
        raise SettingsError(f"{where}: a value is no valid text in UTF-8") from error


def _explain(error: msgspec.ValidationError) -> str:
    """The library's message with the key in front, and what is allowed where a key is unknown."""
    what, _, at = str(error).partition(" - at `$")
    key = at.strip("`.").replace("[...]", "")
    if "unknown field" in what:
        section = get_type_hints(Settings).get(key, Settings)
        allowed = ", ".join(section.__struct_fields__)
        unknown = what.rpartition("`")[0].rpartition("`")[2]
        return f"unknown key {key + '.' if key else ''}{unknown}; allowed here: {allowed}"
    if "Invalid enum value" in what:
        what += f"; allowed: {', '.join(_choices(key))}"
    return f"{key}: {what}" if key else what


def _choices(key: str) -> list[str]:
    """What a setting with a closed set of words allows."""
    section, _, name = key.partition("[")[0].partition(".")
    pending = [get_type_hints(get_type_hints(Settings)[section], include_extras=True)[name]]
    words: list[str] = []
    while pending:
        type_ = pending.pop(0)
        if get_origin(type_) is Literal:
            words += [repr(word) for word in get_args(type_)]
        elif type_ is float or type_ is int:
            words.append("a number")
        elif get_origin(type_) is Annotated:
            pending.insert(0, get_args(type_)[0])
        else:
            pending = [arg for arg in get_args(type_) if arg is not Ellipsis] + pending
    return words
