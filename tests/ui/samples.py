"""Snapshots and histories as a running pipeline would send them; the same for every call."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from pipeline.contract.plans import (
    Letter,
    OffsetChange,
    OffsetsPlan,
    Operation,
    Plan,
    Purge,
    PurgePlan,
    Replay,
    ResetOffsets,
    Retry,
    RetryPlan,
)
from pipeline.contract.protocol import BarPoint, GetSeries, History, LogLine, MatchView, TopicMessage, ValueSeries
from pipeline.contract.retention import Retention
from pipeline.contract.snapshot import (
    AlertView,
    BudgetView,
    CollectionView,
    DayView,
    DividendView,
    ExtendedView,
    ForecastView,
    GroupLag,
    GroupStatus,
    GroupView,
    HeadlineView,
    HorizonView,
    IndicatorsView,
    LoadView,
    MemberView,
    NextCloseView,
    PipelineView,
    RangeView,
    RuleView,
    ServiceView,
    Snapshot,
    SplitView,
    TickerDetail,
    TickerView,
    TopicView,
    TradingView,
    TroubleView,
)
from pipeline.model.sessions import has_extended_hours

NOW = datetime(2026, 11, 20, 15, 4, 5, tzinfo=UTC).timestamp()
STORED = 1000
Role = Literal["producer", "processor", "sink", "view", "loader"]
WEEK = Retention(ms=7 * 86_400_000)
INTERVALS = ["1min", "5min", "60min", "daily"]

_PRICES = {
    "AAPL": 170.38,
    "MSFT": 108.22,
    "TSLA": 307.88,
    "AMZN": 1609.07,
    "JPM": 105.55,
    "BRK.B": 204.91,
    "^GSPC": 2775.6,
    "BTC-USD": 3637.15,
    "DOGE-USD": 0.0021,
}
MATCHES = (
    MatchView("AAPL", "Apple Inc.", "NASDAQ", "Equity"),
    MatchView("APC.DE", "Apple Inc.", "XETRA", "Equity"),
    MatchView("NVDA", "NVIDIA Corporation [NVDA]", "NASDAQ", "Equity"),
)
_HEADLINES: tuple[tuple[str, float, list[tuple[str, float]]], ...] = (
    ("Apple beats revenue estimates on record services growth", 0.71, [("beats", 2.7), ("growth", 1.1)]),
    ("Supplier warns of weak iPhone demand in the coming quarter", -0.58, [("weak", -2.4), ("warns", -1.8)]),
    ("loading up before earnings, this one is going to run [$AAPL]", 0.5, []),
    ("Apple to open second campus in Austin", 0.0, []),
    ("Regulators widen antitrust investigation into App Store fees", -0.41, [("antitrust", -2.2)]),
    (
        "Analysts lift price targets as margins improve for the third quarter in a row, with services leading",
        0.52,
        [("improve", 1.8), ("lift", 1.7)],
    ),
    ("not touching this until the next Fed meeting", -0.12, [("[/not touching", -0.5)]),
    ("Berkshire trims its stake in Apple", -0.18, [("trims", -1.2)]),
)


def ticker(name: str, index: int = 0, **changes: object) -> TickerView:
    """A ticker about which everything is known."""
    noise = random.Random(name)
    price = _PRICES.get(name, 100.0)
    percent = noise.uniform(-2.5, 2.5)
    spark, value = [], price * (1 - percent / 100)
    for _ in range(30):
        value += noise.gauss(price * percent / 3000, price * 0.0008)
        spark.append(value)
    view = TickerView(
        ticker=name,
        source="alpha_vantage",
        price=price,
        change=price * percent / 100,
        change_percent=percent,
        volume=noise.uniform(3e4, 4e7),
        spark=spark,
        rsi=noise.uniform(22, 78),
        macd_hist=noise.uniform(-0.4, 0.4),
        sentiment=noise.uniform(-0.6, 0.6),
        day=DayView(open=price * (1 - percent / 200), high=price * 1.013, low=price * 0.985),
        year=RangeView(high=price * 1.31, low=price * 0.62),
        next_close=NextCloseView(interval="daily", percent=1.5 + index / 10),
        as_of=NOW - 5,
        updated_at=NOW - index * 7 - 1,
    )
    return replace(view, **changes)


def detail(name: str = "AAPL") -> TickerDetail:
    """Indicators in every interval and eight headlines."""
    price = _PRICES.get(name, 100.0)
    headlines = [
        HeadlineView(
            ts=NOW - 90 - 1100 * index,
            kind="post" if text.islower() else "article",
            source="stocktwits" if index % 3 == 2 else "Benzinga",
            text=text,
            compound=score,
            label="positive" if score > 0.05 else "negative" if score < -0.05 else "neutral",
            words=words,
            tag="bullish" if score == 0.5 else None,
            url=f"https://news.example/{index}",
        )
        for index, (text, score, words) in enumerate(_HEADLINES)
    ]
    indicators = [_indicators(interval, price, index) for index, interval in enumerate(INTERVALS)]
    return TickerDetail(
        ticker=name,
        source="alpha_vantage",
        previous_close=price / 1.0146,
        indicators=indicators,
        forecasts=[forecast(interval, price) for interval in INTERVALS],
        headlines=headlines,
        chart_version=1,
    )


def snapshot(**changes: object) -> Snapshot:
    """A pipeline in full swing, with AAPL selected."""
    tickers = [ticker(name, index) for index, name in enumerate(_PRICES)]
    view = Snapshot(
        seq=1,
        at=NOW,
        pipeline=pipeline(),
        tickers=tickers,
        services=_services(),
        topics=topics(),
        topics_total=47,
        groups=_groups(),
        collections=_collections(),
        detail=detail(),
    )
    return replace(view, **changes)


def pipeline(**changes: object) -> PipelineView:
    view = PipelineView(
        pid=4711,
        version="0.1.0",
        state="running",
        started_at=NOW - 3725,
        source="alpha_vantage",
        source_note="live quotes, news and sentiment",
        simulated=False,
        bus="kafka localhost:9092",
        store="mongodb localhost:27017",
        roles=["producer", "processor", "sink"],
        log_seq=12,
    )
    return replace(view, **changes)


LOTS = """\
# mine
[[lot]]
ticker = "AAPL"
quantity = 10
price = 150.00
date = 2024-03-01
fees = 4

