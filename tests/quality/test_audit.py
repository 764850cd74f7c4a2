"""What the product depends on: known vulnerabilities and licences. Needs no network."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from testkit.http_server import answer, serve
from tools.audit import advisories, licences
from tools.audit.__main__ import audit
from tools.audit.advisories import Range
from tools.audit.installed import Package, needed

ENTRY = {
    "id": "PYSEC-1",
    "details": "Sends  the key\nto everybody.",
    "aliases": ["CVE-1"],
    "affected": [
        {
            "package": {"name": "Http_X", "ecosystem": "PyPI"},
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "abc"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "2.0"}]},
            ],
            "versions": ["1.0", "1.1"],
        },
        {"package": {"name": "http-x", "ecosystem": "npm"}, "versions": ["1.3"]},
        {"package": {"name": "http-x", "ecosystem": "PyPI"}, "versions": ["1.5"]},
    ],
}


def package(version: str, name: str = "http-x", licence: str = "MIT") -> Package:
    return Package(canonicalize_name(name), Version(version), licence)


def test_what_is_installed_has_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    faults = audit()
    said = capsys.readouterr()
    assert faults == 0, said.out
    assert f"of {advisories.kept().taken:%Y-%m-%d}" in said.out
    assert said.err == "", "tools/audit/advisories.json does not cover all that is needed"


def test_what_the_product_needs_is_found_with_extras_and_without_tools_of_development() -> None:
    names = {p.name for p in needed()}
    assert {"aiokafka", "cramjam", "httpx", "h11", "textual"} <= names
    assert names.isdisjoint({"fintrends-tui", "pytest", "ruff", "secantusdb"})


def test_a_vulnerable_version_is_a_fault() -> None:
    known = advisories.kept()
    [fault] = known.faults([package("0.19.0", "httpx"), package("0.28.1", "httpx")])
    assert fault.startswith("httpx 0.19.0: PYSEC-2022-183 (")


@pytest.mark.parametrize("version", ["1.0", "1.1.9", "2.0", "7", "1.5"])
def test_ranges_and_versions_of_an_entry_count(version: str, tmp_path: Path) -> None:
    assert _from_checkout(tmp_path).faults([package(version)]) == [
        f"http-x {version}: PYSEC-1 (CVE-1), Sends the key to everybody."
    ]


@pytest.mark.parametrize("version", ["1.2", "1.3", "2.0rc1"])
def test_other_versions_and_ecosystems_do_not(version: str, tmp_path: Path) -> None:
    assert _from_checkout(tmp_path).faults([package(version), package("1.0", "other")]) == []


def test_a_last_affected_version_is_affected() -> None:
    assert Version("1.2") in Range("1.0", last_affected="1.2")
    assert Version("1.2.1") not in Range("1.0", last_affected="1.2")


def test_what_was_withdrawn_is_no_fault(tmp_path: Path) -> None:
    assert _from_checkout(tmp_path, withdrawn="2024-01-01T00:00:00Z").advisories == []


async def test_osv_is_asked_for_every_package_and_page_and_what_it_says_is_kept(tmp_path: Path) -> None:
    async with serve() as server:
        server.on(
            answer({"vulns": [ENTRY], "next_page_token": "more"}),
            answer({"vulns": [ENTRY | {"id": "PYSEC-2"}]}),
            answer({}),
        )
        found = await asyncio.to_thread(advisories.from_osv, [package("1"), package("1", "other")], server.url)
        asked = [json.loads(request.body) for request in server.requests]
    assert [(a["package"]["name"], a.get("page_token")) for a in asked] == [
        ("http-x", None),
        ("http-x", "more"),
        ("other", None),
    ]
    assert [a.id for a in found.advisories] == ["PYSEC-1", "PYSEC-1", "PYSEC-2", "PYSEC-2"]
    assert found.missing([package("1"), package("1", "new")]) == ["new"]
    advisories.keep(found, tmp_path / "kept.json")
    assert advisories.kept(tmp_path / "kept.json") == found


@pytest.mark.parametrize("licence", ["MIT", "BSD License", "Apache-2.0 OR BSD-2-Clause", "MPL-2.0 AND MIT", "PSF-2.0"])
def test_permissive_licences_are_accepted(licence: str) -> None:
    assert licences.faults([package("1", licence=licence)]) == []


@pytest.mark.parametrize("licence", ["GPL-3.0-or-later", "AGPLv3", "MIT AND LGPL-2.1", "Proprietary", ""])
def test_other_licences_are_faults(licence: str) -> None:
    [fault] = licences.faults([package("1", licence=licence)])
    assert fault == f"http-x 1: its licence is {licence or 'not stated'}"


def _from_checkout(directory: Path, **more: str) -> advisories.Advisories:
    folder = directory / "vulns" / "http-x"
    folder.mkdir(parents=True)
    (folder / "PYSEC-1.yaml").write_text(json.dumps(ENTRY | more))  # JSON is YAML
    return advisories.from_checkout([package("1")], directory, datetime(2026, 1, 2, tzinfo=UTC))
