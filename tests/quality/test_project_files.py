"""Files that other programs read: the workflow, the templates of issues, the hooks."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def run(*command: object) -> None:
    result = subprocess.run([sys.executable, "-m", *map(str, command)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", [ROOT / ".github" / "workflows" / "ci.yml"]),
        ("vendor.github-issue-forms", TEMPLATES),
        ("vendor.github-issue-config", [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_they_fit_their_schema(schema: str, files: list[Path]) -> None:
    assert files
    run("check_jsonschema", "--builtin-schema", schema, *files)


def test_the_hooks_can_be_read() -> None:
    run("pre_commit", "validate-config", ROOT / ".pre-commit-config.yaml")


def test_the_workflow_calls_the_script_that_everybody_calls() -> None:
    assert "run: bash .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")


def test_no_merge_is_half_done() -> None:
    marks = subprocess.run(
        ["git", "grep", "-nE", "^(<{7}|>{7}) "], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not marks.stdout