[[lot]]
ticker = "VOD.L"
quantity = 1000
price = 90
date = 2024-03-01

[[lot]]
ticker = "MSFT"
quantity = -5
price = 120
"""


def in_two_currencies(rate: float | None = 1.25, **changes: object) -> Snapshot:
    """What `LOTS` hold, in dollars and pence, and TSLA; `rate` is that of the pound, None without one."""
    tickers = [
        ticker("AAPL", change=2.0),
        ticker("MSFT", change=-1.0),
        ticker("TSLA"),
        ticker("VOD.L", price=115.75, change=-0.25, currency="GBp"),
    ]
    tickers += [ticker("GBPUSD=X", price=rate, change=None)] if rate is not None else []
    return snapshot(tickers=tickers, **changes)


def of_all_worths() -> Snapshot:
    """Tickers in every state of their feeds, in several currencies; AAPL, selected, is traded after the close."""
    post = TradingView(phase="post", until=NOW + 62_700)
    extended = ExtendedView(session="post", price=171.02, change=0.64, change_percent=0.3756, as_of=NOW - 40)
    away = TroubleView(why="Yahoo does not know this symbol", since=NOW - 900, next_try=NOW + 9900)
    tickers = [
        ticker("AAPL", source="yahoo", currency="USD", state="live", trading=post, extended=extended),
        ticker("VOD.L", 1, price=115.75, change=-0.8, change_percent=-0.69, currency="GBp", state="closed"),
        ticker("SAP.DE", 2, price=165.2, change=1.3, currency="EUR", state="delayed", as_of=NOW - 1020),
        ticker("7203.T", 3, price=2845.5, change=-12.0, currency="JPY", state="closed"),
        ticker("BTC-USD", 4, price=93_637.15, currency="USD", source="coinbase", state="live"),
        ticker("MSFT", updated_at=NOW - 700, state="stale"),
        ticker("OLD", price=12.5, change=None, change_percent=None, spark=[], state="away", trouble=away),
        TickerView(ticker="NONE", state="away", trouble=away),
    ]
    told = replace(
        detail(),
        zone="America/New_York",
        dividend=DividendView(ts=NOW - 900_000, amount=0.26, currency="USD"),
        split=SplitView(ts=datetime(2020, 8, 31, 4, tzinfo=UTC).timestamp(), numerator=4, denominator=1),
    )
    return snapshot(tickers=tickers, detail=told)


def rules() -> list[RuleView]:
    """One of the configuration that is quiet, one of the screen that has fired for TSLA, one of the pipeline."""
    return [
        RuleView(rule="AAPL price > 250", origin="config"),
        RuleView(rule="price > 300", origin="screen", fired=["TSLA"]),
        RuleView(rule="lag > 1000", origin="screen", fired=[""]),
    ]


def alert(seq: int = 1, ticker: str = "TSLA", **changes: object) -> AlertView:
    view = AlertView(seq=seq, at=NOW - 10, rule="price > 300", ticker=ticker, metric="price", value=300.0 + seq)
    return replace(view, **changes)


def alerts(count: int) -> list[AlertView]:
    """Oldest first, numbered from 1, a minute apart."""
    return [alert(seq, at=NOW - 60 * (count - seq)) for seq in range(1, count + 1)]


def loads() -> list[LoadView]:
    return [
        LoadView(ticker="AAPL", state="done", done=4120, total=4120, note="news left out: no API key"),
        LoadView(ticker="MSFT", state="loading", done=1840, total=4120),
        LoadView(ticker="TSLA", state="waiting"),
        LoadView(ticker="JPM", state="failed", done=312, total=4120, note="rate limit reached; press i to try again"),
    ]


def budget(**changes: object) -> BudgetView:
    """A free key in the middle of its day."""
    view = BudgetView(
        name="Alpha Vantage", used=7, limit=25, left=18, next_at=NOW + 600, next_what="MSFT news", not_in_plan=["bulk"]
    )
    return replace(view, **changes)


def history(
    name: str = "AAPL",
    interval: str | None = None,
    last: int = 240,
    until: float | None = None,
    indicators: Sequence[str] = (),
    since: float | None = None,
    longest: int | None = None,
) -> History:
    """A random walk of 1,000 bars that ends at the ticker's price."""
    seconds = {"1min": 60, "5min": 300, "60min": 3600, "daily": 86_400}
    short = [name for name in INTERVALS if seconds[name] <= (longest or 0)]
    interval = interval or (short or INTERVALS[:1])[-1]
    step = seconds[interval]
    noise = random.Random(f"{name} {interval}")
    closes = [_PRICES.get(name, 100.0)]
    for index in range(STORED - 1):
        closes.append(closes[-1] * (1 + noise.gauss(0, 0.0011) + 0.0005 * math.sin(index / 25)))
    closes.reverse()
    bars = [
        BarPoint(
            ts=NOW - (STORED - index) * step,
            open=open_,
            high=max(open_, close) * (1 + noise.uniform(0, 0.0008)),
            low=min(open_, close) * (1 - noise.uniform(0, 0.0008)),
            close=close,
            volume=noise.uniform(2e3, 9e3),
        )
        for index, (open_, close) in enumerate(zip([closes[0], *closes], closes, strict=False))
    ]
    bars = [bar for bar in bars if (since or 0.0) <= bar.ts < (until or math.inf)][-last:]
    values = {field: [None] * 19 + [bar.close * 1.001 for bar in bars[19:]] for field in indicators}
    return History(
        ticker=name,
        interval=interval,
        intervals=INTERVALS,
        bars=bars,
        indicators=values,
        source="alpha_vantage",
        has_hours=bool(name) and has_extended_hours(name),
    )


