"""One class name, one thing; and no module at the root of a package without a reason."""

import ast
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "fintrends_tui")

MODULES = {
    "pipeline": {
        "__init__": "the version",
        "__main__": "`python -m pipeline` runs without a screen",
        "aio": "backoff and waiting, which every layer needs",
        "clock": "time, which every layer takes from outside",
        "engines": "chooses bus and store, and so knows all of them",
        "preview": "simulated data while no provider can be reached, until one can",
        "runtime": "puts the stages together",
    },
    "fintrends_tui": {
        "__init__": "marks the package",
        "__main__": "the program, and what it does without its command line",
        "admin": "the commands that change topics, groups and documents",
        "app": "the application",
        "cli": "the command line",
        "commands": "the commands that keys and the palette share",
        "demo": "a recorded hour, and nothing left behind",
        "entry": "what the ways into the program share",
        "keys": "which key gives which command",
        "run": "starts application and pipeline",
        "status": "what `fintrends-tui status` prints",
        "stopping": "how `stop` waits, and what it says meanwhile",
        "stored": "what it prints while no pipeline runs",
        "themes": "colours",
    },
}
"""Modules that stand at the root, each with its reason. Anything else belongs in a package that says what it is about.

The layers contracts in pyproject.toml are exhaustive, so `lint-imports` refuses a new module too, but only until
somebody adds it to a layer. Here it needs a reason.
"""


def classes() -> dict[str, list[str]]:
    """Where each public class at the top of a module is defined."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_a_class_name_stands_for_one_thing() -> None:
    found = classes()
    assert {"Snapshot", "Watchlist"} <= found.keys(), "the classes have not been found"
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_module_at_the_root_has_a_reason(package: str) -> None:
    assert {path.stem for path in (ROOT / package).glob("*.py")} == MODULES[package].keys()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_root_module_and_package_has_its_layer(package: str) -> None:
    """The layers contracts say so themselves as long as they are exhaustive."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (c for c in contracts if c["type"] == "layers" and c["containers"] == [package])
    assert layers["exhaustive"] is True
