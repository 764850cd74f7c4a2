"""Settings: defaults, then `config.toml`, then the environment, then flags; validated as a whole.

Imports nothing heavy: the screen reads settings before its first paint.
"""

import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
import platformdirs
from msgspec import Meta, Struct

from pipeline.config import file as settings_file
from pipeline.config import marks as settings_marks
from pipeline.config.file import SettingsError as SettingsError  # which all others take from here
from pipeline.config.marks import BaseUrl, Bootstrap, FilePath, Host, MongoUri, Program, SourceName, masked
from pipeline.config.sources import (
    AlpacaSettings,
    CoinbaseSettings,
    EdgarSettings,
    FinnhubSettings,
    FredSettings,
    KrakenSettings,
    RedditSettings,
    RoutesSettings,
    StockTwitsSettings,
    YahooNewsSettings,
    YahooSettings,
    check_sources,
)
from pipeline.model.alert_rules import parse_rule
from pipeline.model.currencies import check_currency, minor_unit
from pipeline.model.namespace import check_namespace
from pipeline.model.tickers import parse_tickers

Role = Literal["producer", "processor", "sink"]
LogLevel = Literal["debug", "info", "warning", "error"]
Speed = Annotated[float, Meta(gt=0, le=1_000_000)] | Literal["max"]
QuoteRate = Annotated[float, Meta(gt=0, le=1000)] | Literal["all"]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
"""At most a year, so that each can be added to a date; no number is infinite."""

_GREATEST: Final = (1 << 63) - 1
"""That Kafka takes."""
_LOGS: Final = "logs"
POSITIONS_NAME: Final = "positions.toml"
_GROUP_NAME: Final = re.compile(r"[\w-]{1,16}")
ENV_PREFIX: Final = "FINTRENDS_"
KNOWN_ENV: Final[dict[str, tuple[str, str]]] = {
    "APCA_API_KEY_ID": ("alpaca", "key_id"),
    "APCA_API_SECRET_KEY": ("alpaca", "secret"),
    "ALPHA_VANTAGE_API_KEY": ("alpha_vantage", "api_key"),
    "FINNHUB_API_KEY": ("finnhub", "api_key"),
    "FRED_API_KEY": ("fred", "api_key"),
    "KAFKA_BOOTSTRAP_SERVERS": ("kafka", "bootstrap_servers"),
    "MONGODB_URI": ("mongodb", "uri"),
    "REDDIT_CLIENT_ID": ("reddit", "client_id"),
    "REDDIT_CLIENT_SECRET": ("reddit", "client_secret"),
}
CONFIG_ENV: Final = "FINTRENDS_CONFIG"
"""Names the configuration file, as --config does."""


class _Section(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    __repr__ = masked


class PipelineSettings(_Section, frozen=True):
    tickers: list[str] = []
    source: SourceName = "auto"
    speed: Speed = 1.0
    seed: int = 7
    roles: tuple[Role, ...] = ("producer", "processor", "sink")
    data_dir: FilePath = ""
    namespace: str = ""
    quotes_per_second: QuoteRate = 1.0
    stop_timeout: Annotated[float, Meta(gt=0, le=600)] = 20.0

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "tickers", parse_tickers(self.tickers))
        if not self.roles:
            raise ValueError("roles must name at least one of producer, processor, sink")
        check_namespace(self.namespace)

    @property
    def pace(self) -> float | None:
        """Times real time; None is as fast as possible."""
        return None if self.speed == "max" else self.speed

    @property
    def quote_rate(self) -> float:
        """Quotes of each ticker a second; infinite for all."""
        return math.inf if self.quotes_per_second == "all" else self.quotes_per_second


class BusSettings(_Section, frozen=True):
    retention_days: Annotated[float, Meta(gt=0, le=36_500)] = 7.0


class IndicatorSettings(_Section, frozen=True):
    exchange_timezone: str = "America/New_York"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.exchange_timezone)
        except (OSError, ValueError, KeyError):
            raise ValueError(
                f"exchange_timezone {self.exchange_timezone!r} is not a time zone; use a name such as America/New_York"
            ) from None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.exchange_timezone)


