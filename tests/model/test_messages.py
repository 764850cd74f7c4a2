import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.base import Received
from pipeline.documents import document_of, stamp
from pipeline.messages import (
    AnyMessage,
    Article,
    Bar,
    EconomicPoint,
    Post,
    Quote,
    ScoredItem,
    UndecodableError,
    bar_rank,
    decode,
    encode,
    topic_of,
)
from pipeline.records import dead_letter, decode_all, record_of

TS = datetime(2019, 2, 11, 14, 31, tzinfo=UTC)


def bar(**changes: object) -> Bar:
    values = {"ticker": "BRK.B", "interval": "1min", "ts": TS, "open": 1, "high": 2, "low": 1, "close": 2, "volume": 3}
    return Bar(**(values | changes))  # type: ignore[arg-type]


def test_a_message_survives_the_wire() -> None:
    assert decode("stock_data_brk_2eb", encode(bar())) == bar()


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("stock_data_aapl", b""),
        ("stock_data_aapl", b"{"),
        ("stock_data_aapl", b"\xff\xfe"),
        ("stock_data_aapl", b"[" * 100_000),
        ("stock_data_aapl", b'{"type":"bar"}'),
        ("stock_data_aapl", b'{"type":"article"}'),
        ("stock_data_aapl", encode(bar())),  # of another ticker
        ("stock_data_brk_2eb", encode(bar()).replace(b'"close":2', b'"close":"2"')),
        ("stock_data_brk_2eb", encode(bar()).replace(b'"close":2', b'"close":-2')),
        ("stock_data_brk_2eb", encode(bar()).replace(b'"close":2', b'"close":1e999')),
        ("stock_data_brk_2eb", encode(bar()).replace(b'"low":1', b'"low":5')),
        ("stock_data_brk_2eb", encode(bar()).replace(b"Z", b"")),  # no zone
        ("stock_data_brk_2eb", encode(bar()).replace(b'"1min"', b'"2min"')),
    ],
)
def test_what_is_not_the_promised_message_is_refused(topic: str, value: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(topic, value)


def test_a_bar_must_be_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        bar(volume=math.inf)


def test_equal_instants_have_equal_keys_whatever_their_zone() -> None:
    eastern = timezone(timedelta(hours=-5))
    assert document_of(bar(ts=TS.astimezone(eastern))) == document_of(bar())
    assert document_of(bar()).id == "BRK.B|1min|2019-02-11T14:31:00Z"
    assert encode(bar(ts=TS.astimezone(eastern))) == encode(bar())


def test_a_document_has_the_fields_of_its_message_and_says_when_it_is_simulated() -> None:
    document = document_of(bar(simulated=True))
    assert (document.ticker, document.interval, document.ts) == ("BRK.B", "1min", TS)
    assert document.body["simulated"] is True
    assert document.body["close"] == 2


def test_text_from_outside_is_cleaned_where_it_becomes_a_message() -> None:
    article = Article(ticker="AAPL", ts=TS, id="1", title="\x1b[31mBuy\x07 \u202eyad\u202c now\n", summary="x" * 10_000)
    assert article.title == "Buy yad now"
    assert len(article.summary) == 4096
    raw = encode(Post(ticker="AAPL", ts=TS, id="1", text="hi")).replace(b'"hi"', b'"\\u001b]0;owned\\u0007hi"')
    decoded = decode("social_aapl", raw)
    assert isinstance(decoded, Post)
    assert decoded.text == "hi"


@given(
    st.lists(
        st.builds(bar, closed=st.booleans(), revision=st.integers(0, 3), close=st.sampled_from([1.0, 1.5, 2.0])),
        min_size=2,
        max_size=6,
    )
)
def test_rank_orders_all_observations_of_a_bar(bars: list[Bar]) -> None:
    winner = max(bars, key=bar_rank)
    assert winner.closed == any(b.closed for b in bars)
    assert winner.revision == max(b.revision for b in bars if b.closed == winner.closed)
    for b in bars:
        same_values = (b.open, b.high, b.low, b.close, b.volume) == (
            winner.open,
            winner.high,
            winner.low,
            winner.close,
            winner.volume,
        )
        if bar_rank(b) == bar_rank(winner):
            assert same_values
        # The document's version orders as the rank does, so store and processor always agree.
        assert (document_of(b).version < document_of(winner).version) == (bar_rank(b) < bar_rank(winner))


def test_rank_does_not_depend_on_how_numbers_are_written() -> None:
    assert bar_rank(bar(volume=3)) == bar_rank(bar(volume=3.0))
    assert bar_rank(bar(simulated=True)) != bar_rank(bar())


def test_a_record_carries_key_event_time_and_headers() -> None:
    record = record_of(bar())
    assert (record.topic, record.key, record.ts) == ("stock_data_brk_2eb", "BRK.B", 1549895460000)
    assert record.headers["schema"] == b"bar.v1"
    assert int(record.headers["ingested"]) > 1_700_000_000_000_000_000


def test_economic_points_are_keyed_by_series() -> None:
    point = EconomicPoint(series="CPI", interval="monthly", ts=TS, value=None)
    assert (topic_of(point), record_of(point).key) == ("economic_general", "CPI")
    assert document_of(point).id == "CPI|monthly|2019-02-11T14:31:00Z"


def test_what_does_not_decode_becomes_a_dead_letter_with_its_origin() -> None:
    record = Received(topic="news_aapl", key="AAPL", value=b"\x1b[31mnot json\xff", ts=5, partition=2, offset=7)
    good, bad = decode_all([record])
    assert good == []
    (letter,) = bad
    assert (letter.topic, letter.partition, letter.offset) == ("news_aapl", 2, 7)
    assert letter.payload == "not json�"
    assert letter.reason
    assert document_of(letter).id == "news_aapl|2|7"
    assert decode("dead_letter", encode(letter)) == letter


def test_a_huge_payload_is_kept_in_part() -> None:
    record = Received(topic="news_aapl", key="", value=b"x" * 1_000_000, ts=-5)
    assert len(dead_letter(record, "too big").payload) == 2048


def test_stamps_show_fractions_only_where_there_are_any() -> None:
    assert stamp(TS) == "2019-02-11T14:31:00Z"
    assert stamp(TS.replace(microsecond=5)) == "2019-02-11T14:31:00.000005Z"


def scored(**changes: object) -> ScoredItem:
    values = {"ticker": "AAPL", "ts": TS, "id": "1", "kind": "post", "text": "hi", "compound": 0.5, "label": "positive"}
    return ScoredItem(**(values | changes))  # type: ignore[arg-type]


def test_a_score_keeps_its_words_and_has_none_where_they_were_not_recorded_yet() -> None:
    item = scored(words=[("surges", 2.1), ("lawsuit", -1.9)], scoring=1)
    assert decode("sentiment_aapl", encode(item)) == item
    old = (
        b'{"type":"sentiment","ts":"2019-02-11T14:31:00Z","ticker":"AAPL","id":"1","kind":"post","text":"hi",'
        b'"compound":0.5,"label":"positive"}'
    )
    assert decode("sentiment_aapl", old) == scored(words=[], tag=None, scoring=0)


def test_the_words_of_a_score_are_cleaned_and_few() -> None:
    raw = encode(scored(words=[("hi", 2.0)])).replace(b'"hi",2.0', b'"\\u001b]0;owned\\u0007hi",2.0')
    decoded = decode("sentiment_aapl", raw)
    assert isinstance(decoded, ScoredItem)
    assert decoded.words == [("hi", 2.0)]
    with pytest.raises(UndecodableError, match="words"):
        decode("sentiment_aapl", encode(scored(words=[("hi", 2.0)] * 9)))


@given(st.text("0123456789abcdef", min_size=1), st.floats(-1, 1), st.floats(-1, 1))
def test_of_one_item_s_scores_the_newer_scoring_is_kept_and_a_later_edition_before_that(
    text: str, old: float, new: float
) -> None:
    before, after = (
        document_of(scored(text=text, compound=old)),
        document_of(scored(text=text, compound=new, scoring=1)),
    )
    assert before.id == after.id
    assert before.version < after.version
    unnumbered = before.version.replace("-v0000", "")  # as it was before scorings had numbers
    assert unnumbered < after.version
    edited = document_of(scored(text=text, compound=old, ts=TS + timedelta(microseconds=1)))
    assert after.version < edited.version


@pytest.mark.parametrize(
    "observe",
    [
        lambda revision, value: EconomicPoint(ts=TS, series="CPI", interval="monthly", value=value, revision=revision),
        lambda revision, value: Quote(ticker="AAPL", ts=TS, price=value, revision=revision),
    ],
    ids=["economic", "quote"],
)
def test_of_two_observations_the_later_is_kept_whatever_its_value(observe: Callable[[int, float], AnyMessage]) -> None:
    versions = [document_of(observe(revision, 100.0 + (7 * revision) % 13)).version for revision in range(50)]
    assert versions == sorted(versions)
    assert len(set(versions)) == 50


@pytest.mark.parametrize(
    "message",
    [
        {"type": "bar", "ticker": "AAPL", "interval": "1min", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1},
        {"type": "quote", "ticker": "AAPL", "price": 1},
        {"type": "article", "ticker": "AAPL", "id": "1", "title": "t"},
        {"type": "post", "ticker": "AAPL", "id": "1", "text": "t"},
        {"type": "economic", "series": "CPI", "interval": "monthly", "value": 1},
    ],
    ids=lambda message: message["type"],
)
def test_no_text_of_any_message_can_steer_a_terminal(message: dict[str, object]) -> None:
    kinds = {"bar": Bar, "quote": Quote, "article": Article, "post": Post, "economic": EconomicPoint}
    type_ = kinds[str(message["type"])]
    checked = {"ticker", "interval"} if message["type"] == "bar" else {"ticker", "tag"}
    hostile = "\x1b[31mred\u202e \x9b1m"
    texts = {
        field.name: hostile
        for field in msgspec.structs.fields(type_)
        if field.name not in checked and "str" in str(field.type)
    }
    found = msgspec.convert(message | {"ts": "2019-02-11T14:31:00Z"} | texts, type_)
    assert texts
    for name in texts:
        assert getattr(found, name).isprintable(), name
        assert "red" in getattr(found, name), name
