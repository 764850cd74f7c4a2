"""Known vulnerabilities of what we depend on, in the form of OSV (https://ossf.github.io/osv-schema/), reduced.

They are kept in a file, so that the audit needs no network, and taken anew from OSV's API or from a checkout of
https://github.com/pypa/advisory-database.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

from tools.audit.installed import Package

KEPT: Final = Path(__file__).with_name("advisories.json")
OSV: Final = "https://api.osv.dev"
_ECOSYSTEM: Final = "PyPI"


class Range(msgspec.Struct, omit_defaults=True):
    """Versions from `introduced` on: before `fixed`, or up to `last_affected`, or all."""

    introduced: str = "0"
    fixed: str | None = None
    last_affected: str | None = None

    def __contains__(self, version: Version) -> bool:
        return (
            (self.introduced == "0" or version >= Version(self.introduced))
            and (self.fixed is None or version < Version(self.fixed))
            and (self.last_affected is None or version <= Version(self.last_affected))
        )


class Advisory(msgspec.Struct):
    """One vulnerability of one package; `versions` are affected besides the ranges."""

    id: str
    package: str
    summary: str
    aliases: list[str] = []
    ranges: list[Range] = []
    versions: list[str] = []

    def is_about(self, package: Package) -> bool:
        if canonicalize_name(self.package) != package.name:
            return False
        return any(package.version in r for r in self.ranges) or str(package.version) in self.versions


class Advisories(msgspec.Struct):
    """All that were known at a time, of the packages we needed then."""

    taken: datetime
    source: str
    packages: list[str]
    advisories: list[Advisory]

    def missing(self, packages: Iterable[Package]) -> list[str]:
        """Names of packages that it says nothing of, for we did not need them then."""
        return [package.name for package in packages if package.name not in self.packages]

    def faults(self, packages: Iterable[Package]) -> list[str]:
        """A sentence for each package with a known vulnerability."""
        return [
            f"{package.name} {package.version}: {advisory.id} ({', '.join(advisory.aliases)}), {advisory.summary}"
            for package in packages
            for advisory in self.advisories
            if advisory.is_about(package)
        ]


def kept(path: Path = KEPT) -> Advisories:
    """Those of the file."""
    return msgspec.json.decode(path.read_bytes(), type=Advisories)


def keep(advisories: Advisories, path: Path = KEPT) -> None:
    """Write the file."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(advisories), indent=1) + b"\n")


def from_osv(packages: Sequence[Package], url: str = OSV) -> Advisories:
    """Ask OSV for every vulnerability that each package has ever had.

    Raises:
        httpx.HTTPError: if it cannot be asked, or refuses.
    """
    with httpx.Client(base_url=url, timeout=30) as client:
        found = [advisory for package in packages for advisory in _of_package(client, package)]
    return Advisories(datetime.now(UTC).replace(microsecond=0), url, [p.name for p in packages], found)


def from_checkout(packages: Sequence[Package], directory: Path, taken: datetime) -> Advisories:
    """Read a checkout of the PyPA's advisory database, as it was at a time."""
    yaml = YAML(typ="safe")
    found = [
        advisory
        for package in packages
        for path in sorted((directory / "vulns" / package.name).glob("*.yaml"))
        for advisory in _reduced(yaml.load(path), package)
    ]
    return Advisories(taken, "https://github.com/pypa/advisory-database", [p.name for p in packages], found)


def _of_package(client: httpx.Client, package: Package) -> Iterator[Advisory]:
    query: dict[str, Any] = {"package": {"name": package.name, "ecosystem": _ECOSYSTEM}}
    while True:
        reply = client.post("/v1/query", json=query).raise_for_status().json()
        for entry in reply.get("vulns", ()):
            yield from _reduced(entry, package)
        if not (token := reply.get("next_page_token")):
            return
        query["page_token"] = token


def _reduced(entry: dict[str, Any], package: Package) -> Iterator[Advisory]:
    """What an entry says of the package; nothing if it was withdrawn."""
    if entry.get("withdrawn"):
        return
    for affected in entry.get("affected", ()):
        about = affected.get("package", {})
        if about.get("ecosystem") != _ECOSYSTEM or canonicalize_name(about.get("name", "")) != package.name:
            continue
        ranges = [r for listed in affected.get("ranges", ()) if listed["type"] == "ECOSYSTEM" for r in _ranges(listed)]
        yield Advisory(
            id=entry["id"],
            package=package.name,
            summary=" ".join((entry.get("summary") or entry.get("details") or "").split())[:200],
            aliases=list(entry.get("aliases", ())),
            ranges=ranges,
            versions=[] if ranges else list(affected.get("versions", ())),
        )


def _ranges(listed: dict[str, Any]) -> Iterator[Range]:
    """Events come in order: each `introduced` begins a range, what follows it ends it."""
    current: Range | None = None
    for event in listed["events"]:
        if "introduced" in event:
            if current is not None:
                yield current
            current = Range(introduced=event["introduced"])
        elif current is not None:
            current.fixed = event.get("fixed")
            current.last_affected = event.get("last_affected")
            yield current
            current = None
    if current is not None:
        yield current