def series(wanted: GetSeries) -> ValueSeries:
    """Scores of a day, or one value a month of an economic series."""
    noise = random.Random(wanted.name)
    if wanted.of == "sentiment":
        values = [(NOW - 600.0 * index, noise.uniform(-1, 1)) for index in range(150, 0, -1)]
    else:
        values = [(NOW - 30 * 86_400.0 * index, 100 + noise.uniform(-2, 2)) for index in range(40, 0, -1)]
    names = ["CPI", "REAL_GDP"] if wanted.of == "economic" else []
    return ValueSeries(wanted.of, wanted.name, [value for value in values if value[0] >= (wanted.since or 0.0)], names)


def log_lines(count: int = 12) -> list[LogLine]:
    """Lines numbered from 1, an error every ninth and a warning every fifth."""
    lines = []
    for seq in range(1, count + 1):
        level = "ERROR" if seq % 9 == 0 else "WARNING" if seq % 5 == 0 else "INFO"
        text = {
            "ERROR": "sink-sentiment: cannot reach mongodb localhost:27017, trying again in 4 s",
            "WARNING": "alpha_vantage: rate limit, next request in 12 s",
            "INFO": f"published {seq * 17} records to stock_data_aapl",
        }[level]
        lines.append(LogLine(seq, NOW - (count - seq) * 3, level, "pipeline.stages", text))
    return lines


