"""What the screen remembers from one run to the next."""

from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.tickers import InvalidTickerError, parse_tickers


class Remembered(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The choices made on the screen. `groups` are those made there, not those of the settings."""

    theme: str = ""
    sort: str = ""
    reverse: bool = False
    group: str = ""
    groups: dict[str, list[str]] = {}

    def __post_init__(self) -> None:
        try:
            groups = {name: parse_tickers(tickers) for name, tickers in self.groups.items()}
        except InvalidTickerError as error:
            raise ValueError(f"groups: {error}") from None
        msgspec.structs.force_setattr(self, "groups", groups)


class Memory:
    """A small JSON file. Without a path, as in tests, nothing outlives the process.

    Not a `pipeline.statefile.StateFile`: that reports to the log, which this process has not, and its user is present.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.problem = ""
        """Why what was remembered could not be read; empty if it could."""
        self.now = self._read()

    def keep(self, **changes: object) -> None:
        """Remember the changes.

        Raises:
            OSError: if they cannot be written; the old file stays whole.
        """
        changed = msgspec.structs.replace(self.now, **changes)
        if changed == self.now:
            return
        self.now = changed
        if self._path is not None:
            temporary = self._path.with_name(f"{self._path.name}.new")
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(changed)))
            temporary.replace(self._path)

    def _read(self) -> Remembered:
        if self._path is None or not self._path.exists():
            return Remembered()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Remembered)
        except (OSError, ValueError) as error:  # ValueError: no JSON, of another shape, or no UTF-8
            self.problem = f"{self._path} is damaged and left aside: {error}"
            return Remembered()