class ForecastSettings(_Section, frozen=True):
    enabled: bool = True


class SupervisorSettings(_Section, frozen=True):
    """Seconds, except for the count."""

    backoff_initial: Seconds = 0.5
    backoff_max: Seconds = 30.0
    max_restarts: Annotated[int, Meta(ge=0, le=1_000_000)] = 10
    restart_window: Seconds = 300.0


class ScreenSettings(_Section, frozen=True):
    """`stale_after` is in seconds, 0 for never; `groups` are names for parts of the watchlist."""

    refresh_per_second: Annotated[float, Meta(gt=0, le=4)] = 4.0
    theme: str = ""
    characters: Literal["auto", "unicode", "ascii"] = "auto"
    flash: bool = True
    bell: bool = True
    stale_after: Annotated[float, Meta(ge=0, le=31_536_000)] = 300.0
    extended_hours: bool = True
    indices: list[str] = msgspec.field(default_factory=lambda: ["^GSPC", "^IXIC", "^VIX", "^TNX", "BTC-USD"])
    groups: dict[str, list[str]] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "indices", parse_tickers(self.indices))
        for name in self.groups:
            check_group_name(name)
        groups = {name: parse_tickers(tickers) for name, tickers in self.groups.items()}
        msgspec.structs.force_setattr(self, "groups", groups)


def check_group_name(name: str) -> None:
    """Raise ValueError, with what is allowed, for a name that a group of tickers cannot have."""
    if not _GROUP_NAME.fullmatch(name) or name == "all":
        raise ValueError(
            f"groups: {name!r} is not a name for a group; use letters, digits, - and _, at most 16, other than 'all'"
        )


class LogSettings(_Section, frozen=True):
    level: LogLevel = "info"
    format: Literal["text", "json"] = "text"
    dir: FilePath = _LOGS
    max_megabytes: Annotated[float, Meta(gt=0, le=1_000_000)] = 10.0
    backups: Annotated[int, Meta(ge=0, le=100)] = 5


class AlertSettings(_Section, frozen=True):
    """Rules as `pipeline.model.alert_rules` reads them; `hysteresis` in percent of the threshold.

    `command` is run without a shell.
    """

    rules: list[str] = []
    hysteresis: Annotated[float, Meta(ge=0, le=100)] = 0.5
    command: Program = []

    def __post_init__(self) -> None:
        if self.command and not self.command[0].strip():
            raise ValueError('command must begin with a program, such as ["notify-send", "fintrends-tui"]')
        for rule in self.rules:
            parse_rule(rule)


class PositionSettings(_Section, frozen=True):
    """Where the user's lots are; `currency` is that of the account."""

    file: FilePath = ""
    currency: str = "USD"

    def __post_init__(self) -> None:
        currency = check_currency(self.currency)
        if (minor := minor_unit(currency)) is not None:
            raise ValueError(f"currency {currency} is a part of {minor.major}; write {minor.major}")
        msgspec.structs.force_setattr(self, "currency", currency)


