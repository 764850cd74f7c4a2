"""The container files: what they say is checked against the Compose schema and the program. `tests/containers` runs
them, once a day."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from fintrends_tui.cli import app as screen_cli
from pipeline.__main__ import app as pipeline_cli
from pipeline.config.cli_options import RUN_DEFAULTS, RunFlags
from pipeline.config.settings import ENV_PREFIX, KNOWN_ENV, Loaded, Role, load

ROOT = Path(__file__).parents[2]
SINGLE, CLUSTER = "docker-compose.yml", "docker-compose.cluster.yml"
RAW = {name: YAML(typ="safe").load((ROOT / name).read_text("utf-8")) for name in (SINGLE, CLUSTER)}
REQUIRED = {
    SINGLE: {"MONGO_PASSWORD", "MONGO_EXPRESS_PASSWORD"},
    CLUSTER: {"MONGO_PASSWORD", "MONGO_REPLICA_KEY"},
}
FINANCIAL = [(name, service) for name in RAW for service in RAW[name]["services"] if service.startswith("financial-")]
SERVICES = [(name, service) for name in RAW for service in RAW[name]["services"]]

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<operand>[^}]*))?\})")


class MissingVariableError(Exception):
    pass


def interpolate(value: Any, environ: Mapping[str, str]) -> Any:
    """The document as Compose reads it: `$$`, `${NAME}`, `${NAME:-default}` and `${NAME:?message}` replaced."""
    if isinstance(value, dict):
        return {key: interpolate(item, environ) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, environ) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        if environ.get(match["name"]):
            return environ[match["name"]]
        if match["operator"] == ":?":
            raise MissingVariableError(f"{match['name']}: {match['operand']}")
        return match["operand"] or ""

    return _VARIABLE.sub(replace, value)


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled_in(name: str) -> dict[str, str]:
    """The example's variables, with a secret for every one that is required."""
    return {**example(), **{variable: f"{variable}-s3cret" for variable in REQUIRED[name]}}


def services(name: str) -> dict[str, Any]:
    return interpolate(RAW[name], filled_in(name))["services"]


