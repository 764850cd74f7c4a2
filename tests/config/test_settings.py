import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from pipeline.config.settings import SECRET_ENV, SECRETS, Settings, SettingsError, load
from pipeline.engines import check_engines

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return write


def test_the_committed_file_states_every_default() -> None:
    committed = tomllib.loads((ROOT / "config.toml").read_text())
    assert committed == msgspec.json.decode(msgspec.json.encode(Settings()))


def test_flags_override_the_environment_which_overrides_the_file(config) -> None:
    path = config('[pipeline]\nseed = 1\nspeed = 2\nsource = "simulator"')
    environ = {"FINTRENDS_PIPELINE__SPEED": "3", "FINTRENDS_PIPELINE__SEED": "4"}
    settings = load(path, {"pipeline": {"seed": 5}}, environ).settings.pipeline
    assert (settings.source, settings.speed, settings.seed) == ("simulator", 3.0, 5)


def test_lists_in_the_environment_are_separated_by_commas(config) -> None:
    environ = {"FINTRENDS_PIPELINE__TICKERS": "aapl, BRK.B", "FINTRENDS_PIPELINE__ROLES": "sink"}
    settings = load(config(""), None, environ).settings.pipeline
    assert (settings.tickers, settings.roles) == (["AAPL", "BRK.B"], ("sink",))


def test_groups_and_keys_are_tables(config) -> None:
    settings = load(config('[screen.groups]\ntech = ["aapl", "MSFT"]\n[keys]\nadd = "n"'), None, {}).settings
    assert settings.screen.groups == {"tech": ["AAPL", "MSFT"]}
    assert settings.keys == {"add": "n"}


def test_names_known_from_elsewhere_are_honoured_and_are_secrets(config) -> None:
    loaded = load(config(""), None, {"ALPHA_VANTAGE_API_KEY": "K3Y"})
    assert loaded.settings.alpha_vantage.api_key == "K3Y"
    assert loaded.secrets == ["K3Y"]


