"""`fintrends-tui doctor`: looks at everything a pipeline needs and says for each fault what to do. Changes nothing."""

import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TextIO

from pipeline import doctor_engines as engines
from pipeline import doctor_machine as machine
from pipeline.clock import SystemClock
from pipeline.datadir import DataDir
from pipeline.doctor_budget import alpha_vantage
from pipeline.doctor_finding import Finding, fault, ok, written
from pipeline.doctor_posts import reddit
from pipeline.options import Where
from pipeline.settings import ENV_PREFIX, KNOWN_ENV, Loaded, SettingsError
from pipeline.sources.base import SourceError
from pipeline.sources.choice import choose_source


async def examine(where: Where, out: TextIO = sys.stdout, environ: Mapping[str, str] = os.environ) -> int:
    """Print each finding as soon as there is one; return 1 if there is a fault, else 0."""
    found_fault = False
    async for finding in _findings(where, out, environ):
        out.write(written(finding, out.encoding))
        out.flush()
        found_fault = found_fault or finding.level == "fault"
    return int(found_fault)


async def _findings(where: Where, out: TextIO, environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    try:
        loaded = where.load()
    except SettingsError as error:
        mend = "correct it and run this again: nothing that depends on the settings has been checked"
        yield fault("the configuration cannot be used", str(error), mend)
    else:
        yield configuration(loaded, environ)
        async for finding in _of_settings(loaded, where.arguments()):
            yield finding
    for finding in machine.terminal(out, environ, os.get_terminal_size):
        yield finding


async def _of_settings(loaded: Loaded, flags: Sequence[str]) -> AsyncIterator[Finding]:
    """What depends on the settings. `flags` are those they were loaded with."""
    data_dir = DataDir(loaded.data_dir)
    yield machine.directory("data", loaded.data_dir, "choose another with --data-dir")
    for finding in machine.privacy(loaded.data_dir):
        yield finding
    yield machine.directory("log", loaded.log_dir, "set another as logging.dir")
    for finding in machine.disk({"data": loaded.data_dir, "logs": loaded.log_dir}):
        yield finding
    yield machine.running(data_dir)
    if loaded.settings.kafka.bootstrap_servers:
        async for finding in engines.kafka(loaded, flags):
            yield finding
    else:
        yield await engines.embedded_bus(data_dir)
    if loaded.settings.mongodb.uri:
        async for finding in engines.mongodb(loaded.settings.mongodb.uri, SystemClock()):
            yield finding
    else:
        yield await engines.embedded_store(data_dir)
    yield await source(loaded)
    for finding in alpha_vantage(loaded, SystemClock()):
        yield finding
    yield reddit(loaded)


def configuration(loaded: Loaded, environ: Mapping[str, str]) -> Finding:
    """Where the settings come from."""
    file = f"the configuration {loaded.path} is valid" if loaded.path else "there is no configuration file: defaults"
    names = sorted(n for n in environ if n in KNOWN_ENV or (n.startswith(ENV_PREFIX) and "__" in n))
    return ok(f"{file}, overridden by {', '.join(names)}" if names else file)


async def source(loaded: Loaded) -> Finding:
    """Whether the source can be used as configured."""
    try:
        choice = choose_source(loaded)
    except SourceError as error:
        mend = "set pipeline.source to simulator or replay:DIR"
        return fault(f"the source {loaded.settings.pipeline.source} cannot be used", str(error), mend)
    await choice.source.close()
    return ok(f"source: {choice.note}")