def dockerfile(instruction: str) -> list[str]:
    """The arguments of every such instruction, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in text.splitlines() if line.startswith(f"{instruction} ")]


def image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for word in dockerfile("ENV")[-1].split())


def mounts(service: Mapping[str, Any]) -> list[list[str]]:
    return [volume.split(":") for volume in service.get("volumes", ())]


def strings(value: Any) -> Iterator[str]:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(item)
    if isinstance(value, str):
        yield value


def each(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "service"), pairs, ids=lambda text: text.removeprefix("docker-"))


def test_they_are_compose_files() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", SINGLE, CLUSTER]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_stack_of_the_guide_is_complete_and_its_ports_are_this_machines_alone() -> None:
    published = {service: definition.get("ports", []) for service, definition in services(SINGLE).items()}
    assert published == {
        "zookeeper": ["127.0.0.1:2181:2181"],
        "kafka": ["127.0.0.1:9092:9092"],
        "kafka-ui": ["127.0.0.1:8080:8080"],
        "mongodb": ["127.0.0.1:27017:27017"],
        "mongo-express": ["127.0.0.1:8081:8081"],
        "financial-streaming": [],
        "financial-loader": [],
        "connect": [],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_the_cluster_publishes_nothing() -> None:
    assert not any("ports" in definition or "network_mode" in definition for definition in services(CLUSTER).values())


@each(*SERVICES)
class TestEveryService:
    def test_its_image_is_built_here_or_pinned(self, name: str, service: str) -> None:
        definition = services(name)[service]
        if "build" in definition:
            assert definition["image"] == "fintrends-tui:local"
        else:
            assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-[\w.]+)?", definition["image"])

    def test_it_runs_until_stopped_with_a_health_check_or_once_without(self, name: str, service: str) -> None:
        definition = services(name)[service]
        policy = definition["restart"]
        assert policy == ("unless-stopped" if "healthcheck" in definition else "no")

    def test_it_waits_for_what_can_come_true(self, name: str, service: str) -> None:
        every = services(name)
        for target, dependency in every[service].get("depends_on", {}).items():
            if dependency["condition"] == "service_completed_successfully":
                assert every[target]["restart"] == "no"
            else:
                assert dependency["condition"] == "service_healthy"
                assert "healthcheck" in every[target]

    def test_its_secrets_are_not_in_the_file(self, name: str, service: str) -> None:
        environment = RAW[name]["services"][service].get("environment", {})
        secret = [key for key in environment if re.search(r"PASSWORD|SECRET|_KEY$", key)]
        assert all(_VARIABLE.fullmatch(environment[key]) for key in secret)
        uris = [text for text in strings(RAW[name]["services"][service]) if "mongodb://" in text]
        assert all("}:${MONGO_PASSWORD:?" in uri for uri in uris)

    def test_its_named_volumes_are_declared(self, name: str, service: str) -> None:
        sources = {source for source, *_ in mounts(services(name)[service])}
        assert {s for s in sources if not s.startswith(".")} <= set(RAW[name]["volumes"])
        assert all((ROOT / s).exists() for s in sources if s.startswith("."))


@pytest.mark.parametrize("name", RAW)
class TestVariables:
    def test_a_secret_that_is_not_set_is_asked_for_by_name(self, name: str) -> None:
        for variable in REQUIRED[name]:
            environ = {**filled_in(name), variable: ""}
            with pytest.raises(MissingVariableError, match=rf"{variable}: set it in \.env, see \.env\.example"):
                interpolate(RAW[name], environ)

    def test_the_example_has_every_variable_and_no_secret(self, name: str) -> None:
        used = {match["name"] for text in strings(RAW[name]) for match in _VARIABLE.finditer(text)} - {None}
        assert used <= set(example())
        assert {variable for variable in REQUIRED[name] if example()[variable]} == set()


def test_every_variable_of_the_example_is_used() -> None:
    everywhere = "".join((ROOT / name).read_text("utf-8") for name in RAW)
    assert all(f"${{{variable}:" in everywhere for variable in example())


def addresses(text: str) -> dict[str, tuple[str, str]]:
    """Host and port by the name of the listener, of `NAME://HOST:PORT,…`."""
    found = re.findall(r"(\w+)://([^:,]*):(\d+)", text)
    assert len(found) == text.count("://")
    return {listener: (host, port) for listener, host, port in found}


@each(*[(name, service) for name, service in SERVICES if re.fullmatch(r"kafka(-\d)?", service)])
class TestListeners:
    def test_each_is_advertised_under_an_address_that_leads_to_it(self, name: str, service: str) -> None:
        definition = services(name)[service]
        environment = definition["environment"]
        bound = addresses(environment["KAFKA_LISTENERS"])
        published = {port.rpartition(":")[2]: port.split(":")[-2] for port in definition.get("ports", ())}
        advertised = addresses(environment["KAFKA_ADVERTISED_LISTENERS"])
        assert advertised.keys() == bound.keys() - {environment.get("KAFKA_CONTROLLER_LISTENER_NAMES")}
        for listener, (host, port) in advertised.items():
            if host == "localhost":
                assert published.pop(bound[listener][1]) == port
            else:
                assert (host, port) == (service, bound[listener][1])
        assert published == {}

    def test_brokers_talk_to_each_other_by_the_inner_one(self, name: str, service: str) -> None:
        environment = services(name)[service]["environment"]
        inner = environment["KAFKA_INTER_BROKER_LISTENER_NAME"]
        assert addresses(environment["KAFKA_ADVERTISED_LISTENERS"])[inner] == (service, "29092")
        protocols = dict(pair.split(":") for pair in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
        assert protocols.keys() == addresses(environment["KAFKA_LISTENERS"]).keys()

    def test_its_health_is_asked_of_the_inner_one(self, name: str, service: str) -> None:
        assert "localhost:29092" in services(name)[service]["healthcheck"]["test"]


def test_the_web_interfaces_look_at_these_engines() -> None:
    every = services(SINGLE)
    assert every["kafka-ui"]["environment"]["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"] == "kafka:29092"
    user = "fintrends:MONGO_PASSWORD-s3cret"
    assert every["mongo-express"]["environment"]["ME_CONFIG_MONGODB_URL"].startswith(f"mongodb://{user}@mongodb:27017/")
    mongodb = every["mongodb"]["environment"]
    assert f"{mongodb['MONGO_INITDB_ROOT_USERNAME']}:{mongodb['MONGO_INITDB_ROOT_PASSWORD']}" == user


class TestCluster:
    def test_one_broker_of_three_may_fail(self) -> None:
        brokers = [s["environment"] for n, s in services(CLUSTER).items() if re.fullmatch(r"kafka-\d", n)]
        voters = ",".join(f"{number}@kafka-{number}:29093" for number in (1, 2, 3))
        assert [broker["KAFKA_NODE_ID"] for broker in brokers] == [1, 2, 3]
        for broker in brokers:
            assert broker["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters
            assert broker["KAFKA_MIN_INSYNC_REPLICAS"] == 2
            assert broker["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"] == 3
        assert len({broker["CLUSTER_ID"] for broker in brokers}) == 1

    def test_the_replica_set_is_what_its_clients_look_for(self) -> None:
        every = services(CLUSTER)
        members = [f"{service}:27017" for service in every if re.fullmatch(r"mongodb-\d", service)]
        assert len(members) == 3
        script = every["mongodb-init"]["command"][0]
        assert re.findall(r'"(mongodb-\d:27017)"', script) == members
        assert '_id: "rs0"' in script
        for service in ("mongodb-1", "mongodb-2", "mongodb-3"):
            assert "--replSet rs0 --keyFile" in every[service]["entrypoint"][-1]
        uri = every["financial-worker"]["environment"]["MONGODB_URI"]
        assert f"@{','.join(members)}/" in uri and "replicaSet=rs0" in uri

    def test_only_the_first_member_makes_the_user(self) -> None:
        every = services(CLUSTER)
        makes = [s for s, d in every.items() if "MONGO_INITDB_ROOT_PASSWORD" in d.get("environment", {})]
        assert makes == ["mongodb-1", "mongodb-init"]

    def test_the_topics_are_on_all_brokers(self) -> None:
        for service in ("financial-streaming", "financial-worker"):
            kafka = settings_of(CLUSTER, service).settings.kafka
            assert kafka.replication == len(kafka.bootstrap_servers.split(",")) == 3

    def test_every_role_is_filled_and_only_the_producer_is_one_of_a_kind(self) -> None:
        every = services(CLUSTER)
        streaming, worker = (
            run_of(every[service]["command"]).roles or "" for service in ("financial-streaming", "financial-worker")
        )
        assert {*streaming.split(","), *worker.split(",")} == set(get_args(Role))
        assert "producer" not in worker and "deploy" not in every["financial-streaming"]
        assert every["financial-worker"]["deploy"]["replicas"] > 1
        data = image_environment()["FINTRENDS_PIPELINE__DATA_DIR"]
        assert data not in [target for _, target, *_ in mounts(every["financial-worker"])]  # one pipeline runs on each


def settings_of(name: str, service: str) -> Loaded:
    """What the program makes of the environment of a container."""
    environ = {**image_environment(), **{k: str(v) for k, v in services(name)[service]["environment"].items()}}
    return load(ROOT / "config.toml", None, environ)


def run_of(words: list[str]) -> RunFlags:
    """The flags of a headless run, taken over by the process that it becomes."""
    _, bound, _ = screen_cli.parse_args(words, exit_on_error=False, print_error=False)
    assert bound.arguments["no_ui"] is True
    flags = bound.arguments.get("flags", RUN_DEFAULTS)
    pipeline_cli.parse_args(flags.arguments(), exit_on_error=False, print_error=False)
    load(ROOT / "config.toml", flags.with_tickers(()), {})
    return flags


@each(*FINANCIAL)
class TestTheProgramAccepts:
    def test_its_environment(self, name: str, service: str) -> None:
        definition = services(name)[service]
        assert all(key.startswith(ENV_PREFIX) or key in KNOWN_ENV for key in definition["environment"])
        loaded = settings_of(name, service)
        assert loaded.settings.pipeline.tickers == ["AAPL", "MSFT", "TSLA"]
        assert "MONGO_PASSWORD-s3cret" in loaded.secrets
        every = services(name)
        for address in loaded.settings.kafka.bootstrap_servers.split(","):
            host, _, port = address.partition(":")
            assert (host, port) in addresses(every[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"]).values()

    def test_its_command(self, name: str, service: str) -> None:
        words = services(name)[service]["command"]
        if service == "financial-loader":
            command, bound, _ = screen_cli.parse_args(words, exit_on_error=False, print_error=False)
            assert command.__name__ == "load_history"
            assert bound.arguments["wait"] is True
        else:
            run_of(words)

    def test_its_health_check(self, name: str, service: str) -> None:
        healthcheck = services(name)[service].get("healthcheck")
        if healthcheck is None:
            assert service == "financial-loader"
        else:
            assert healthcheck["test"][:2] == ["CMD", "fintrends-tui"]
            command, *_ = screen_cli.parse_args(healthcheck["test"][2:], exit_on_error=False, print_error=False)
            assert command.__name__ == "status"

    def test_the_time_it_is_given_to_stop(self, name: str, service: str) -> None:
        definition = services(name)[service]
        if definition["restart"] == "unless-stopped":
            grace = int(definition["stop_grace_period"].removesuffix("s"))
            assert grace > settings_of(name, service).settings.pipeline.stop_timeout


@pytest.mark.parametrize("name", RAW)
def test_the_loader_finds_the_pipeline_in_the_data_directory_they_share(name: str) -> None:
    every = services(name)
    data = image_environment()["FINTRENDS_PIPELINE__DATA_DIR"]
    shared = [
        [source for source, target, *_ in mounts(every[service]) if target == data]
        for service in ("financial-loader", "financial-streaming")
    ]
    assert shared[0] == shared[1] != []
    assert settings_of(name, "financial-loader").data_dir == Path(data)


class TestImage:
    def test_it_is_pinned_and_runs_as_an_ordinary_user(self) -> None:
        bases = {base.split()[0] for base in dockerfile("FROM")}
        assert len(bases) == 1
        assert re.fullmatch(r"python:3\.12\.\d+-slim-\w+", bases.pop())
        assert re.search(r"\buv==\d+\.\d+\.\d+\b", dockerfile("RUN")[0])
        assert dockerfile("USER") == ["app"]
        assert dockerfile("ENTRYPOINT") == ['["fintrends-tui"]']

    def test_what_it_writes_is_in_volumes(self) -> None:
        environment = image_environment()
        volumes = YAML(typ="safe").load(dockerfile("VOLUME")[0])
        assert volumes == [environment["FINTRENDS_PIPELINE__DATA_DIR"], environment["FINTRENDS_LOGGING__DIR"]]
        assert environment["NUMBA_CACHE_DIR"].startswith(f"{volumes[0]}/")

    def test_its_configuration_is_found_where_it_is_mounted(self) -> None:
        targets = {
            target for n, s in FINANCIAL for source, target, *_ in mounts(services(n)[s]) if source == "./config.toml"
        }
        assert targets == {f"{dockerfile('WORKDIR')[-1]}/config.toml"}

    def test_all_that_is_copied_into_it_is_in_the_build_context_and_exists(self) -> None:
        allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()[1:]}
        copied = [source for line in dockerfile("COPY") if "--from" not in line for source in line.split()[:-1]]
        assert {Path(source).parts[0] for source in copied} == allowed - {"**/__pycache__"}
        assert all((ROOT / source).exists() for source in copied)