def test_keys_of_streams_and_of_the_economy_are_secrets_under_the_names_of_their_providers(config) -> None:
    names = ("FINNHUB_API_KEY", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "FRED_API_KEY")
    loaded = load(config(""), None, {name: f"K3Y-{name}" for name in names})
    settings = loaded.settings
    values = (settings.finnhub.api_key, settings.alpaca.key_id, settings.alpaca.secret, settings.fred.api_key)
    assert values == tuple(f"K3Y-{name}" for name in names)
    assert sorted(loaded.secrets) == sorted(values)
    assert set(names) <= SECRET_ENV
    assert "K3Y" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[pipeline]\nspede = 1", ["config.toml", "pipeline.spede", "allowed here", "speed"]),
        ("[pipline]\nspeed = 1", ["unknown key pipline", "allowed here", "pipeline"]),
        ('[pipeline]\nspeed = "fast"', ["pipeline.speed", "a number", "'max'"]),
        ("[pipeline]\nspeed = -1", ["pipeline.speed", "> 0"]),
        ("[pipeline]\nquotes_per_second = 0", ["pipeline.quotes_per_second", "> 0"]),
        ('[pipeline]\nquotes_per_second = "none"', ["pipeline.quotes_per_second", "a number", "'all'"]),
        ("[pipeline]\ntickers = [3]", ["pipeline.tickers", "str", "int"]),
        ('[pipeline]\ntickers = ["NOT A TICKER!"]', ["pipeline", "not a ticker symbol"]),
        ('[pipeline]\nroles = ["cook"]', ["pipeline.roles", "'producer', 'processor', 'sink'"]),
        ("[pipeline]\nroles = []", ["roles", "at least one"]),
        ('[pipeline]\nsource = "crystal ball"', ["source", "replay:DIR"]),
        ('[indicators]\nexchange_timezone = "Mars/Base"', ["exchange_timezone", "America/New_York"]),
        ('[logging]\nlevel = "loud"', ["logging.level", "'debug', 'info', 'warning', 'error'"]),
        ('[screen]\ngroups = ["AAPL"]', ["screen.groups", "object"]),
        ('[screen.groups]\nall = ["AAPL"]', ["screen", "'all' is not a name for a group"]),
        ('[screen.groups]\n"my cars" = ["F"]', ["screen", "'my cars' is not a name for a group"]),
        ('[screen.groups]\ncars = ["NOT A TICKER!"]', ["screen", "not a ticker symbol"]),
        ("[screen]\nstale_after = -1", ["screen.stale_after", ">= 0"]),
        ('[screen]\ncharacters = "latin"', ["screen.characters", "'auto', 'unicode', 'ascii'"]),
        ("[keys]\nadd = 3", ["keys", "str"]),
        ("pipeline = 3", ["pipeline", "object"]),
        ("[pipeline", ["config.toml"]),
    ],
)
def test_a_mistake_is_named_with_its_key_its_file_and_what_is_allowed(config, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(config(text), None, {})
    for word in ["config.toml", *words]:
        assert word in str(caught.value)


def test_a_mistake_in_the_environment_is_reported_as_such(config) -> None:
    with pytest.raises(SettingsError, match=r"the environment: pipeline\.speed"):
        load(config(""), None, {"FINTRENDS_PIPELINE__SPEED": "x"})


def test_a_missing_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no configuration file"):
        load(tmp_path / "nowhere.toml", None, {})


def test_a_secret_in_a_file_that_others_can_read_is_refused(config) -> None:
    path = config('[alpha_vantage]\napi_key = "K3Y"')
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600") as caught:
        load(path, None, {})
    assert "K3Y" not in str(caught.value)
    path.chmod(0o600)
    assert load(path, None, {}).secrets == ["K3Y"]


def test_so_is_a_password_in_a_uri(config) -> None:
    path = config('[mongodb]\nuri = "mongodb://me:S3CR3T@host/db"')
    path.chmod(0o640)
    with pytest.raises(SettingsError, match=r"the password in mongodb\.uri.*chmod 600") as caught:
        load(path, None, {})
    assert "S3CR3T" not in str(caught.value)
    path.chmod(0o600)
    assert load(path, None, {}).secrets == ["S3CR3T"]
    assert load(config('[mongodb]\nuri = "mongodb://host/db"'), None, {}).secrets == []


def test_engines_are_named_as_elsewhere(config) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "one:9092,two:9092", "MONGODB_URI": "mongodb://me:S3CR3T@host/"}
    loaded = load(config(""), None, environ)
    assert loaded.settings.kafka.bootstrap_servers == "one:9092,two:9092"
    assert loaded.secrets == ["S3CR3T"]
    with pytest.raises(SettingsError, match="mongodb://") as caught:
        load(config(""), None, {"MONGODB_URI": "me:S3CR3T@host"})
    assert "S3CR3T" not in str(caught.value)


def test_paths_in_a_file_are_relative_to_it_and_flags_to_the_working_directory(config, tmp_path: Path) -> None:
    path = config('[pipeline]\ndata_dir = "data"\nsource = "replay:bars"\n[logging]\ndir = "here"')
    loaded = load(path, None, {})
    assert loaded.data_dir == tmp_path / "data"
    assert loaded.log_dir == tmp_path / "here"
    assert loaded.settings.pipeline.source == f"replay:{tmp_path / 'bars'}"
    assert load(path, {"pipeline": {"source": "replay:bars"}}, {}).settings.pipeline.source == "replay:bars"


def test_without_any_file_logs_go_to_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    loaded = load(None, {"pipeline": {"data_dir": str(tmp_path / "d")}}, {})
    assert loaded.path is None
    assert loaded.log_dir == tmp_path / "d" / "logs"


def test_the_logs_of_another_data_directory_than_the_configured_one_are_in_it(config, tmp_path: Path) -> None:
    path = config(f'[pipeline]\ndata_dir = "{tmp_path / "own"}"\n[logging]\ndir = "logs"')
    other = {"pipeline": {"data_dir": str(tmp_path / "other")}}
    assert load(path, None, {}).log_dir == tmp_path / "logs"
    assert load(path, other, {}).log_dir == tmp_path / "other" / "logs"
    named = {"FINTRENDS_LOGGING__DIR": str(tmp_path / "named")}
    assert load(path, other, named).log_dir == tmp_path / "named"


