"""What the screen receives: the whole state of the pipeline at one moment, small enough to send four times a second.

Plain data; imports nothing heavy. Times are seconds since the epoch, rates are per second.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from pipeline.contract.retention import Retention
from pipeline.model.outage import WaitsFor
from pipeline.model.sessions import Phase
from pipeline.model.skill import Skill

Time = Annotated[float, Meta(description="Seconds since the epoch.")]
Seconds = Annotated[float, Meta(description="In seconds.")]
Milliseconds = Annotated[float, Meta(description="In milliseconds.")]
PerSecond = Annotated[float, Meta(description="A second, over the last five.")]
PerSecondHistory = Annotated[list[float], Meta(description="In each of the last 60 seconds, oldest first.")]
Count = Annotated[int, Meta(description="Since the start of the process.")]

ServiceState = Literal[
    "starting", "running", "paused", "suspended", "backing off", "draining", "finished", "failed", "stopped"
]
PipelineState = Literal["starting", "running", "stopping"]
LoadState = Literal["waiting", "loading", "done", "failed"]
FeedState = Literal["", "live", "delayed", "stale", "closed", "away"]
GroupStatus = Literal["OK", "WARN", "ERR", "STALL"]
STUCK: Final = ("ERR", "STALL")
"""What says that a group does nothing about its lag."""


class NamesView(Struct, kw_only=True, frozen=True):
    """What Kafka adds to the names of topics and groups, and to those of groups that read; all else is without it."""

    topic_prefix: str = ""
    group_suffix: str = ""


class ProgressView(Struct, kw_only=True, frozen=True):
    """So many of so many are done."""

    done: int
    total: int


class ReplayView(Struct, kw_only=True, frozen=True):
    """A replay's own clock: `at` is None before its first bar; `speed` is times real time."""

    at: Time | None
    speed: float | Literal["max"]
    paused: bool = False


class PipelineView(Struct, kw_only=True, frozen=True):
    """The process itself. `source_note` says in words where the data comes from and why; `note` what it waits for.

    `namespace` is that of all its data, `simulated` whether they are; `names` says what its topics and groups are
    called on Kafka. `preview` says why they are simulated although nobody asked for it: no provider can be reached, and
    live data follow once one can. `set_aside` counts records on the bus that are of the other origin, real or
    simulated, and that are ignored. `dead_letter_at` is when the latest dead letter of this run came in; `unread` lists
    files in the data directory that could not be read lately. `restoring` counts the
    tickers of which what is stored has been read, None once all are: until then what is shown of a ticker may be
    missing. `replay` is set where what is shown was recorded.
    """

    pid: int
    version: str
    state: PipelineState
    started_at: Time
    source: str
    source_note: str
    note: str = ""
    simulated: bool
    preview: str = ""
    namespace: str = ""
    names: NamesView = NamesView()
    set_aside: Count = 0
    bus: str
    store: str
    roles: list[str]
    paused: bool = False
    idle: bool = False
    log_seq: int = 0
    dead_letters: int = 0
    dead_letter_at: Time | None = None
    unread: list[str] = []
    restoring: ProgressView | None = None
    replay: ReplayView | None = None


class TradingView(Struct, kw_only=True, frozen=True):
    """Which part of the trading day it is. `until` is when regular trading ends or, while it is not on, begins; None
    for what never closes."""

    phase: Phase
    until: Time | None = None


class TroubleView(Struct, kw_only=True, frozen=True):
    """Why nothing comes of a ticker. Without `next_try` it is not asked for again until something is changed."""

    why: str
    since: Time
    next_try: Time | None = None


class ExtendedView(Struct, kw_only=True, frozen=True):
    """A price of before the open or after the close; its change is from the price of regular trading."""

    session: Literal["pre", "post"]
    price: float
    change: float | None = None
    change_percent: float | None = None
    as_of: Time


class SplitView(Struct, kw_only=True, frozen=True):
    """`denominator` shares have become `numerator` shares; `ts` is the day's beginning."""

    ts: Time
    numerator: float
    denominator: float


