"""What the doctor checks of namespaces: which it looks into, whether data are mixed there, and who else is there."""

import shlex
from collections.abc import AsyncIterator, Sequence
from typing import Final

from pipeline.bus.base import BusError
from pipeline.bus.named import NamedBus
from pipeline.doctor.finding import Finding, fault, ok, warning
from pipeline.model.namespace import described, is_simulated
from pipeline.model.topics import GROUPS
from pipeline.stages.monitor import is_foreign
from pipeline.storage.datadir import DataDir
from pipeline.storage.layout import Layout
from pipeline.upgrade.separation import simulated_topics

_NAMED: Final = 5
"""Topics that a finding names at most."""


def which(data_dir: DataDir) -> Finding:
    """The namespace that is looked into, and why."""
    last = Layout.of(data_dir.path).namespace == data_dir.namespace
    why = "as the pipeline that runs here or ran last" if last else "by the settings"
    kind = "simulated" if is_simulated(data_dir.namespace) else "real"
    return ok(f"what follows is about {kind} data, in {described(data_dir.namespace)}, {why}")


async def on_bus(bus: NamedBus, flags: Sequence[str]) -> AsyncIterator[Finding]:
    """Members of our groups that are no pipelines, and topics of real data that hold simulated ones."""
    try:
        for group in GROUPS:
            foreign = [member for member in await bus.members(group) or [] if is_foreign(member)]
            if foreign:
                who = ", ".join(sorted(f"{member.client} at {member.host}" for member in foreign))
                what = f"another application is in the consumer group {bus.names.group(group)}: {who}"
                cause = (
                    "it uses the same group name by chance, and takes records that a pipeline needs or keeps it out of "
                    "the group"
                )
                yield fault(
                    what, cause, "stop it, or set [pipeline] namespace, which gives the pipeline its own groups"
                )
        if is_simulated(bus.names.namespace):
            return
        mixed = await simulated_topics(bus)
    except BusError:
        return  # the topics have reported it
    if mixed:
        names = sorted(map(bus.names.topic, mixed))
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        what = f"simulated data are in topics of real ones: {', '.join(names[:_NAMED])}{more}"
        cause = "an earlier version kept both in one place; pipelines count such records and ignore them"
        yield warning(what, cause, separate_command(flags))


def in_store(description: str, mixed: int, flags: Sequence[str]) -> Finding | None:
    """Whether there are simulated documents among the real ones."""
    if not mixed:
        return None
    what = f"{mixed:,} simulated documents are among the real ones of {description}"
    cause = "an earlier version kept both in one place; nothing shows them there"
    return warning(what, cause, separate_command(flags))


def separate_command(flags: Sequence[str]) -> str:
    return f"{shlex.join(['fintrends-tui', 'separate', *flags])} (with --dry-run it only reports what it would do)"
