"""`fintrends-tui doctor`: looks at everything a pipeline needs and says for each fault what to do. Changes nothing."""

import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TextIO

from pipeline.clock import SystemClock
from pipeline.config.settings import ENV_PREFIX, KNOWN_ENV, Loaded, SettingsError
from pipeline.config.where import Where
from pipeline.doctor import engines, live, machine, namespaces
from pipeline.doctor.alpha_vantage import alpha_vantage
from pipeline.doctor.finding import Finding, fault, ok, written
from pipeline.doctor.positions import positions
from pipeline.doctor.sources import reddit, source
from pipeline.engines import check_engines, space_to_read
from pipeline.sources.base import SourceError
from pipeline.storage.datadir import DataDir


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
        fix = "correct it and run this again: checks that depend on the settings were skipped"
        yield fault("the configuration cannot be used", str(error), fix)
    else:
        yield configuration(loaded, environ)
        async for finding in _of_settings(loaded, where.arguments()):
            yield finding
    for finding in machine.terminal(out, environ, os.get_terminal_size):
        yield finding


async def _of_settings(loaded: Loaded, flags: Sequence[str]) -> AsyncIterator[Finding]:
    """What depends on the settings. `flags` are those they were loaded with."""
    yield machine.directory("data", loaded.data_dir, "choose another with --data-dir")
    for finding in machine.privacy(loaded.data_dir):
        yield finding
    for finding in machine.locks(loaded.data_dir):
        yield finding
    for finding in machine.places():
        yield finding
    yield machine.directory("log", loaded.log_dir, "set another as logging.dir")
    for finding in machine.disk({"data": loaded.data_dir, "logs": loaded.log_dir}):
        yield finding
    try:
        data_dir = space_to_read(loaded)
    except SourceError:  # of which more below
        data_dir = DataDir(loaded.data_dir, loaded.settings.pipeline.namespace)
    for place in sorted({data_dir.path, data_dir.space}):
        for finding in machine.state_files(place):
            yield finding
    for finding in positions(loaded.positions):
        yield finding
    yield machine.running(data_dir)
    if (running := await live.told(data_dir)) is not None:
        yield live.described(running)
    yield namespaces.which(data_dir)
    for finding in refused(loaded):
        yield finding
        if finding.level == "fault":
            return
    if loaded.settings.kafka.bootstrap_servers:
        async for finding in engines.kafka(loaded, flags, data_dir):
            yield finding
    else:
        yield await engines.embedded_bus(data_dir)
    if loaded.settings.mongodb.uri:
        async for finding in engines.mongodb(loaded.settings.mongodb.uri, SystemClock(), data_dir.namespace, flags):
            yield finding
    else:
        yield await engines.embedded_store(data_dir)
    async for finding in source(loaded, running.source if running is not None else None):
        yield finding
    for finding in alpha_vantage(loaded, SystemClock()):
        yield finding
    for finding in reddit(loaded):
        yield finding


def configuration(loaded: Loaded, environ: Mapping[str, str]) -> Finding:
    """Where the settings come from."""
    file = f"the configuration {loaded.path} is valid" if loaded.path else "there is no configuration file: defaults"
    names = sorted(n for n in environ if n in KNOWN_ENV or (n.startswith(ENV_PREFIX) and "__" in n))
    return ok(f"{file}, overridden by {', '.join(names)}" if names else file)


def refused(loaded: Loaded) -> Iterator[Finding]:
    """What a start would refuse before it connects to anything."""
    try:
        check_engines(loaded.settings)
    except SettingsError as error:
        yield fault("the engines cannot be used as configured", str(error), "correct the setting that it names")
    metrics = loaded.settings.metrics
    if metrics.port and not machine.is_running(DataDir(loaded.data_dir)):  # which serves them itself
        yield machine.port(metrics.host, metrics.port)
