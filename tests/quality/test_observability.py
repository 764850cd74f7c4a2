"""What is set up for Prometheus and Grafana is about metrics that exist."""

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.ops.metrics import metrics_of
from tests.ops.test_metrics import SNAPSHOT
from tests.quality.test_compose import SINGLE, mounts, services, settings_of

ROOT = Path(__file__).parents[2]
HERE = ROOT / "observability"
DASHBOARD = json.loads((HERE / "grafana/dashboards/fintrends.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
OF_PROCESSES = {"process_cpu_seconds_total": set(), "process_resident_memory_bytes": set()}
ADDED = {"job", "instance"}
"""Labels that Prometheus adds to all it scrapes."""


def yaml(path: str) -> Any:
    return YAML(typ="safe").load((HERE / path).read_text("utf-8"))


def metrics() -> dict[str, set[str]]:
    """The labels of every metric, by the name that it has when it is scraped."""
    found: dict[str, set[str]] = {}
    for family in metrics_of(SNAPSHOT):
        name = f"{family.name}_{'total' if family.type == 'counter' else 'info'}"
        name = name if family.type in ("counter", "info") else family.name
        found[name] = set(getattr(family, "_labelnames", ())) or set(
            itertools.chain.from_iterable(sample.labels for sample in family.samples)
        )
    return found | OF_PROCESSES


RULES: list[dict[str, Any]] = yaml("alerts.yml")["groups"][0]["rules"]
EXPRESSIONS = {f"panel {p['title']} {t['refId']}": t["expr"] for p in PANELS for t in p["targets"]} | {
    f"alert {rule['alert']}": rule["expr"] for rule in RULES
}


def test_the_metrics_are_known() -> None:
    known = metrics()
    assert known["fintrends_service_items_total"] == {"service", "role"}
    assert known["fintrends_start_time_seconds"] == set()
    assert all(name.startswith("fintrends_") for name in known.keys() - OF_PROCESSES.keys())


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_every_expression_is_about_metrics_and_labels_that_exist(expression: str) -> None:
    known = metrics()
    used = set(re.findall(r"\b(?:fintrends|process)_\w+", expression))
    assert used <= known.keys() and (used or "up{" in expression)
    labels = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    labels |= {word for words in re.findall(r"by \(([\w, ]+)\)", expression) for word in words.split(", ")}
    assert labels <= ADDED.union(*(known[name] for name in used))


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_what_counts_is_read_as_a_rate_and_what_does_not_is_not(expression: str) -> None:
    for function, name in re.findall(r"(\w+)\((fintrends_\w+)", expression):
        assert (function in ("rate", "increase")) == name.endswith("_total"), f"{function}({name})"


def test_every_metric_of_the_pipeline_is_shown_or_told() -> None:
    everything = " ".join(EXPRESSIONS.values())
    assert {name for name in metrics() if name not in everything} <= {"fintrends_pipeline_info"}


def test_a_panel_has_a_place_of_its_own_and_a_source_that_is_set_up() -> None:
    (source,) = yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    for panel in PANELS:
        assert {panel["datasource"]["uid"], *(t["datasource"]["uid"] for t in panel["targets"])} == {source["uid"]}
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    assert len({panel["id"] for panel in PANELS}) == len({panel["title"] for panel in PANELS}) == len(PANELS)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))


def test_they_find_each_other_in_the_compose_file() -> None:
    every = services(SINGLE)
    assert [name for name, service in every.items() if service.get("profiles")] == ["connect", "prometheus", "grafana"]
    settings = settings_of(SINGLE, "financial-streaming").settings.metrics
    (job,) = yaml("prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"financial-streaming:{settings.port}"]}]
    assert settings.host == "0.0.0.0" and every["financial-streaming"].get("ports", []) == []  # noqa: S104
    (source,) = yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    targets = {target: ROOT / source for source, target, *_ in mounts(every["grafana"])}
    (provider,) = yaml("grafana/provisioning/dashboards/fintrends.yml")["providers"]
    home = every["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (targets[provider["options"]["path"]] / Path(home).name).exists()
    mounted = {target for _, target, *_ in mounts(every["prometheus"])}
    assert {*yaml("prometheus.yml")["rule_files"], "/etc/prometheus/prometheus.yml"} <= mounted


def test_promtool_finds_nothing_wrong() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    for command in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        result = subprocess.run([promtool, *command], cwd=HERE, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
