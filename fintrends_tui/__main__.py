"""`fintrends-tui`, and `python -m fintrends_tui`."""

import sys
from collections.abc import Callable, Sequence
from itertools import takewhile

from fintrends_tui import stored
from pipeline.config.settings import Loaded, SettingsError, load
from pipeline.config.where import hand_over, plainly
from pipeline.model.tickers import is_ticker, parse_tickers
from pipeline.system import collector, streams


def main() -> None:
    """Run a command line."""
    if sys.platform == "win32":
        sys.exit("fintrends-tui runs on Linux and macOS; on Windows use it inside WSL")
    collector.relax()
    streams.settle()
    streams.leave(_command)


def _command() -> int | None:
    words = sys.argv[1:]
    if (loaded := _of_idle_pipeline(words)) is not None:
        return stored.tell(loaded, json="--json" in words)
    if (plain := _plain_dashboard(words)) is not None:
        from fintrends_tui import entry

        return entry.told(plain)
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


def _plain_dashboard(words: Sequence[str]) -> Callable[[], int] | None:
    """The dashboard, if nothing is said but tickers, as they are written, and which pipeline it is about."""
    tickers = list(takewhile(lambda word: not word.startswith("-"), words))
    where = plainly(words[len(tickers) :])
    if where is None or not all(word.isupper() and is_ticker(word) for word in tickers):
        return None
    from fintrends_tui import entry

    if entry.no_terminal():
        return None  # which is told there

    def show() -> int:
        hand_over(where)
        loaded = load(where.config, where.with_tickers(tickers))
        return entry.show(loaded, parse_tickers(tickers), where.arguments())

    return show


if __name__ == "__main__":
    main()