class MetricsSettings(_Section, frozen=True):
    """For Prometheus; port 0 serves none."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0


class KafkaSettings(_Section, frozen=True):
    """Used once `bootstrap_servers` is set. Retention: see `pipeline.bus.kafka.options`."""

    bootstrap_servers: Bootstrap = ""
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 1
    replication: Annotated[int, Meta(ge=1, le=9)] = 1
    request_timeout: Annotated[float, Meta(ge=1, le=300)] = 15.0
    session_timeout: Annotated[float, Meta(ge=1, le=1800)] = 10.0
    retention_ms: Annotated[int, Meta(ge=-1, le=_GREATEST)] = -1
    retention_bytes: Annotated[int, Meta(ge=-1, le=_GREATEST)] = -1
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: FilePath = ""
    ssl_certfile: FilePath = ""
    ssl_keyfile: FilePath = ""


class MongoSettings(_Section, frozen=True):
    """Used once `uri` is set."""

    uri: MongoUri = ""
    request_timeout: Annotated[float, Meta(ge=1, le=300)] = 10.0


class AlphaVantageSettings(_Section, frozen=True):
    """`requests_per_day` is of the free plan, `requests_per_minute` of a premium one."""

    api_key: str = ""
    plan: Literal["free", "premium"] = "free"
    requests_per_day: Annotated[int, Meta(ge=1, le=1_000_000)] = 25
    requests_per_minute: Annotated[int, Meta(ge=1, le=1_000_000)] = 75
    base_url: BaseUrl = "https://www.alphavantage.co"


class ScheduleSettings(_Section, frozen=True):
    """Seconds from one answer to the next question for the same."""

    stock: Annotated[float, Meta(ge=1, le=31_536_000)] = 60.0
    news: Annotated[float, Meta(ge=10, le=31_536_000)] = 1200.0
    economy: Annotated[float, Meta(ge=60, le=31_536_000)] = 14400.0
    social: Annotated[float, Meta(ge=10, le=31_536_000)] = 600.0


class Settings(_Section, frozen=True):
    """Everything that can be set. `keys` gives commands of the screen, which alone knows them, other keys."""

    pipeline: PipelineSettings = PipelineSettings()
    bus: BusSettings = BusSettings()
    indicators: IndicatorSettings = IndicatorSettings()
    forecasts: ForecastSettings = ForecastSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    screen: ScreenSettings = ScreenSettings()
    logging: LogSettings = LogSettings()
    alerts: AlertSettings = AlertSettings()
    positions: PositionSettings = PositionSettings()
    metrics: MetricsSettings = MetricsSettings()
    kafka: KafkaSettings = KafkaSettings()
    mongodb: MongoSettings = MongoSettings()
    alpha_vantage: AlphaVantageSettings = AlphaVantageSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    coinbase: CoinbaseSettings = CoinbaseSettings()
    kraken: KrakenSettings = KrakenSettings()
    stocktwits: StockTwitsSettings = StockTwitsSettings()
    reddit: RedditSettings = RedditSettings()
    routes: RoutesSettings = RoutesSettings()
    yahoo: YahooSettings = YahooSettings()
    yahoo_news: YahooNewsSettings = YahooNewsSettings()
    edgar: EdgarSettings = EdgarSettings()
    fred: FredSettings = FredSettings()
    finnhub: FinnhubSettings = FinnhubSettings()
    alpaca: AlpacaSettings = AlpacaSettings()
    sources: dict[str, str] = {}
    keys: dict[str, str] = {}

    def __post_init__(self) -> None:
        check_sources(self.pipeline.source, self.sources, self.routes)


class Loaded(Struct, frozen=True):
    """Validated settings and the paths that follow from where they were found.

    `namespace` is that which a command is to look into, where it was named; it may be one of simulated data.
    """

    settings: Settings
    path: Path | None
    data_dir: Path
    log_dir: Path
    namespace: str | None = None

    @property
    def positions(self) -> Path | None:
        """The file of positions, whether there is one or not; None where there is no place for it."""
        if self.settings.positions.file:
            return Path(self.settings.positions.file)
        users = settings_file.user_directory(platformdirs.user_config_dir)
        return users / POSITIONS_NAME if users else None

    @property
    def secrets(self) -> list[str]:
        """The secret values that are set; what must never be written anywhere."""
        values = [str(getattr(getattr(self.settings, section), key)) for section, key in SECRETS]
        return [value for value in (*values, _password_of(self.settings.mongodb.uri)) if value]


SECRETS: Final = (
    ("alpaca", "key_id"),
    ("alpaca", "secret"),
    ("alpha_vantage", "api_key"),
    ("finnhub", "api_key"),
    ("fred", "api_key"),
    ("kafka", "sasl_password"),
    ("reddit", "client_id"),
    ("reddit", "client_secret"),
)
"""A MongoDB URI is not a secret as such, for it may hold none; one that does is caught by `_password_of`."""
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

    `config` names the file, else FINTRENDS_CONFIG; without either `config.toml` in the working directory is taken, then
    the one in the user's configuration directory, then none. `overrides` are the flags, by section. Relative paths in
    the file are meant relative to the file, others to the working directory.

    Raises:
        SettingsError: see there.
    """
    if config is None and environ.get(CONFIG_ENV):
        config = Path(environ[CONFIG_ENV])
    path = settings_file.find(config)
    origin = str(path) if path else "defaults"
    merged = _of_file(path) if path else {}
    settings = _build(merged, origin)  # so that a mistake is reported with the layer it is in
    configured = settings.pipeline.data_dir
    flags = {section: dict(values) for section, values in (overrides or {}).items()}
    for layer, where, base in (
        (_environment(environ), "the environment", Path.cwd),
        (flags, "the command line", Path),  # which leaves a path as it was typed
    ):
        if layer:
            _place(layer, base, where)
            _merge(merged, layer)
            settings = _build(merged, where)
    data_dir = _data_dir(settings)
    log_dir = _log_dir(settings, path, data_dir, is_own=settings.pipeline.data_dir == configured)
    return Loaded(settings, path, data_dir, log_dir)


