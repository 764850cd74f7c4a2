"""Holds what the product depends on against known vulnerabilities and the licences we accept.

uv run python -m tools.audit                     offline, by the advisories in tools/audit/advisories.json
uv run python -m tools.audit --update            take them anew from https://api.osv.dev first
uv run python -m tools.audit --update CHECKOUT   or from a checkout of github.com/pypa/advisory-database

Exits with 1 if there is a fault.
"""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import cyclopts
import httpx

from tools.audit import advisories, licences
from tools.audit.advisories import Advisories
from tools.audit.installed import Package, needed


def audit(checkout: Path | None = None, *, update: Annotated[bool, cyclopts.Parameter(negative="")] = False) -> int:
    """Audit the installed dependencies.

    Parameters
    ----------
    checkout
        Of the PyPA's advisory database, to update from. Default: ask OSV.
    update
        Take the known vulnerabilities anew.
    """
    packages = needed()
    if update:
        try:
            known = advisories.from_osv(packages) if checkout is None else _from_checkout(packages, checkout)
        except httpx.HTTPError as error:
            print(f"cannot ask {advisories.OSV}: {error!r}; the kept advisories are unchanged", file=sys.stderr)
            return 1
        advisories.keep(known)
    known = advisories.kept()
    found = [*known.faults(packages), *licences.faults(packages)]
    print(*found, sep="\n", end="\n" if found else "")
    if missing := known.missing(packages):
        print(f"needed since: {', '.join(missing)}; take the advisories anew with --update", file=sys.stderr)
    print(
        f"{len(packages)} packages, {len(known.advisories)} advisories of {known.taken:%Y-%m-%d} ({known.source}): "
        f"{len(found)} faults"
    )
    return 1 if found else 0


def _from_checkout(packages: list[Package], checkout: Path) -> Advisories:
    command = ["git", "-C", str(checkout), "log", "-1", "--format=%ct"]
    seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return advisories.from_checkout(packages, checkout, datetime.fromtimestamp(int(seconds), UTC))


if __name__ == "__main__":
    sys.exit(cyclopts.App(default_command=audit, help=__doc__, help_format="plaintext", result_action="return_value")())
