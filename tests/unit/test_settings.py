import tomllib
from pathlib import Path

import msgspec
import pytest

from pipeline.settings import Settings, SettingsError, load

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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[pipeline]\nspede = 1", ["config.toml", "pipeline.spede", "allowed here", "speed"]),
        ("[pipline]\nspeed = 1", ["unknown key pipline", "allowed here", "pipeline"]),
        ('[pipeline]\nspeed = "fast"', ["pipeline.speed", "a number", "'max'"]),
        ("[pipeline]\nspeed = -1", ["pipeline.speed", "> 0"]),
        ("[pipeline]\ntickers = [3]", ["pipeline.tickers", "str", "int"]),
        ('[pipeline]\ntickers = ["NOT A TICKER!"]', ["pipeline", "not a ticker symbol"]),
        ('[pipeline]\nroles = ["cook"]', ["pipeline.roles", "'producer', 'processor', 'sink'"]),
        ("[pipeline]\nroles = []", ["roles", "at least one"]),
        ('[pipeline]\nsource = "crystal ball"', ["source", "replay:DIR"]),
        ('[indicators]\nexchange_timezone = "Mars/Base"', ["exchange_timezone", "America/New_York"]),
        ('[logging]\nlevel = "loud"', ["logging.level", "'debug', 'info', 'warning', 'error'"]),
        ('[screen]\ngroups = ["AAPL"]', ["screen.groups", "object"]),
        ('[screen.groups]\nall = ["AAPL"]', ["screen", "'all' is no name for a group"]),
        ('[screen.groups]\n"my cars" = ["F"]', ["screen", "'my cars' is no name for a group"]),
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