def _of_file(path: Path) -> dict[str, Any]:
    data, readable_by_others = settings_file.read(path)
    found = [f"{s}.{k}" for s, k in SECRETS if isinstance(data.get(s), dict) and data[s].get(k)]
    mongodb = data.get("mongodb")
    if isinstance(mongodb, dict) and _password_of(str(mongodb.get("uri", ""))):
        found.append("the password in mongodb.uri")
    if found and readable_by_others:
        raise SettingsError(f"{path}: {found[0]} is a secret in a file others can read; run chmod 600 {path}")
    _place(data, lambda: path.parent.absolute(), str(path))
    return data


def _place(layer: Mapping[str, Any], base: settings_marks.Base, where: str) -> None:
    try:
        settings_marks.place(layer, Settings, base)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error


def _data_dir(settings: Settings) -> Path:
    """What is configured, else the user's."""
    if settings.pipeline.data_dir:
        try:
            return Path(settings.pipeline.data_dir).absolute()
        except OSError:
            raise SettingsError("the working directory no longer exists; give --data-dir an absolute path") from None
    path = settings_file.user_directory(platformdirs.user_data_dir)
    if path is None:
        raise SettingsError("this user has no home directory; set the data directory with --data-dir DIR")
    return path


def _log_dir(settings: Settings, path: Path | None, data_dir: Path, *, is_own: bool) -> Path:
    """`logs` beside the configuration, or in the data directory where there is none, where nothing can be written
    beside it, or where the data directory is not its own: no two pipelines write to one file."""
    base = path.parent.absolute() if path else data_dir
    place = base / _LOGS
    if settings.logging.dir not in (_LOGS, str(place)):
        return base / settings.logging.dir
    writable = os.access(place if place.exists() else base, os.W_OK | os.X_OK)
    return place if is_own and (writable or not path) else data_dir / _LOGS


def _password_of(uri: str) -> str:
    """The password in a URI; "" where there is none."""
    _, at, _ = uri.rpartition("@")
    user = uri.rpartition("@")[0].partition("://")[2]
    return user.partition(":")[2] if at else ""


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
            type_ = sections.get(section)
            has_keys = isinstance(type_, type) and issubclass(type_, Struct)  # elsewhere the keys are the user's
            hints = get_type_hints(type_) if has_keys else {}
            layer.setdefault(section, {})[key] = _parse(text, hints.get(key))
    return layer


def _parse(text: str, type_: Any) -> Any:
    """The text as the setting's type wants it: lists by commas, numbers and booleans as TOML writes them."""
    if get_origin(type_) in (list, tuple):
        return [word.strip() for word in text.split(",") if word.strip()]
    if type_ is str:
        return text
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return values["value"] if len(values) == 1 else text


def _merge(into: dict[str, Any], layer: Mapping[str, Mapping[str, Any]]) -> None:
    for section, values in layer.items():
        target = into.setdefault(section, {})
        if isinstance(target, dict):
            target.update(values)


def _build(data: Mapping[str, Any], where: str) -> Settings:
    try:
        settings = msgspec.convert(data, Settings)
        settings_marks.check(settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {_explain(error)}") from error
    except UnicodeEncodeError as error:
        raise SettingsError(f"{where}: a value is not valid UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: {error}") from error
    return settings


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
