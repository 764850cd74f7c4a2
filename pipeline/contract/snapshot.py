"""What the screen is told: the whole state of the pipeline at one moment, small enough to send four times a second.

Plain data; imports nothing heavy. Times are seconds since the epoch, rates are per second.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from pipeline.retention import Retention

Time = Annotated[float, Meta(description="Seconds since the epoch.")]
Seconds = Annotated[float, Meta(description="In seconds.")]
Milliseconds = Annotated[float, Meta(description="In milliseconds.")]
PerSecond = Annotated[float, Meta(description="A second, over the last five.")]
PerSecondHistory = Annotated[list[float], Meta(description="In each of the last 60 seconds, oldest first.")]
Count = Annotated[int, Meta(description="Since the start of the process.")]

ServiceState = Literal["starting", "running", "paused", "backing off", "draining", "finished", "failed", "stopped"]
PipelineState = Literal["starting", "running", "stopping"]
LoadState = Literal["waiting", "loading", "done", "failed"]
GroupStatus = Literal["OK", "WARN", "ERR", "STALL"]
STUCK: Final = ("ERR", "STALL")
"""What says that a group does nothing about its lag."""


class PipelineView(Struct, kw_only=True, frozen=True):
    """The process itself. `source_note` says in words where the data comes from and why; `note` what it waits for.

    `dead_letter_at` is when the latest dead letter of this run came in.
    """

    pid: int
    version: str
    state: PipelineState
    started_at: Time
    source: str
    source_note: str
    note: str = ""
    simulated: bool
    bus: str
    store: str
    roles: list[str]
    paused: bool = False
    idle: bool = False
    log_seq: int = 0
    dead_letters: int = 0
    dead_letter_at: Time | None = None


class TickerView(Struct, kw_only=True, frozen=True):
    """One row of the watchlist; None is "not known yet". `change` is against the previous close.

    `updated_at` is when the pipeline last heard of it, `as_of` the event time of `price`; `spark` holds the latest
    closes, oldest first; `sentiment` is the rolling score from -1 to 1. `note` says why there is nothing, if there is a
    reason.
    """

    ticker: str
    price: float | None = None
    change: float | None = None
    change_percent: float | None = None
    volume: float | None = None
    spark: list[float] = []
    rsi: float | None = None
    macd_hist: float | None = None
    sentiment: float | None = None
    as_of: Time | None = None
    updated_at: Time | None = None
    simulated: bool = False
    note: str = ""


class ServiceView(Struct, kw_only=True, frozen=True):
    """A supervised service. `total` counts what it handled since the start; `retry_in` is set while backing off.

    `skipped` counts what was deleted from the bus before the service could read it; `since` is when its state began,
    `error` what it failed on last, `failing_since` set while it fails again and again; `spark` is its rate in the last
    seconds, oldest first.
    """

    name: str
    role: Literal["producer", "processor", "sink", "view", "loader", "claims"]
    state: ServiceState
    rate: PerSecond = 0.0
    total: Count = 0
    restarts: Count = 0
    skipped: Count = 0
    since: Time = 0.0
    error: str | None = None
    retry_in: Seconds | None = None
    failing_since: Time | None = None
    spark: PerSecondHistory = []

    @property
    def kind(self) -> str:
        """The first word of its name: what a producer publishes, as in `social reddit`."""
        return self.name.partition(" ")[0]


class GroupLag(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """How far a consumer group is behind. `since` is when its status began, None while that is OK; `lags` is the lag
    in the last seconds, oldest first (on the screen of topics only)."""

    group: str
    lag: int
    status: GroupStatus = "OK"
    since: Time | None = None
    lags: list[int] = []


class MemberView(Struct, kw_only=True, frozen=True):
    """A member of a group, and what it works on: tickers, topics of no ticker, and how many partitions in all.

    `here` is this process; of the others, `client` and `host` tell where they are.
    """

    client: str
    host: str
    here: bool
    tickers: list[str] = []
    general: list[str] = []
    partitions: int = 0


class GroupView(Struct, kw_only=True, frozen=True):
    """Who does the work of a group: of consumers, or of those that publish (`producer`)."""

    group: str
    members: list[MemberView] = []


class TopicView(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A topic: its records, their rate, and how far behind each consumer group is.

    `partitions` and `retention` are for the screen of topics only; `retention` is None where the bus does not tell.
    """

    topic: str
    records: int
    rate: PerSecond = 0.0
    partitions: int = 0
    retention: Retention | None = None
    groups: list[GroupLag] = []


