"""Which licences what we depend on may have."""

import re
from collections.abc import Iterable
from typing import Final

from tools.audit.installed import Package

_PERMISSIVE: Final = re.compile(r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla)\b", re.IGNORECASE)
_COPYLEFT: Final = re.compile(r"\b[AL]?GPL|GNU|SSPL|Commons Clause", re.IGNORECASE)

_STATED_ELSEWHERE: Final = {
    "pandas-ta": "MIT, in the LICENSE it installs",
    "ta-lib": "BSD-2-Clause, in the LICENSE it installs",
}
"""Packages whose metadata name no licence."""


def faults(packages: Iterable[Package]) -> list[str]:
    """A sentence for each package that is not, or not known to be, under a permissive licence."""
    return [
        f"{package.name} {package.version}: its licence is {package.licences or 'not stated'}"
        for package in packages
        if not _is_permissive(package)
    ]


def _is_permissive(package: Package) -> bool:
    if not package.licences:
        return package.name in _STATED_ELSEWHERE
    return _PERMISSIVE.search(package.licences) is not None and _COPYLEFT.search(package.licences) is None