def _indicators(interval: str, price: float, index: int) -> IndicatorsView:
    values: dict[str, float | None] = {
        "rsi_14": 61.2 + index,
        "macd": 0.1423 - index * 0.1,
        "macd_signal": 0.1201,
        "macd_hist": 0.0222 - index * 0.1,
        "stoch_k": 82.4,
        "stoch_d": 78.9,
        "adx_14": 24.1,
        "sma_20": price * 0.998,
        "sma_50": None if interval == "daily" else price * 0.991,
        "ema_12": price * 0.999,
        "ema_26": price * 0.997,
        "vwap": price * 0.9985,
        "bb_upper": price * 1.01,
        "bb_middle": price * 0.998,
        "bb_lower": price * 0.986,
        "atr_14": 0.2417,
        "obv": 184_223_911.0,
        "return_1": -0.00042,
        "volatility_10": 0.00131,
    }
    return IndicatorsView(interval=interval, ts=NOW - 65, closed=index > 0, close=price, values=values)


def forecast(interval: str, price: float) -> ForecastView:
    """Of the next close with some skill, of five bars with too few to tell; of the direction with none."""
    return ForecastView(
        interval=interval,
        ts=NOW - 65,
        close=price,
        since=NOW - 5 * 86_400,
        outside=-0.4,
        up=0.48,
        up_loss=0.6939,
        up_loss_base=0.6948,
        up_skill="none",
        horizons=[
            _horizon(1, price, 0.0006, count=1846, skill="some"),
            _horizon(5, price, 0.0014, count=70),
            _horizon(15, price, 0.0025, count=64),
        ],
    )


def _horizon(bars: int, price: float, half: float, **changes: object) -> HorizonView:
    widths = {"50": 0.5 * half, "80": half, "95": 1.6 * half}
    view = HorizonView(
        bars=bars,
        bands={level: (price * (1 - width), price * (1 + width)) for level, width in widths.items()},
        volatility=half,
        held={"50": 0.502, "80": 0.799, "95": 0.948},
        score=0.1534,
        score_ewma=0.1571,
        score_rolling=0.1821,
    )
    return replace(view, **changes)


