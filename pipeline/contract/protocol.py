"""The language of the control socket: one JSON document a line, each at most `MAX_FRAME` bytes.

The client says `Hello`; the server answers `Welcome` or `Refused`. From then on the client sends `Request`s, each
answered by one `Reply` with the same id, in any order, and the server sends `Push` with a snapshot at most four times
a second to those who asked for it; or, to those who asked for that, `Update`s of the first one. Plain data; imports
nothing heavy.
"""

from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from pipeline.contract.plans import Operation, Plan
from pipeline.contract.snapshot import AlertView, ReplayView, Snapshot, TopicView

PROTOCOL_VERSION: Final = 1
MAX_FRAME: Final = 8 * 1024 * 1024


class Hello(Struct, frozen=True, tag="hello"):
    """`snapshots` asks for pushes, `updates` for updates in their place after the first. A server that knows of none
    sends pushes."""

    protocol: int
    client: str
    snapshots: bool = False
    updates: bool = False


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
    """Stop watching tickers; stored data stays. Result: `TickersChanged`."""

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


class Search(Struct, frozen=True, tag="search"):
    """What can be watched under a name, by the source of market data, the best first. Result: list of `MatchView`."""

    text: str


class SetReplay(Struct, frozen=True, tag="replay"):
    """Let a replay go faster or slower, pause it or let it go on, or while it is paused `step` to its next bar. What
    is None stays as it is. Result: `ReplayView`."""

    speed: float | Literal["max"] | None = None
    paused: bool | None = None
    step: bool = False


class Focus(Struct, frozen=True, tag="focus"):
    """The ticker whose detail this client's snapshots carry."""

    ticker: str | None


class GetSnapshot(Struct, frozen=True, tag="snapshot"):
    """Result: `Snapshot`."""


class GetHistory(Struct, frozen=True, tag="history"):
    """Bars for a chart, oldest first, from the source that the ticker's row shows. Result: `History`.

    When no interval is named, those of the finest one that has bars of the latest day; or, if `longest` is given, of
    the longest of at most so many seconds, and daily ones where what is finer does not reach back to `since`.

    The `last` of them, or the last before `until` and not before `since` (seconds since the epoch), each with the
    `indicators` named; without those of before the open and after the close, unless `extended` hours are wanted.
    """

    ticker: str
    interval: str | None = None
    last: int = 240
    until: float | None = None
    indicators: list[str] = []
    extended: bool = True
    since: float | None = None
    longest: int | None = None


class GetSeries(Struct, frozen=True, tag="series"):
    """Values that a chart can show beside prices, from `since` on: the scores of a ticker's headlines and posts, or an
    economic series by its name. Result: `ValueSeries`."""

    of: Literal["sentiment", "economic"]
    name: str
    since: float | None = None


class GetTopics(Struct, frozen=True, tag="topics"):
    """Every topic, by name, with all that is too much for a snapshot. Result: list of `TopicView`."""


class GetMessages(Struct, frozen=True, tag="messages"):
    """Records of a topic: the newest, those `before` the given offsets, or those from the offsets in `after` on. Both
    map partitions to offsets. Only those that contain a text, whatever its case, if one is given; where that reads as
    conditions on fields (`pipeline.model.field_filter`), those that meet them. Result: `MessagePage`."""

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
    """Watch by one more rule, as `pipeline.model.alert_rules` reads it. Result: the rule as it was understood."""

    rule: str


class RemoveAlert(Struct, frozen=True, tag="remove_alert"):
    """Forget a rule; one from the configuration is back at the next start. Result: the rule as it was understood."""

    rule: str


class GetAlerts(Struct, frozen=True, tag="alerts"):
    """The history of alerts, oldest first. Result: list of `AlertView`."""


class MakePlan(Struct, frozen=True, tag="make_plan"):
    """Say what would happen, and change nothing. Result: `Planned`."""

    operation: Operation


class CarryOut(Struct, frozen=True, tag="carry_out"):
    """Do what a plan says, of which `Planned` has told the number. Result: `Done`."""

    number: int


class Stop(Struct, frozen=True, tag="stop"):
    """Drain and stop the pipeline. The reply comes before; the connection closes when it is done."""


Command = (
    Add
    | Remove
    | Load
    | Pause
    | Resume
    | Restart
    | Search
    | SetReplay
    | Focus
    | GetSnapshot
    | GetHistory
    | GetSeries
    | GetTopics
    | GetMessages
    | GetLog
    | AddAlert
    | RemoveAlert
    | GetAlerts
    | MakePlan
    | CarryOut
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


Part = Literal[
    "outages",
    "services",
    "topics",
    "topics_total",
    "groups",
    "collections",
    "loads",
    "rules",
    "alerts",
    "budgets",
    "detail",
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
"""All of a snapshot but its number and time, the pipeline and the tickers."""


class Update(Struct, frozen=True, tag="update"):
    """A snapshot as it differs from the one that was sent before it on this connection, whole or as an update.

    Number, time and pipeline are in `snapshot` in any case; of the other parts those that have `changed`, and of its
    tickers those that are new or another. `watched` names all tickers in their order, if that is another.
    `pipeline.contract.updates` puts it together.
    """

    snapshot: Snapshot
    changed: list[Part] = []
    watched: list[str] | None = None


ClientFrame = Hello | Request
ServerFrame = Welcome | Refused | Reply | Push | Update


class TickersChanged(Struct, frozen=True):
    """The tickers that a command took effect on, and a sentence for the user."""

    tickers: list[str]
    note: str


class Planned(Struct, frozen=True):
    """A plan, which the pipeline keeps by its number until some others have been made."""

    number: int
    plan: Plan


class Done(Struct, frozen=True):
    """What was done, in a sentence for the user."""

    note: str


class MatchView(Struct, frozen=True):
    """Something that can be watched; what the source does not say is ""."""

    ticker: str
    name: str = ""
    exchange: str = ""
    kind: str = ""
    currency: str = ""


class BarPoint(Struct, frozen=True, array_like=True):
    """`ts` in seconds since the epoch; `volume` is None where it is not known; `extended` is one of before the open or
    after the close."""

    ts: float
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    extended: bool = False


class History(Struct, frozen=True):
    """`intervals` are those the store has for the ticker from `source`, finest first; `indicators` holds a value for
    each bar.

    `zone` names the time zone of its exchange, in which daily bars begin at midnight. `has_hours` says whether bars of
    before the open and after the close are told apart from those of regular trading.
    """

    ticker: str
    interval: str | None
    intervals: list[str]
    bars: list[BarPoint]
    indicators: dict[str, list[float | None]] = {}
    zone: str = "UTC"
    source: str = ""
    has_hours: bool = False


class ValueSeries(Struct, frozen=True):
    """Values with their times in seconds since the epoch, oldest first; `names` are the economic series there are."""

    of: Literal["sentiment", "economic"]
    name: str
    values: list[tuple[float, float]]
    names: list[str] = []


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
    that it began at and the one after its end. `older` says whether there are earlier records."""

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
    Search: list[MatchView],
    SetReplay: ReplayView,
    GetSnapshot: Snapshot,
    GetHistory: History,
    GetSeries: ValueSeries,
    GetTopics: list[TopicView],
    GetMessages: MessagePage,
    GetLog: list[LogLine],
    AddAlert: str,
    RemoveAlert: str,
    GetAlerts: list[AlertView],
    MakePlan: Planned,
    CarryOut: Done,
}
"""The type of a command's result; those not named have none."""

_encoder = msgspec.json.Encoder()


def encode_frame(frame: Struct) -> bytes:
    """One line, newline included."""
    return _encoder.encode(frame) + b"\n"