@pytest.mark.parametrize("value", ["1e300", "inf", "nan", "-1e300", "1" + "0" * 40])
@pytest.mark.parametrize(
    "key",
    [
        "pipeline.speed",
        "pipeline.quotes_per_second",
        "pipeline.stop_timeout",
        "bus.retention_days",
        "supervisor.backoff_initial",
        "supervisor.backoff_max",
        "supervisor.max_restarts",
        "supervisor.restart_window",
        "screen.refresh_per_second",
        "screen.stale_after",
        "logging.max_megabytes",
        "logging.backups",
        "alerts.hysteresis",
        "metrics.port",
        "kafka.partitions",
        "kafka.retention_ms",
        "kafka.retention_bytes",
        "alpha_vantage.requests_per_day",
        "alpha_vantage.requests_per_minute",
        "schedule.stock",
        "schedule.news",
        "schedule.economy",
        "schedule.social",
    ],
)
def test_a_number_that_nothing_could_count_with_is_refused(key: str, value: str) -> None:
    section, name = key.split(".")
    with pytest.raises(SettingsError, match=re.escape(key)):
        load(environ={f"FINTRENDS_{section}__{name}".upper(): value})


PATHS = (
    ("pipeline", "data_dir"),
    ("logging", "dir"),
    ("kafka", "ssl_cafile"),
    ("kafka", "ssl_certfile"),
    ("kafka", "ssl_keyfile"),
    ("positions", "file"),
)


@pytest.mark.parametrize(("section", "key"), PATHS)
def test_every_path_is_relative_to_the_file_that_names_it(
    config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, key: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir("/")
    for given, expected in (("a/b.pem", str(tmp_path / "a/b.pem")), ("~/b.pem", "/home/me/b.pem"), ("/b", "/b")):
        settings = load(config(f'[{section}]\n{key} = "{given}"'), None, {}).settings
        assert getattr(getattr(settings, section), key) == expected
        from_environment = load(config(""), None, {f"FINTRENDS_{section}__{key}".upper(): given}).settings
        assert getattr(getattr(from_environment, section), key) == expected.replace(str(tmp_path), "")


def test_paths_within_other_settings_are_too(config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    path = config(
        '[alerts]\ncommand = ["./tell.sh", "./as it is"]\n'
        '[mongodb]\nuri = "mongodb://h/?tls=true&tlsCAFile=a b/ca.pem&tlsCertificateKeyFile=%7E/me.pem"'
    )
    settings = load(path, None, {}).settings
    assert settings.alerts.command == [str(tmp_path / "tell.sh"), "./as it is"]
    assert settings.mongodb.uri.endswith(f"tlsCAFile={tmp_path}/a%20b/ca.pem&tlsCertificateKeyFile=/home/me/me.pem")
    assert load(config('[alerts]\ncommand = ["notify-send"]'), None, {}).settings.alerts.command == ["notify-send"]


def test_a_home_that_there_is_not_is_named(config) -> None:
    with pytest.raises(SettingsError, match=r"config\.toml: kafka\.ssl_cafile: '~nobody-of-that-name/ca\.pem'"):
        load(config('[kafka]\nssl_cafile = "~nobody-of-that-name/ca.pem"'), None, {})


def test_no_setting_named_like_a_path_is_left_out() -> None:
    named = {
        (section, key)
        for section, type_ in get_type_hints(Settings).items()
        for key in getattr(type_, "__struct_fields__", ())
        if key.endswith(("dir", "file", "path"))
    }
    assert named == set(PATHS)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_marks_and_line_ends_of_other_systems_change_nothing(config, bom: bytes, end: bytes) -> None:
    path = config("")
    path.write_bytes(bom + end.join([b"# \xc3\xa9", b"[pipeline]", b"seed = 5", b""]))
    assert load(path, None, {}).settings.pipeline.seed == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("seed = 1".encode("utf-16"), "UTF-16; save it as UTF-8"),
        ("seed = 1".encode("utf-32"), "UTF-32; save it as UTF-8"),
        ("[pipeline]".encode("utf-16-le"), "NUL characters, as a file in UTF-16"),
        (b"\n# caf\xe9", "line 2, is not text in UTF-8"),
        (b"x = " + b"[" * 5000, "config.toml: "),
        (b"x = " + b"9" * 5000, "config.toml: "),
    ],
)
def test_a_file_that_is_no_utf8_or_no_toml_is_told_so(config, content: bytes, words: str) -> None:
    path = config("")
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=words):
        load(path, None, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[kafka]\nbootstrap_servers = "127.0.0.1:99999"', r"config\.toml: kafka\.bootstrap_servers: .*65535"),
        ('[kafka]\nbootstrap_servers = "kafka://a:1"', r"kafka\.bootstrap_servers: .*no kafka://"),
        ('[mongodb]\nuri = "mongodb://h:0/"', r"mongodb\.uri: .*65535"),
        ('[metrics]\nhost = "a b"', r"metrics\.host: 'a b' is not a host"),
        ('[alpha_vantage]\nbase_url = "http://a:x"', r"alpha_vantage\.base_url: .*not a port"),
        ('[reddit]\nuser_agent = "é"', r"reddit\.user_agent"),
        ("[logging]\nmax_megabytes = inf", r"logging\.max_megabytes"),
        ("[pipeline]\nspeed = nan", r"pipeline\.speed"),
        ("[pipeline]\nspeed = inf", r"pipeline\.speed"),
        ("[bus]\nretention_days = 1e300", r"bus\.retention_days"),
        ("[schedule]\nstock = 1e300", r"schedule\.stock"),
        ('[pipeline]\ndata_dir = "a\\u0000b"', r"pipeline\.data_dir: .*control character"),
        ('[alpha_vantage]\napi_key = "K3Y\\n"', r"control character"),
        ('[alerts]\ncommand = [""]', "must begin with a program"),
    ],
)
def test_values_that_would_fail_later_are_refused_with_their_key(config, text: str, words: str) -> None:
    path = config(text)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=words) as caught:
        load(path, None, {})
    assert "K3Y" not in str(caught.value)