def _services() -> list[ServiceView]:
    noise = random.Random("services")

    def service(name: str, role: Role, rate: float, total: int, **changes: object) -> ServiceView:
        spark = [max(0.0, rate + noise.gauss(0, rate / 3)) for _ in range(60)]
        view = ServiceView(name=name, role=role, state="running", rate=rate, total=total, since=NOW - 3720, spark=spark)
        return replace(view, **changes)

    return [
        service("market", "producer", 8.4, 31_288),
        service("news", "producer", 0.2, 412),
        service(
            "social",
            "producer",
            0,
            96,
            state="backing off",
            since=NOW - 3,
            restarts=3,
            error="reddit answered 429: too many requests; the limit is 60 a minute, and 4 are made for each ticker",
            retry_in=12,
            failing_since=NOW - 130,
        ),
        service("economic", "producer", 0, 640, state="finished"),
        service("indicators", "processor", 8.4, 31_280),
        service("sentiment", "processor", 1.1, 508),
        service("sink", "sink", 18.2, 64_109),
        service("view", "view", 18.2, 64_109),
    ]


def _groups() -> list[GroupView]:
    """Another process produces TSLA and the economic series, and shares the sink's partitions."""
    other = MemberView(client="fintrends-attic-77", host="10.0.0.7", here=False)
    here = MemberView(client="fintrends-cellar-4711", host="10.0.0.5", here=True)
    return [
        GroupView(
            group="producer",
            members=[
                replace(here, tickers=["AAPL", "MSFT"], partitions=2),
                replace(other, tickers=["TSLA"], general=["economic_general"], partitions=2),
            ],
        ),
        GroupView(group="indicator-processor", members=[replace(here, tickers=["AAPL", "MSFT", "TSLA"], partitions=3)]),
        GroupView(
            group="sink",
            members=[
                replace(here, tickers=["AAPL", "MSFT"], partitions=10),
                replace(other, tickers=["TSLA"], general=["economic_general", "dead_letter"], partitions=7),
            ],
        ),
    ]


def topics(*, history: bool = False) -> list[TopicView]:
    """Those of four tickers; `history` as in the answer to `GetTopics`."""
    found = []
    for index, name in enumerate(("aapl", "msft", "tsla", "brk_2eb")):
        behind = name == "tsla"
        groups = [
            _group("indicator-processor", 1240 if behind else 0, "WARN" if behind else "OK", history),
            _group("sink", index, "OK", history),
        ]
        stock = TopicView(
            topic=f"stock_data_{name}", records=31_000 - index * 700, rate=2.1, groups=groups, retention=WEEK
        )
        sink = [_group("sink", 0, "OK", history)]
        indicators = TopicView(topic=f"indicators_{name}", records=9_800, rate=2.1, groups=sink, retention=WEEK)
        sentiment = TopicView(topic=f"sentiment_{name}", records=212, rate=0.3, groups=sink, retention=Retention())
        found += [replace(topic, partitions=3) for topic in (stock, indicators, sentiment)]
    return found


def plan(operation: Operation) -> Plan:
    """What would happen if all of AAPL were there, or nothing of any other ticker."""
    match operation:
        case Purge(ticker):
            there = ticker == "AAPL"
            topics = {"indicators_aapl": 9_800, "stock_data_aapl": 31_000} if there else {}
            return PurgePlan(ticker, there, topics, {"stock_data": 30_112, "dead_letter": 1} if there else {})
        case Retry():
            reason = "sink cannot process it, because of an error in this program: KeyError"
            where = ("stock_data_aapl|0|118", "stock_data_aapl", 0, 118)
            return RetryPlan([Letter(*where, reason), Letter(*where, "not JSON", "stays: it still cannot be decoded")])
        case ResetOffsets(group, to, topics):
            change = OffsetChange(group, "stock_data_aapl", 0, 31_000, 29_760, 0)
            later = OffsetChange(group, "stock_data_tsla", 0, None, 1_240, 0)
            busy = "sink is worked on by fintrends-other-7 at 10.0.0.7; stop that first" if to == "end" else ""
            return OffsetsPlan([change] if topics else [change, later], busy)
        case Replay():
            return OffsetsPlan([OffsetChange("sink", "stock_data_aapl", 0, 31_000, 29_760, 0)])


