"""The packages that the product needs, as they are installed."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

PRODUCT: Final = "fintrends-tui"


@dataclass(frozen=True, slots=True)
class Package:
    """`licences` is what its metadata say, in whichever of the three ways: an expression, a field, classifiers."""

    name: NormalizedName
    version: Version
    licences: str


def needed(root: str = PRODUCT) -> list[Package]:
    """Everything that is installed because `root` asks for it, by name; without `root`, and without groups for
    development.

    Raises:
        importlib.metadata.PackageNotFoundError: if something that is needed is not installed.
    """
    found: dict[NormalizedName, set[str]] = {}
    pending = list(_requirements(distribution(root), ()))
    while pending:
        name, extras = pending.pop()
        if name in found and extras <= found[name]:
            continue
        found.setdefault(name, set()).update(extras)
        pending += _requirements(distribution(name), found[name])
    return [_package(name) for name in sorted(found)]


def _requirements(of: Distribution, extras: Collection[str]) -> Iterator[tuple[NormalizedName, set[str]]]:
    for text in of.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield canonicalize_name(requirement.name), requirement.extras


def _package(name: NormalizedName) -> Package:
    metadata = distribution(name).metadata
    classifiers = (line for line in metadata.get_all("Classifier") or () if line.startswith("License ::"))
    stated = (metadata.get("License-Expression"), *classifiers, metadata.get("License"))
    # The field may hold the whole text of a licence: its first line names it.
    licences = " ".join(text.strip().partition("\n")[0] for text in stated if text)
    return Package(name, Version(metadata["Version"]), licences)
