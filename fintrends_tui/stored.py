"""What `fintrends-tui status` says while no pipeline runs. Imports little: scripts ask for it again and again."""

import socket
from importlib import import_module
from typing import Any

from pipeline.config.settings import Loaded
from pipeline.storage.datadir import DataDir


def may_run(loaded: Loaded) -> bool:
    """Whether something may listen on the control socket; False only if nothing does."""
    path = DataDir(loaded.data_dir).socket
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return False
        except OSError:
            pass  # such as one that is too busy to answer
    return True


def tell(loaded: Loaded, *, json: bool) -> int:
    """Say that none runs, and what is stored; the exit status."""
    if not json:
        print("no pipeline is running", flush=True)
    # By its name: what draws a screen knows no engine, and nothing is drawn in this process. Another, as for other
    # look-ups, would import everything a second time.
    report: Any = import_module("pipeline.ops.stored_report")
    status: int = report.report(loaded, as_json=json)
    return status
