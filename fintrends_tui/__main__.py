"""`fintrends-tui`, and `python -m fintrends_tui`."""

import sys
from collections.abc import Sequence

from fintrends_tui import stored
from pipeline.config.settings import Loaded, SettingsError
from pipeline.config.where import plainly
from pipeline.system import streams


def main() -> None:
    """Run a command line."""
    if sys.platform == "win32":
        sys.exit("fintrends-tui runs on Linux and macOS; on Windows use it inside WSL")
    streams.settle()
    streams.leave(_command)


def _command() -> int | None:
    words = sys.argv[1:]
    if (loaded := _of_idle_pipeline(words)) is not None:
        return stored.tell(loaded, json="--json" in words)
    from fintrends_tui import cli

    return cli.command()


def _of_idle_pipeline(words: Sequence[str]) -> Loaded | None:
    """The settings, if the state of a pipeline is asked for that does not run: that is answered without what reads all
    other command lines, which takes longer to load than the answer."""
    if list(words[:1]) != ["status"]:
        return None
    where = plainly([word for word in words[1:] if word != "--json"])
    try:
        loaded = None if where is None else where.load()
    except SettingsError:
        return None  # which is reported there
    return None if loaded is None or stored.may_run(loaded) else loaded


if __name__ == "__main__":
    main()