def test_without_a_home_it_says_where_to_put_data(config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"no home directory; .*--data-dir"):
        load(None, None, {})
    assert load(None, {"pipeline": {"data_dir": str(tmp_path / "d")}}, {}).data_dir == tmp_path / "d"


def test_in_a_working_directory_that_is_gone_whole_paths_still_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load(None, {"pipeline": {"data_dir": str(tmp_path)}}, {}).data_dir == tmp_path
    with pytest.raises(SettingsError, match="the working directory no longer exists"):
        load(None, {"pipeline": {"data_dir": "data"}}, {})
    with pytest.raises(
        SettingsError, match=r"the environment: logging\.dir: 'l': the working directory no longer exists"
    ):
        load(None, {"pipeline": {"data_dir": str(tmp_path)}}, {"FINTRENDS_LOGGING__DIR": "l"})


def test_beside_a_configuration_that_nothing_can_be_written_to_logs_go_to_the_data_directory(
    config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(f'[pipeline]\ndata_dir = "{tmp_path / "data"}"')
    assert load(path, None, {}).log_dir == tmp_path / "logs"
    monkeypatch.setattr(os, "access", lambda place, mode: not str(place).startswith(str(tmp_path)))
    assert load(path, None, {}).log_dir == tmp_path / "data" / "logs"
    assert load(path, None, {"FINTRENDS_LOGGING__DIR": "/elsewhere"}).log_dir == Path("/elsewhere")


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca` and `other`, each a certificate (.pem) and its key (.key); `locked.key`, with a passphrase; `text.pem`."""
    folder = tmp_path_factory.mktemp("pems")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", f"/CN={name}")
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl("pkey", "-in", "ca.key", "-aes256", "-passout", "pass:x", "-out", "locked.key")
    (folder / "text.pem").write_text("no certificate\n")
    return folder


def kafka_over_tls(pems: Path, **files: str) -> Settings:
    environ = {f"FINTRENDS_KAFKA__{key.upper()}": str(pems / name) for key, name in files.items()}
    environ |= {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "FINTRENDS_KAFKA__SECURITY_PROTOCOL": "SSL"}
    return load(Path(os.devnull), {"pipeline": {"data_dir": str(pems)}}, environ).settings


def test_tls_files_that_fit_are_taken(pems: Path) -> None:
    check_engines(kafka_over_tls(pems, ssl_cafile="ca.pem"))
    check_engines(kafka_over_tls(pems, ssl_cafile="ca.pem", ssl_certfile="ca.pem", ssl_keyfile="ca.key"))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"ssl_cafile": "gone.pem"}, r"kafka\.ssl_cafile .*/gone\.pem cannot be read: No such file"),
        ({"ssl_cafile": "."}, r"kafka\.ssl_cafile .* cannot be read: Is a directory"),
        ({"ssl_cafile": "text.pem"}, r"kafka\.ssl_cafile .*/text\.pem holds no certificate"),
        ({"ssl_cafile": "ca.key"}, r"kafka\.ssl_cafile .*/ca\.key holds no certificate"),
        ({"ssl_certfile": "text.pem", "ssl_keyfile": "ca.key"}, r"kafka\.ssl_certfile .* holds no certificate"),
        ({"ssl_certfile": "ca.pem", "ssl_keyfile": "gone.key"}, r"kafka\.ssl_keyfile .*/gone\.key cannot be read"),
        ({"ssl_certfile": "ca.pem", "ssl_keyfile": "other.key"}, r"ssl_keyfile .*/other\.key is not the key of"),
        ({"ssl_certfile": "ca.pem", "ssl_keyfile": "text.pem"}, r"ssl_keyfile .*/text\.pem holds no private key"),
        ({"ssl_certfile": "ca.pem"}, r"ssl_certfile .*/ca\.pem holds no private key"),
        ({"ssl_certfile": "ca.pem", "ssl_keyfile": "locked.key"}, r"ssl_keyfile .*/locked\.key: the key is encrypted"),
        ({"ssl_keyfile": "ca.key"}, r"kafka\.ssl_keyfile is set without kafka\.ssl_certfile"),
    ],
)
def test_tls_files_that_do_not_are_named_with_key_and_path(pems: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        check_engines(kafka_over_tls(pems, **files))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("mongodb://h/?tlsCAFile={}/gone.pem", r"mongodb\.uri: tlsCAFile .*/gone\.pem cannot be read"),
        ("mongodb://h/?tls=true&tlsCAFile={}/text.pem", r"mongodb\.uri: tlsCAFile .* holds no certificate"),
        ("mongodb://h/?tlsCertificateKeyFile={}/ca.pem", r"tlsCertificateKeyFile .* holds no private key"),
        ("mongodb://h/?tls=maybe", "tls must be 'true' or 'false'"),
        ("mongodb://h/?tlss=true", "Unknown option"),
        ("mongodb://a,b/?directConnection=true", "multiple hosts"),
    ],
)
def test_a_uri_that_the_driver_would_refuse_or_half_heed_is_refused_before(pems: Path, uri: str, words: str) -> None:
    settings = load(Path(os.devnull), None, {"MONGODB_URI": uri.format(pems)}).settings
    with pytest.raises(SettingsError, match=words):
        check_engines(settings)


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_a_login_without_a_name_or_a_password_is_refused(protocol: str) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "a:1", "FINTRENDS_KAFKA__SECURITY_PROTOCOL": protocol}
    with pytest.raises(SettingsError, match=r"kafka\.sasl_username is not set"):
        check_engines(load(Path(os.devnull), None, environ).settings)
    environ["FINTRENDS_KAFKA__SASL_USERNAME"] = "me"
    with pytest.raises(SettingsError, match="FINTRENDS_KAFKA__SASL_PASSWORD"):
        check_engines(load(Path(os.devnull), None, environ).settings)


@pytest.mark.parametrize(("section", "key"), [*SECRETS, ("mongodb", "uri")])
def test_settings_show_no_secret_in_logs_and_tracebacks(section: str, key: str) -> None:
    value = "mongodb://me:S3CR3T@host/" if key == "uri" else "S3CR3T"
    loaded = load(Path(os.devnull), None, {f"FINTRENDS_{section}__{key}".upper(): value})
    assert getattr(getattr(loaded.settings, section), key) == value
    assert "S3CR3T" not in repr(loaded)
    assert f"{key}=***" in repr(loaded)


def test_positions_are_in_the_users_directory_unless_a_setting_names_their_file(
    config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    usual = load(config(""), None, {}).positions
    assert usual is not None
    assert usual.name == "positions.toml"
    assert tmp_path in usual.parents
    assert load(config('[positions]\nfile = "lots.toml"'), None, {}).positions == tmp_path / "lots.toml"


@pytest.mark.parametrize(("code", "kept"), [("eur", "EUR"), ("USD", "USD")])
def test_the_account_has_a_currency(config, code: str, kept: str) -> None:
    assert load(config(f'[positions]\ncurrency = "{code}"'), None, {}).settings.positions.currency == kept


@pytest.mark.parametrize(
    ("code", "why"),
    [("GBp", "is a part of GBP; write GBP"), ("dollars", "is not a currency"), ("", "is not a currency")],
)
def test_it_is_a_whole_one(config, code: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load(config(f'[positions]\ncurrency = "{code}"'), None, {})
