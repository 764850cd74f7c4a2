"""Whatever comes, in whatever order: the view says what the store holds."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, get_args
from unittest import mock
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analytics.market_view import LiveView
from pipeline.analytics.sentiment import Opinion, rolling_score
from pipeline.analytics.source_state import SPARK, _Series
from pipeline.contract.snapshot import DayView, TickerDetail, TickerView
from pipeline.model.documents import QUOTE, Document, document_of
from pipeline.model.messages import INTERVALS, AnyMessage, Bar, IndicatorRow, Interval, Quote, ScoredItem

ZONE = ZoneInfo("America/New_York")
START = datetime(2026, 11, 16, 14, 30, tzinfo=UTC)  # a Monday, 09:30 in New York
NOW = START + timedelta(days=11, hours=3)
SOURCES = ("alpha", "beta", "replay", "toy")
SIMULATED = "toy"
KEPT = {"daily": 372} | dict.fromkeys(INTERVALS[:-1], 4)
LATELY = 7


def _moment(interval: str, day: int, minute: int) -> datetime:
    if interval == "daily":
        return datetime.combine((START + timedelta(days=day)).date(), datetime.min.time(), ZONE).astimezone(UTC)
    return START + timedelta(days=day, minutes=minute)


@st.composite
def messages(draw: st.DrawFn, sources: tuple[str, ...] = SOURCES) -> AnyMessage:
    source = draw(st.sampled_from(sources))
    interval: Interval = draw(st.sampled_from(("1min", "5min", "daily")))
    ts = _moment(interval, draw(st.integers(0, 13)), draw(st.integers(0, 2)))
    price = float(draw(st.integers(90, 110)))
    # Up to well after the last of the bars, in milliseconds.
    revision = draw(st.sampled_from((0, 1, 2))) and int((ts.timestamp() + draw(st.integers(0, 90_000))) * 1000)
    common: dict[str, Any] = {"ticker": "AAPL", "source": source, "simulated": source == SIMULATED}
    match draw(st.sampled_from(("bar", "bar", "quote", "row", "item"))):
        case "bar":
            volume = draw(st.none() | st.integers(0, 3).map(float))
            values: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), price) | {"volume": volume}
            closed = draw(st.booleans())
            return Bar(ts=ts, interval=interval, closed=closed, revision=revision, **values, **common)
        case "quote":
            ts = _moment("1min", draw(st.integers(0, 12)), draw(st.integers(0, 2)))
            known = {"previous_close": draw(st.none() | st.just(97.0)), "volume": draw(st.none() | st.just(5.0))}
            return Quote(ts=ts, price=price, revision=draw(st.integers(0, 2)), **known, **common)
        case "row":
            lineage = f"{1:08x}-{int(price):032x}"  # of one lineage there is one row
            return IndicatorRow(ts=ts, interval=interval, lineage=lineage, close=price, rsi_14=price - 50, **common)
        case _:
            number, compound = draw(st.integers(0, 3)), draw(st.sampled_from((-0.5, 0.25, 0.75)))
            ts = NOW - timedelta(hours=draw(st.integers(0, 90)))
            return ScoredItem(
                ts=ts, id=str(number), kind="post", text=f"{number}", compound=compound, label="neutral",
                scoring=draw(st.integers(0, 1)), **common,
            )  # fmt: skip


def _stored(sent: Iterable[AnyMessage]) -> list[AnyMessage]:
    """What a store gives back: of each key the greatest version."""
    kept: dict[tuple[str, str], Document] = {}
    for document in map(document_of, sent):
        known = kept.get((document.collection, document.id))
        if known is None or document.version > known.version:
            kept[document.collection, document.id] = document
    return [_message(document) for document in kept.values()]


def _message(document: Document) -> AnyMessage:
    types: dict[str, Any] = {"stock_data": Bar, "indicators": IndicatorRow, "sentiment": ScoredItem}
    type_ = Quote if document.interval == QUOTE else types[document.collection]
    beside = {name: getattr(document, name) for name in ("ticker", "interval", "source", "ts")}
    message: AnyMessage = msgspec.convert(document.body | beside, type_)
    assert isinstance(message, get_args(AnyMessage))
    return message


def _shown(
    sent: Iterable[AnyMessage], preferred: tuple[str, ...], *, together: bool = False
) -> tuple[TickerView, TickerDetail, dict[str, Any]]:
    view = LiveView(ZONE, lambda _: preferred)
    state = view.of("AAPL")
    if together:
        view.put_all(sent, 5.0)
    else:
        for message in sent:
            view.put(message, 5.0)
    detail = msgspec.structs.replace(state.detail(NOW), chart_version=0, rows_version=0)
    return state.view(NOW), detail, state.values(NOW)


def _day(ts: datetime) -> date:
    return ts.astimezone(ZONE).date()


class _Plainly:
    """The figures of one source, from all its documents at once and without regard to cost."""

    def __init__(self, name: str, stored: Iterable[AnyMessage]) -> None:
        self.name = name
        of_it = [message for message in stored if not isinstance(message, ScoredItem) and message.source == name]  # type: ignore[union-attr]
        bars = [bar for bar in of_it if isinstance(bar, Bar)]
        self.bars = [bar for bar in bars if _day(bar.ts) in _last_days(bars, bar.interval)]
        self.quote = max((q for q in of_it if isinstance(q, Quote)), key=lambda q: q.ts, default=None)
        rows = sorted((row for row in of_it if isinstance(row, IndicatorRow)), key=lambda row: row.ts)
        self.rows = list({row.interval: row for row in rows}.values())
        of_intervals: list[Bar | IndicatorRow] = [*self.bars, *self.rows]
        finer = [_day(m.ts) for m in of_intervals if m.interval != "daily"]
        finer += [_day(self.quote.ts)] if self.quote else []
        daily = [_day(m.ts) for m in of_intervals if m.interval == "daily"]
        is_recording = name == "replay" or max(daily, default=date.min) > _day(NOW)
        self.limit = max(finer) if finer and is_recording else date.max
        self._find_price()

    def _find_price(self) -> None:
        self.price: float | None = None
        self.as_of: datetime | None = None
        self.day: date | None = None
        self.volume: float | None = None
        self.simulated = False
        counted = [bar for bar in self.bars if _day(bar.ts) <= self.limit]
        latest = [max((b for b in counted if b.interval == i), key=lambda b: b.ts, default=None) for i in INTERVALS]
        bar = max(
            (bar for bar in latest if bar), key=lambda b: (_day(b.ts), b.interval != "daily", _seen(b)), default=None
        )
        if bar is not None:
            self.price, self.as_of, self.day, self.simulated = bar.close, _seen(bar), _day(bar.ts), bar.simulated
            same = [b.volume for b in counted if b.interval == bar.interval and _day(b.ts) == self.day]
            counted_ones = [volume for volume in same if volume is not None]
            self.volume = sum(counted_ones) if counted_ones else None
        if self.quote is not None:
            quoted = _day(self.quote.ts)
            if self.as_of is None or self.quote.ts >= self.as_of:
                self.volume = self.volume if self.day == quoted else None
                self.price, self.as_of, self.day = self.quote.price, self.quote.ts, quoted
                self.simulated = self.quote.simulated
            if self.day == quoted and self.quote.volume is not None:
                self.volume = self.quote.volume

    @property
    def row(self) -> IndicatorRow | None:
        known = [row for row in self.rows if _day(row.ts) <= self.limit]
        row = max(known, key=lambda row: (_day(row.ts), -INTERVALS.index(row.interval)), default=None)
        too_old = row is not None and self.day is not None and (self.day - _day(row.ts)).days > LATELY
        return None if too_old else row

    @property
    def today(self) -> DayView | None:
        of_day = sorted((bar for bar in self.bars if _day(bar.ts) == self.day), key=lambda bar: bar.ts, reverse=True)
        first = {bar.interval: bar for bar in of_day}
        opened = [
            first[interval].open
            for interval, minutes in (("daily", 24 * 60), ("1min", 1), ("5min", 5))
            if interval in first and (self.name == "replay" or _after_the_open(first[interval].ts) <= minutes)
        ]
        if not opened or self.price is None:
            return None
        prices = [self.price, *(bar.close for bar in of_day)]
        return DayView(open=opened[0], high=max(prices), low=min(prices))

    @property
    def spark(self) -> list[float]:
        counted = [bar for bar in self.bars if _day(bar.ts) <= self.limit]
        if not counted:
            return []
        day = max(_day(bar.ts) for bar in counted)
        interval = next(i for i in INTERVALS if any(b.interval == i and _day(b.ts) == day for b in counted))
        course = sorted((bar for bar in counted if bar.interval == interval), key=lambda bar: bar.ts)
        return [] if self.day and (self.day - day).days > LATELY else [bar.close for bar in course][-SPARK:]

    @property
    def previous(self) -> float | None:
        day = self.day
        if day is None:
            return None
        quoted = self.quote.previous_close if self.quote and _day(self.quote.ts) == day else None
        before = [bar for bar in self.bars if _day(bar.ts) < day]
        if not before:
            return quoted
        last = max(_day(bar.ts) for bar in before)
        of_last = [bar for bar in before if _day(bar.ts) == last]
        closes = [max((b for b in of_last if b.interval == i), key=lambda b: b.ts, default=None) for i in INTERVALS]
        official = closes[-1]
        between = [last + timedelta(days=n) for n in range(1, (day - last).days)]
        traded = {_day(bar.ts) for bar in self.bars if bar.interval == "daily"} | {last, day}
        certain = not between or (
            all(d.weekday() >= 5 for d in between) and all(d.weekday() < 5 for d in traded)
        )  # fmt: skip
        if official is None or not official.closed:
            official = None
        if quoted is not None and not (official and certain):
            return quoted
        known = official or max((bar for bar in closes if bar), key=_seen)
        return known.close if (day - last).days <= LATELY else None


def _after_the_open(ts: datetime) -> float:
    """In minutes."""
    return (ts.astimezone(ZONE).hour - 9.5) * 60 + ts.astimezone(ZONE).minute


def _last_days(bars: list[Bar], interval: str) -> list[date]:
    return sorted({_day(bar.ts) for bar in bars if bar.interval == interval})[-KEPT[interval] :]


def _seen(bar: Bar) -> datetime:
    return bar.ts if bar.closed or not bar.revision else datetime.fromtimestamp(bar.revision / 1000, UTC)


def _plain_choice(stored: list[AnyMessage], preferred: tuple[str, ...]) -> tuple[str, _Plainly | None]:
    names = {m.source for m in stored if isinstance(m, Bar | Quote | IndicatorRow)}
    for name in preferred:
        if name in names:
            return name, _Plainly(name, stored)

    def rank(name: str) -> tuple[Any, ...]:
        plain = _Plainly(name, stored)
        row = plain.row
        day = plain.day or (_day(row.ts) if row else date.min)
        simulated = plain.simulated if plain.price is not None or row is None else row.simulated
        return simulated, plain.price is None, -day.toordinal(), name

    first = min(names, key=rank, default="")
    return first, _Plainly(first, stored) if first else None


PREFERRED: st.SearchStrategy[tuple[str, ...]] = st.sampled_from(((), ("beta",), ("toy", "alpha")))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[AnyMessage], list[AnyMessage]]:
    """Messages, and the same in another order with some of them repeated."""
    sources = draw(st.sampled_from((SOURCES, ("alpha", "beta"), ("alpha",), ("replay",), ("toy", "alpha"))))
    sent = draw(st.lists(messages(sources), max_size=25))
    again = draw(st.lists(st.sampled_from(sent), max_size=5)) if sent else []
    return sent, draw(st.permutations([*sent, *again]))


@given(deliveries(), PREFERRED)
def test_the_view_says_what_the_store_holds(
    delivery: tuple[list[AnyMessage], list[AnyMessage]], preferred: tuple[str, ...]
) -> None:
    sent, delivered = delivery
    assert _shown(delivered, preferred) == _shown(_stored(sent), preferred)


@given(deliveries(), PREFERRED, st.booleans())
def test_so_it_does_of_what_comes_together(
    delivery: tuple[list[AnyMessage], list[AnyMessage]], preferred: tuple[str, ...], in_order: bool
) -> None:
    """In time order, as a history comes, there are long runs of bars."""
    sent, delivered = delivery
    if in_order:
        delivered = sorted(delivered, key=_in_runs)
    with mock.patch("pipeline.analytics.source_state.APPENDED", 1):
        assert _shown(delivered, preferred, together=True) == _shown(_stored(sent), preferred)


@given(
    st.sampled_from((SOURCES, ("alpha",), ("replay",))).flatmap(lambda s: st.lists(messages(s), max_size=25)), PREFERRED
)
def test_its_figures_are_those_of_a_plain_computation(sent: list[AnyMessage], preferred: tuple[str, ...]) -> None:
    stored = _stored(sent)
    source, plain = _plain_choice(stored, preferred)
    view, _, _ = _shown(sent, preferred)
    assert view.source == source
    items = [item for item in stored if isinstance(item, ScoredItem)]
    if plain is None:
        simulated = bool(items) and all(item.simulated for item in items)
        expected = TickerView(ticker="AAPL", simulated=simulated)
    else:
        row, price, previous = plain.row, plain.price, plain.previous
        change = None if price is None or previous is None else price - previous
        simulated = plain.simulated if price is not None or row is None else row.simulated
        expected = TickerView(
            ticker="AAPL",
            source=source,
            price=price,
            change=change,
            change_percent=None if price is None or not previous else 100 * (price / previous - 1.0),
            volume=plain.volume,
            spark=plain.spark,
            rsi=row.rsi_14 if row else None,
            as_of=plain.as_of.timestamp() if plain.as_of else None,
            day=plain.today,
            simulated=simulated,
        )
    score = rolling_score(
        (Opinion(item.ts, item.compound, item.weight, item.story) for item in items if item.simulated == simulated),
        NOW,
    )
    assert view == msgspec.structs.replace(expected, sentiment=score, updated_at=view.updated_at)


@given(st.lists(messages(), min_size=1, max_size=20), PREFERRED)
def test_of_sources_that_are_not_shown_nothing_is_left(sent: list[AnyMessage], preferred: tuple[str, ...]) -> None:
    view, detail, values = _shown(sent, preferred)
    alone = [m for m in sent if isinstance(m, ScoredItem) or m.source == view.source]  # type: ignore[union-attr]
    assert (view, detail, values) == _shown(alone, preferred)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=25), st.sets(st.integers(0, 25), max_size=4))
def test_together_they_leave_the_same_sessions(times: list[tuple[int, int]], cuts: set[int]) -> None:
    bars = [
        Bar(ticker="AAPL", interval="1min", ts=_moment("1min", *time), open=n, high=n, low=n, close=n)
        for n, time in enumerate(sorted(times), 1)
    ]
    one_by_one, together = _Series(ZONE, 4), _Series(ZONE, 4)
    borders = sorted({0, *cuts, len(bars)})
    with mock.patch("pipeline.analytics.source_state.APPENDED", 1):
        for start, stop in pairwise(borders):
            if part := bars[start:stop]:
                with mock.patch("pipeline.analytics.source_state.APPENDED", 2):
                    changed = [one_by_one.put_all([bar]) for bar in part]
                assert together.put_all(part) == any(changed)
            assert list(together.bars.ts) == list(one_by_one.bars.ts)
            assert len(set(together.bars.session)) <= 4


def _in_runs(message: AnyMessage) -> tuple[str, str, datetime]:
    return (
        type(message).__name__,
        str(getattr(message, "source", "")) + str(getattr(message, "interval", "")),
        message.ts,
    )


def _watched(check: Callable[[TickerView], object], stream: Iterable[AnyMessage]) -> list[object]:
    view = LiveView(ZONE)
    state = view.of("AAPL")
    seen = []
    for message in stream:
        view.put(message, 1.0)
        seen.append(check(state.view(NOW)))
    return seen


@given(st.lists(st.sampled_from(("alpha", "beta")), min_size=2, max_size=30))
def test_between_two_that_stream_on_one_day_there_is_no_to_and_fro(order: list[str]) -> None:
    stream = [
        Quote(ticker="AAPL", ts=START + timedelta(seconds=n), price=100 + n, source=source)
        for n, source in enumerate(order)
    ]
    shown = _watched(lambda view: view.source, stream)
    changes = sum(a != b for a, b in pairwise(shown))
    assert changes <= 1  # when the one that comes first by its name is heard for the first time