class CollectionView(Struct, kw_only=True, frozen=True):
    """Writes to a collection. Latencies, in ms, are those of whole batches; `spark`: writes a second, oldest first.

    `delay` is the time from a record's entry into the bus to its document being durable, of each batch's first record.
    """

    name: str
    per_second: PerSecond = 0.0
    total: Count = 0
    documents: int | None = None
    p50_ms: Milliseconds | None = None
    p99_ms: Milliseconds | None = None
    delay_p50_ms: Milliseconds | None = None
    delay_p99_ms: Milliseconds | None = None
    spark: PerSecondHistory = []


class LoadView(Struct, kw_only=True, frozen=True):
    """An initial load of one ticker. `total` is 0 until it is known; `note` says what went wrong, or was left out."""

    ticker: str
    state: LoadState
    done: int = 0
    total: int = 0
    note: str = ""


class RuleView(Struct, kw_only=True, frozen=True):
    """An alert rule, where it comes from, and for whom it has fired and is not over ("" is the pipeline)."""

    rule: str
    origin: Literal["config", "screen"]
    fired: list[str] = []


class AlertView(Struct, kw_only=True, frozen=True):
    """A rule that fired. `seq` grows by one with each, over restarts; `ticker` is "" for what is the pipeline's."""

    seq: int
    at: Time
    rule: str
    ticker: str
    metric: str
    value: float


class BudgetView(Struct, kw_only=True, frozen=True):
    """Requests to a provider: those `used` and `left` of today's `limit` (None: no day has one).

    The next one is planned for `next_at`, to ask for `next_what` ("MSFT news"). `not_in_plan` names what the plan of
    the key does not include; `note` says what it waits for, `trouble` what is wrong, if anything is.
    """

    name: str
    used: int
    limit: int | None
    left: int | None
    next_at: Time | None = None
    next_what: str = ""
    not_in_plan: list[str] = []
    note: str = ""
    trouble: str = ""


class IndicatorsView(Struct, kw_only=True, frozen=True):
    """The latest row of one interval; `values` are those of the collection `indicators`, by name."""

    interval: str
    ts: Time
    closed: bool
    close: float
    values: dict[str, float | None]


class HeadlineView(Struct, kw_only=True, frozen=True):
    """A scored headline or post. `words` and `tag` say what made `compound`, as in the collection `sentiment`."""

    ts: Time
    kind: Literal["article", "post"]
    source: str
    text: str
    compound: float
    label: Literal["positive", "neutral", "negative"]
    words: list[tuple[str, float]] = []
    tag: Literal["bullish", "bearish"] | None = None


class TickerDetail(Struct, kw_only=True, frozen=True):
    """More of the one ticker a screen has selected. `chart_version` changes when its bars do."""

    ticker: str
    indicators: list[IndicatorsView] = []
    headlines: list[HeadlineView] = []
    chart_version: int = 0


class Snapshot(Struct, kw_only=True, frozen=True):
    """Everything. `topics` holds at most 200, those that lag the most; `topics_total` counts all.

    `alerts` are the latest 20, oldest first.
    """

    seq: int
    at: Time
    pipeline: PipelineView
    tickers: list[TickerView] = []
    services: list[ServiceView] = []
    topics: list[TopicView] = []
    topics_total: int = 0
    groups: list[GroupView] = []
    collections: list[CollectionView] = []
    loads: list[LoadView] = []
    rules: list[RuleView] = []
    alerts: list[AlertView] = []
    budgets: list[BudgetView] = []
    detail: TickerDetail | None = None


MAX_TOPICS = 200
MAX_ALERTS = 20
