"""How long a topic keeps its records."""

from typing import Final

from msgspec import Struct

_TIMES: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms"))
_SIZES: Final = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


class Retention(Struct, frozen=True):
    """For `ms` milliseconds, and up to `bytes` in a partition; None sets no limit. Of a `compacted` topic only the last
    record of each key is kept within these."""

    ms: int | None = None
    bytes: int | None = None
    compacted: bool = False

    def __str__(self) -> str:
        """What limits there are, such as ``7d``, ``1.5GiB`` or ``compacted/36h``; ``forever`` without any."""
        limits = ["compacted"] if self.compacted else []
        if self.ms is not None:
            limits.append(_whole(self.ms))
        if self.bytes is not None:
            size, unit = next(((s, u) for s, u in _SIZES if self.bytes >= s), _SIZES[-1])
            limits.append(f"{self.bytes / size:.3g}{unit}")
        return "/".join(limits) or "forever"


def _whole(ms: int) -> str:
    """In the greatest unit that divides it."""
    size, unit = next((s, u) for s, u in _TIMES if ms % s == 0)
    return f"{ms // size}{unit}"
