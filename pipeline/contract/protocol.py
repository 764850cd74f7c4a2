"""The language of the control socket: one JSON document a line, each at most `MAX_FRAME` bytes.

The client says `Hello`; the server answers `Welcome` or `Refused`. From then on the client sends `Request`s, each
answered by one `Reply` with the same id, in any order, and the server sends `Push` with a snapshot at most four times
a second to those who asked for it. Plain data; imports nothing heavy.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from pipeline.snapshot import AlertView, Snapshot, TopicView

PROTOCOL_VERSION: Final = 1
MAX_FRAME: Final = 8 * 1024 * 1024


class Hello(Struct, frozen=True, tag="hello"):
    """`snapshots` asks for pushes."""

    protocol: int
    client: str
    snapshots: bool = False


class Welcome(Struct, frozen=True, tag="welcome"):
    protocol: int
    version: str
    pid: int


class Refused(Struct, frozen=True, tag="refused"):
    reason: str


class Add(Struct, frozen=True, tag="add"):
    """Watch more tickers. Result: `TickersChanged`."""

    tickers: list[str]


class Remove(Struct, frozen=True, tag="remove"):
    """Stop watching tickers; what is stored stays. Result: `TickersChanged`."""

    tickers: list[str]


class Load(Struct, frozen=True, tag="load"):
    """Load the history of tickers, those of the watchlist when none are named. Result: `TickersChanged`."""

    tickers: list[str] = []


class Pause(Struct, frozen=True, tag="pause"):
    """Pause one service, or all producers. Result: the names of those that changed, as for the next two."""

    service: str | None = None


class Resume(Struct, frozen=True, tag="resume"):
    """Resume one service, or all producers."""

    service: str | None = None


class Restart(Struct, frozen=True, tag="restart"):
    """Restart one service, or all."""

    service: str | None = None


class Focus(Struct, frozen=True, tag="focus"):
    """The ticker whose detail this client's snapshots carry."""

    ticker: str | None


class GetSnapshot(Struct, frozen=True, tag="snapshot"):
    """Result: `Snapshot`."""


class GetHistory(Struct, frozen=True, tag="history"):
    """Bars for a chart, oldest first; of the finest interval stored when none is named. Result: `History`.

    The `last` of them, or the last before `until` (seconds since the epoch), each with the `indicators` named.
    """

    ticker: str
    interval: str | None = None
    last: int = 240
    until: float | None = None
    indicators: list[str] = []


class GetTopics(Struct, frozen=True, tag="topics"):
    """Every topic, by name, with all that is too much for a snapshot. Result: list of `TopicView`."""


class GetMessages(Struct, frozen=True, tag="messages"):
    """Records of a topic: the newest, those `before` the given offsets, or those from the offsets in `after` on. Both
    map partitions to offsets. Only those that contain a text, whatever its case, if one is given. Result:
    `MessagePage`."""

    topic: str
    last: int = 50
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    contains: str = ""


class GetLog(Struct, frozen=True, tag="log"):
    """Log lines after a sequence number. Result: list of `LogLine`."""

    after: int = 0
    last: int = 2000


class AddAlert(Struct, frozen=True, tag="add_alert"):
    """Watch by one more rule, as `pipeline.alerts` reads it. Result: the rule as it was understood."""

    rule: str


class RemoveAlert(Struct, frozen=True, tag="remove_alert"):
    """Forget a rule; one from the configuration is back at the next start. Result: the rule as it was understood."""

    rule: str


class GetAlerts(Struct, frozen=True, tag="alerts"):
    """The history of alerts, oldest first. Result: list of `AlertView`."""


class Stop(Struct, frozen=True, tag="stop"):
    """Drain and stop the pipeline. The reply comes before; the connection closes when it is done."""


Command = (
    Add
    | Remove
    | Load
    | Pause
    | Resume
    | Restart
    | Focus
    | GetSnapshot
    | GetHistory
    | GetTopics
    | GetMessages
    | GetLog
    | AddAlert
    | RemoveAlert
    | GetAlerts
    | Stop
)


class Request(Struct, frozen=True, tag="request"):
    id: int
    command: Command


class Reply(Struct, frozen=True, tag="reply"):
    """Either `result` (its type depends on the command) or `error`, a sentence for the user."""

    id: int
    result: Any = None
    error: str | None = None


class Push(Struct, frozen=True, tag="push"):
    snapshot: Snapshot


ClientFrame = Hello | Request
ServerFrame = Welcome | Refused | Reply | Push


class TickersChanged(Struct, frozen=True):
    """The tickers that a command took effect on, and a sentence for the user."""

    tickers: list[str]
    note: str


class BarPoint(Struct, frozen=True, array_like=True):
    """`ts` in seconds since the epoch."""

    ts: float
    open: float
    high: float
    low: float
    close: float
    volume: float


class History(Struct, frozen=True):
    """`intervals` are those the store has for the ticker, finest first; `indicators` holds a value for each bar."""

    ticker: str
    interval: str | None
    intervals: list[str]
    bars: list[BarPoint]
    indicators: dict[str, list[float | None]] = {}


class TopicMessage(Struct, frozen=True):
    """`size` is the length of the whole value in bytes; `value` and `headers` may be cut."""

    partition: int
    offset: int
    ts: float
    key: str
    headers: dict[str, str]
    value: str
    size: int


class MessagePage(Struct, frozen=True):
    """Some records of a topic, newest first. `start` and `stop` say by partition what was looked through: the offset
    that it began at and the one after its end. `older` tells whether there is anything before that."""

    messages: list[TopicMessage]
    start: dict[int, int]
    stop: dict[int, int]
    older: bool


class LogLine(Struct, frozen=True):
    seq: int
    at: float
    level: str
    logger: str
    text: str


RESULTS: Final[dict[type, Any]] = {
    Add: TickersChanged,
    Remove: TickersChanged,
    Load: TickersChanged,
    Pause: list[str],
    Resume: list[str],
    Restart: list[str],
    GetSnapshot: Snapshot,
    GetHistory: History,
    GetTopics: list[TopicView],
    GetMessages: MessagePage,
    GetLog: list[LogLine],
    AddAlert: str,
    RemoveAlert: str,
    GetAlerts: list[AlertView],
}
"""The type of a command's result; those not named have none."""

_encoder = msgspec.json.Encoder()


def encode_frame(frame: Struct) -> bytes:
    """One line, newline included."""
    return _encoder.encode(frame) + b"\n"