def stalled_topics() -> list[TopicView]:
    """Two topics that the sink has read nothing of for three minutes."""
    return [
        TopicView(
            topic=f"stock_data_{name}",
            records=31_000,
            groups=[GroupLag(group="sink", lag=620, status="STALL", since=NOW - 185)],
        )
        for name in ("aapl", "msft")
    ]


def messages(count: int = 120) -> list[TopicMessage]:
    """Bars of AAPL, oldest first, and now and then what somebody else wrote."""
    found = []
    for offset in range(count):
        ts = NOW - 60 * (count - offset)
        value = (
            f'{{"type":"bar","ts":"2026-11-20T15:00:00Z","simulated":false,"ticker":"AAPL","interval":"1min",'
            f'"open":170.1,"high":170.5,"low":169.9,"close":{170 + offset / 100:.2f},"volume":{1200 + offset},'
            f'"closed":true,"revision":0,"source":"alpha_vantage"}}'
        )
        if offset % 50 == 48:
            value = "not JSON at all [/bold] \x1b[31m" + "long " * 60
        headers = {"schema": "bar.v1", "ingested": str(int(ts * 1e9))}
        found.append(TopicMessage(0, offset, ts, "AAPL", headers, value, len(value)))
    return found


def dead_letters() -> list[TopicMessage]:
    """A bar and an article that could not be processed."""
    rows = (
        (
            "stock_data_aapl",
            31_022,
            "Expected `float` > 0.0 - at `$.close`",
            '{"type":"bar","ticker":"AAPL","close":-1}',
        ),
        ("news_tsla", 408, "JSON is malformed: invalid character (byte 0)", "<html>502 Bad Gateway</html>"),
    )
    found = []
    for offset, (topic, origin, reason, payload) in enumerate(rows):
        letter = {
            "type": "dead_letter", "ts": "2026-11-20T15:03:00Z", "simulated": False, "topic": topic, "partition": 0,
            "offset": origin, "reason": reason, "payload": payload,
        }  # fmt: skip
        value = msgspec.json.encode(letter).decode()
        found.append(TopicMessage(0, offset, NOW - 90 + offset, topic, {"schema": "dead_letter.v1"}, value, len(value)))
    return found


def _group(group: str, lag: int, status: GroupStatus, history: bool) -> GroupLag:
    noise = random.Random(f"{group} {lag}")
    lags = [max(0, round(lag * (0.4 + n / 100) + noise.gauss(0, lag / 40))) for n in range(59)]
    return GroupLag(
        group=group,
        lag=lag,
        status=status,
        since=None if status == "OK" else NOW - 42,
        lags=[*lags, lag] if history else [],
    )


def _collections() -> list[CollectionView]:
    noise = random.Random("collections")
    rows = (("stock_data", 8.4, 31_288), ("indicators", 8.4, 31_280), ("sentiment", 1.1, 508), ("news", 0.2, 412))
    rows += (("social", 0.0, 96), ("economic", 0.0, 640), ("dead_letter", 0.0, 0))
    return [
        CollectionView(
            name=name,
            per_second=rate,
            total=total,
            documents=total * 3,
            p50_ms=1.8 if total else None,
            p99_ms=14.2 if total else None,
            delay_p50_ms=38.1 if total else None,
            delay_p99_ms=240.0 if total else None,
            spark=[max(0.0, rate + noise.gauss(0, rate / 3)) for _ in range(30)],
        )
        for name, rate, total in rows
    ]
