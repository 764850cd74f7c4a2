"""Namespaces: data of one origin and environment, apart from all others on whatever engines they share.

A namespace is a directory below the data directory, a prefix of Kafka's topics and groups, and a database of its own in
MongoDB. That of real data is the user's (`[pipeline] namespace`, "" by default); simulated data have one below it, so
that no consumer of real data can meet them.
"""

import re
from typing import Final

SIMULATED: Final = "simulated"
MAX_LENGTH: Final = 32
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def check_namespace(name: str) -> None:
    """Raise ValueError, with what is allowed, for what cannot be the name of a user's namespace."""
    if name and (len(name) > MAX_LENGTH or not _NAME.fullmatch(name)):
        raise ValueError(
            f"namespace {name!r} must be of lower-case letters a-z, digits and -, which neither begins nor ends it, "
            f"at most {MAX_LENGTH}"
        )
    if is_simulated(name):
        raise ValueError(
            f"namespace {name!r} is kept for simulated data, which use it by themselves; choose one that does not end "
            f"in {SIMULATED!r}"
        )


def namespace_for(own: str, *, simulated: bool) -> str:
    """The namespace of a run whose market data are simulated, or real; `own` is the user's."""
    if not simulated:
        return own
    return f"{own}-{SIMULATED}" if own else SIMULATED


def is_simulated(namespace: str) -> bool:
    """Whether it holds simulated data and nothing else."""
    return namespace == SIMULATED or namespace.endswith(f"-{SIMULATED}")


def own_part(namespace: str) -> str:
    """The user's namespace that it is, or is below of: the inverse of `namespace_for`."""
    return namespace.removesuffix(SIMULATED).removesuffix("-") if is_simulated(namespace) else namespace


def described(namespace: str) -> str:
    """For people."""
    return f"namespace {namespace}" if namespace else "the default namespace"


def origin(namespace: str) -> str:
    """What is to be said of where documents come from; "" for real data of the default namespace."""
    if is_simulated(namespace):
        real = "" if own_part(namespace) else '; for real ones: --namespace ""'
        return f"SIMULATED data ({described(namespace)}){real}"
    return f"of {described(namespace)}" if namespace else ""
