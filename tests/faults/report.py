"""The table of faults at the end of a test run, also of one that is spread over several processes."""

from dataclasses import astuple
from typing import Any

import pytest

from testkit.faults.ledger import Entry, Ledger

_LEDGER = pytest.StashKey[Ledger]()
_OF_WORKER = "fault_ledger"


def ledger_of(config: pytest.Config) -> Ledger:
    """The one of this process."""
    return config.stash.setdefault(_LEDGER, Ledger())


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)  # of pytest-xdist, in its workers
    if output is not None:
        output[_OF_WORKER] = [(key, astuple(run)) for key, run in ledger_of(session.config).entries.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for key, run in getattr(node, "workeroutput", {}).get(_OF_WORKER, ()):  # one that crashed has none
        ledger_of(node.config).add(key, Entry(*run))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ledger = ledger_of(config)
    if ledger.entries:
        terminalreporter.section("faults")
        for line in ledger.lines():
            terminalreporter.write_line(line)