class DayView(Struct, kw_only=True, frozen=True):
    """A day's regular trading so far; its opening price may be unknown."""

    open: float | None = None
    high: float
    low: float


class RangeView(Struct, kw_only=True, frozen=True):
    """The highest and the lowest price of a time."""

    high: float
    low: float


class NextCloseView(Struct, kw_only=True, frozen=True):
    """Where the next close of an interval will be with 80 %: by at most so many `percent` from the last one."""

    interval: str
    percent: float


class TickerView(Struct, kw_only=True, frozen=True):
    """One row of the watchlist; None is "not known yet". `change` is against the previous close.

    `updated_at` is when the pipeline last heard of it, `as_of` the event time of `price`; `spark` holds the latest
    closes, oldest first; `sentiment` is the rolling score from -1 to 1. `note` says why there is nothing, or what to
    know of the prices. All is from one `source` ("" while there is none), but for the sentiment, whose items come from
    several.

    `currency` is as the provider writes it, "" where it does not, and may be a minor unit such as ``GBp``. `price` and
    `change` are of regular trading, `extended` is later than that. `state` says what the price is worth: ``live``;
    ``delayed``, of minutes ago although the source answers; ``stale``, for nothing was heard for long; ``closed``, as
    its exchange is; ``away``, for the reason in `trouble`; empty before anything was heard. `trouble` may stand beside
    data that another source gives meanwhile. `trading` is None where the hours are not known.

    `day` is that of `price`, `year` the 52 weeks up to it; each is None where it is not known in full. `next_close` is
    of the longest interval that is forecast. `market_cap` is in units of the currency. `splits` are those that any
    source has told of, oldest first.
    """

    ticker: str
    source: str = ""
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
    currency: str = ""
    extended: ExtendedView | None = None
    day: DayView | None = None
    year: RangeView | None = None
    market_cap: float | None = None
    next_close: NextCloseView | None = None
    state: FeedState = ""
    trading: TradingView | None = None
    trouble: TroubleView | None = None
    splits: list[SplitView] = []


class ServiceView(Struct, kw_only=True, frozen=True):
    """A supervised service. `total` counts what it handled since the start; `retry_in` is set while backing off.

    `skipped` counts what was deleted from the bus before the service could read it; `since` is when its state began,
    `error` what it failed on last, `failing_since` set while it fails again and again, and `waits_for` what it misses
    then, empty for a fault of its own; `spark` is its rate in the last seconds, oldest first.

    A producer that shares its tickers or series with others has a number of `entries` that it serves now, and while it
    fails and nobody misses it, `stand_ins` are the sources that serve what it would.
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
    waits_for: WaitsFor | Literal[""] = ""
    spark: PerSecondHistory = []
    entries: Count | None = None
    stand_ins: list[str] = []

    @property
    def is_missed(self) -> bool:
        """Whether it fails and nobody stands in for it."""
        return self.failing_since is not None and not self.stand_ins

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

    `here` is this process; of the others, `client` and `host` say where they run. `foreign` marks another application
    that uses a group of the same name.
    """

    client: str
    host: str
    here: bool
    foreign: bool = False
    tickers: list[str] = []
    general: list[str] = []
    partitions: int = 0


class GroupView(Struct, kw_only=True, frozen=True):
    """Who does the work of a group: of consumers, or of those that publish (`producer`)."""

    group: str
    members: list[MemberView] = []


