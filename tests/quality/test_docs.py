"""The documentation is built strictly, and what it tells people to type or to set is held against the program."""

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fintrends_tui.cli import app as screen
from pipeline.__main__ import app as pipeline
from pipeline.config.settings import load
from tools.docs.commands_page import man_page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README_WORDS = 1300

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HANDED_OVER = ("query", "export", "topics")
"""Commands whose options the pipeline's own command line parses."""
_COMPOSE = ("up", "down", "exec", "logs", "stop", "ps", "config")


class Block(NamedTuple):
    page: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """The blocks of those languages in all pages that people write (the others are made from the code)."""
    return [
        Block(str(page.relative_to(ROOT)), language, text)
        for page in PAGES
        if "reference" not in page.parts
        for language, text in _FENCE.findall(page.read_text("utf-8"))
        if language in languages
    ]


def commands() -> Iterator[tuple[str, str]]:
    for block in blocks("sh", "console", "bash"):
        for line in block.text.splitlines():
            if line.strip():
                yield block.page, line


def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    """A link or a reference that leads nowhere is one."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", tmp_path / "trees", "docs", tmp_path]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "reference" / "settings.html").exists()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= README_WORDS


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """Of the pages that are not part of the built documentation."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.page)
def test_a_configuration_is_accepted(block: Block, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(block.text, "utf-8")
    load(config, environ={})


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.page)
def test_code_can_be_imported(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(block.text, "utf-8")
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize(("page", "line"), list(commands()), ids=lambda text: text.strip()[:60])
def test_a_command_can_be_typed(page: str, line: str) -> None:
    """Each is parsed by the program that it calls, or its parts are looked for in the project."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    check(words)


def check(words: list[str]) -> None:
    match words:
        case ["uv", "run", *rest]:
            while rest and rest[0] in ("--group", "--extra"):
                rest = rest[2:]
            check(rest)
        case ["fintrends-tui", command, *rest] if command in _HANDED_OVER:
            pipeline.parse_args([command, *rest], exit_on_error=False, print_error=False)
        case ["fintrends-tui", *rest]:
            screen.parse_args(rest, exit_on_error=False, print_error=False)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module) is not None
        case ["docker", "compose", "--profile", profile, *rest]:
            assert f"profiles: [{profile}]" in (ROOT / "docker-compose.yml").read_text("utf-8")
            check(["docker", "compose", *rest])
        case ["docker", "compose", *rest]:
            compose_file = rest[rest.index("-f") + 1] if rest[0] == "-f" else "docker-compose.yml"
            text = (ROOT / compose_file).read_text("utf-8")
            verb, *others = rest[2:] if rest[0] == "-f" else rest
            assert verb in _COMPOSE
            services = [word for word in others if not word.startswith("-")][:1]
            assert all(f"  {service}:" in text for service in services)
        case ["cp", source, _]:
            assert (ROOT / source).exists()
        case ["pytest", *paths]:
            assert all((ROOT / path).exists() for path in paths if not path.startswith("-") and "/" in path)
        case ["sphinx-build", *_, source, _]:
            assert (ROOT / source / "conf.py").exists()
        case ["pre-commit", "install"]:
            assert (ROOT / ".pre-commit-config.yaml").exists()
        case (
            ["pip", "install", "uv" | "fintrends-tui[parquet]" | "fintrends-tui[web]"]
            | ["uv" | "pipx", *_]
            | ["export", _]
            | ["man", "fintrends-tui"]
            | ["git", *_]
        ):
            pass  # tried by tests of their own, or of the shell
        case _:
            pytest.fail(
                f"nothing here knows how to check {shlex.join(words)!r}; write it otherwise, or teach this test"
            )


def test_the_man_page_is_that_of_the_command_line() -> None:
    """`python -m tools.docs` writes it anew."""
    assert (ROOT / "docs" / "fintrends-tui.1").read_text("utf-8") == man_page()