class TopicView(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A topic: its records, their rate, and how far behind each consumer group is.

    `partitions` and `retention` are for the screen of topics only; `retention` is None where the bus does not report
    it.
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
    the key does not include; `note` says what it waits for, `trouble` what is wrong, if anything is. `away_since` is
    set while the provider does not answer.
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
    away_since: Time | None = None


class IndicatorsView(Struct, kw_only=True, frozen=True):
    """The latest row of one interval; `values` are those of the collection `indicators`, by name."""

    interval: str
    ts: Time
    closed: bool
    close: float
    values: dict[str, float | None]


class HorizonView(Struct, kw_only=True, frozen=True):
    """What is said of the close so many `bars` ahead. `bands` are low and high by level, "50", "80" and "95" percent;
    empty while nothing can be said. `volatility` is the expected standard deviation of the return until then.

    The rest is the record of such forecasts, as in the collection `forecasts`: how many came, which part the bands
    `held` by level, and the mean interval scores in percent of the price; less is better.
    """

    bars: int
    bands: dict[str, tuple[float, float]] = {}
    volatility: float | None = None
    count: int = 0
    held: dict[str, float | None] = {}
    score: float | None = None
    score_ewma: float | None = None
    score_rolling: float | None = None
    skill: Skill = "unknown"


class ForecastView(Struct, kw_only=True, frozen=True):
    """What was said at the last closed bar of one interval, `ts`, with what came of the like since the bar `since`.

    `outside` is how far that bar's own close lies beyond the 95 % band that was said of it, in halves of its width,
    below zero inside; `drifted` the last bar at which returns had ceased to be like those before. `up` is the
    probability that the next return is positive, the losses are mean log-losses.
    """

    interval: str
    ts: Time
    close: float
    since: Time | None = None
    drifted: Time | None = None
    outside: float | None = None
    up: float | None = None
    up_loss: float | None = None
    up_loss_base: float | None = None
    up_skill: Skill = "unknown"
    horizons: list[HorizonView] = []


class HeadlineView(Struct, kw_only=True, frozen=True):
    """A scored headline or post. `words` and `tag` say what made `compound`, as in the collection `sentiment`; `url` is
    where to read it, as its source says: anything, or empty."""

    ts: Time
    kind: Literal["article", "post"]
    source: str
    text: str
    compound: float
    label: Literal["positive", "neutral", "negative"]
    words: list[tuple[str, float]] = []
    tag: Literal["bullish", "bearish"] | None = None
    url: str = ""


class DividendView(Struct, kw_only=True, frozen=True):
    """What was paid a share; `ts` is the ex-date, `currency` is "" where it is not known."""

    ts: Time
    amount: float
    currency: str = ""


class TickerDetail(Struct, kw_only=True, frozen=True):
    """More of the one ticker a screen has selected, from the same `source` as its row.

    `chart_version` changes when its bars do, and `rows_version` when their indicators do; `interval` is that of the row
    of indicators to be shown where there is room for one only. `forecasts` are of each interval, the finest first.
    `year_note` says why the row has no 52 weeks, `previous_close` is what its change is counted from.
    `zone` names the time zone of its exchange, in which its daily bars begin at midnight. `split` and `dividend` are
    the latest that its source has told of.
    """

    ticker: str
    source: str = ""
    interval: str | None = None
    zone: str = "UTC"
    previous_close: float | None = None
    year_note: str = ""
    split: SplitView | None = None
    dividend: DividendView | None = None
    indicators: list[IndicatorsView] = []
    forecasts: list[ForecastView] = []
    headlines: list[HeadlineView] = []
    chart_version: int = 0
    rows_version: int = 0


class OutageView(Struct, kw_only=True, frozen=True):
    """What is waited for, however long it takes: an engine or a provider by its name, since when, and why."""

    what: str
    kind: WaitsFor
    since: Time
    why: str


class Snapshot(Struct, kw_only=True, frozen=True):
    """Everything. `topics` holds at most 200, those that lag the most; `topics_total` counts all.

    `alerts` are the latest 20, oldest first.
    """

    seq: int
    at: Time
    pipeline: PipelineView
    outages: list[OutageView] = []
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


def total_lag(topics: Iterable[TopicView]) -> int:
    """Records that groups have yet to read; one that two groups read counts for each."""
    return sum(group.lag for topic in topics for group in topic.groups)


def greatest_lag(topics: Iterable[TopicView]) -> int | None:
    """Of any group on any of the topics; None where there are none."""
    return max((group.lag for topic in topics for group in topic.groups), default=None)
