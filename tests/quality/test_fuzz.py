"""Whatever comes in, from the bus, the control socket, the configuration or the command line, is taken or refused with
the error that is promised; nothing else is raised, and what is taken can be stored."""

import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fintrends_tui.link.client import connect
from pipeline.bus.records import record_of
from pipeline.config.settings import Settings, SettingsError, load
from pipeline.contract.protocol import GetSnapshot
from pipeline.engines import check_engines
from pipeline.model.alert_rules import InvalidRuleError, parse_rule
from pipeline.model.documents import document_of
from pipeline.model.messages import (
    AnyMessage,
    Article,
    Bar,
    Dividend,
    EconomicPoint,
    IndicatorRow,
    Post,
    Quote,
    ScoredItem,
    Split,
    UndecodableError,
    decode,
    encode,
    topic_of,
)
from pipeline.model.tickers import InvalidTickerError, parse_tickers
from pipeline.model.topics import GENERAL, PER_TICKER
from pipeline.store.embedded.store import EmbeddedStore
from testkit.examples import DEAR
from tests.control.test_server import HELLO, raw, serving

TS = datetime(2019, 2, 11, 14, 31, tzinfo=UTC)
MESSAGES: tuple[AnyMessage, ...] = (
    Bar(ticker="AAPL", ts=TS, interval="1min", open=1, high=2, low=1, close=2, volume=3),
    Quote(ticker="AAPL", ts=TS, price=1, previous_close=2, volume=3),
    Split(ticker="AAPL", ts=TS, numerator=4, denominator=1),
    Dividend(ticker="AAPL", ts=TS, amount=0.25, currency="USD"),
    IndicatorRow(ticker="AAPL", ts=TS, interval="daily", lineage=f"{1:08x}-{1:032x}", close=1, rsi_14=50),
    Article(ticker="AAPL", ts=TS, id="1", title="t", summary="s", url="u"),
    Post(ticker="AAPL", ts=TS, id="1", text="t", tag="bullish"),
    ScoredItem(ticker="AAPL", ts=TS, id="1", kind="post", text="t", compound=0.5, label="positive"),
    EconomicPoint(ts=TS, series="CPI", interval="monthly", value=1.5),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "2019-02-11T14:31:00", "\ud800", "AAPL"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
TOPICS = st.sampled_from([*(f"{prefix}_aapl" for prefix in PER_TICKER), *GENERAL])


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A message of ours with some fields replaced, and the topic it belongs to."""
    message = draw(st.sampled_from(MESSAGES))
    fields: dict[str, Any] = json.loads(encode(message))
    fields.update(draw(st.dictionaries(st.sampled_from(sorted(fields)), JSON, max_size=3)))
    return topic_of(message), json.dumps(fields).encode()


@given(st.tuples(TOPICS, st.binary() | JSON.map(lambda value: json.dumps(value).encode())) | damaged())
@example(("stock_data_aapl", b'{"type":"bar","ts":"0001-01-01T00:00:00+23:59"}'))
def test_a_record_is_decoded_or_undecodable(record: tuple[str, bytes]) -> None:
    topic, value = record
    try:
        message = decode(topic, value)
    except UndecodableError:
        return
    assert decode(topic, encode(message)) == message
    assert document_of(message) == document_of(decode(topic, encode(message)))
    assert record_of(message).topic == topic


@settings(max_examples=DEAR)
@given(st.lists(damaged(), min_size=20, max_size=60))
def test_what_is_decoded_is_stored_or_refused_with_a_reason(records: list[tuple[str, bytes]]) -> None:
    documents = []
    for topic, value in records:
        try:
            documents.append(document_of(decode(topic, value)))
        except UndecodableError:
            continue

    async def store() -> None:
        with tempfile.TemporaryDirectory() as directory:
            store = EmbeddedStore(Path(directory) / "store.sqlite")
            await store.open()
            try:
                for document in documents:
                    result = await store.upsert(document.collection, [document])
                    assert result.written + result.unchanged + len(result.rejected) == 1
                    assert all(reason for _, reason in result.rejected)
            finally:
                await store.close()

    asyncio.run(store())


@settings(max_examples=DEAR)
@given(st.lists(st.binary(max_size=300).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=5), st.booleans())
def test_garbage_on_the_control_socket_harms_nobody_else(lines: list[bytes], polite: bool) -> None:
    async def talk() -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "s.sock"
            async with serving(path):
                await raw(path, *([HELLO] if polite else []), *lines)
                async with connect(path) as connection:
                    assert (await connection.ask(GetSnapshot())).seq > 0

    asyncio.run(talk())


KEYS = st.sampled_from(
    [
        (s, key)
        for s, section in get_type_hints(Settings).items()
        for key in getattr(section, "__struct_fields__", ["mine"])
    ]
    + [("x", "y")]
)


def refusal(call: Callable[[], object], error: type[Exception]) -> str:
    """What the call was refused with; "" where it was not."""
    try:
        call()
    except error as refused:
        return str(refused) or "no reason"
    return ""


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_settings_are_taken_or_refused(values: dict[tuple[str, str], Any]) -> None:
    layer: dict[str, dict[str, Any]] = {}
    for (section, key), value in values.items():
        layer.setdefault(section, {})[key] = value
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "config.toml"
        config.touch()
        assert refusal(lambda: load(config, layer, environ={}), SettingsError) != "no reason"


ODD = st.sampled_from(
    [
        "",
        " ",
        "0",
        "-1",
        "1e309",
        "nan",
        "inf",
        "9" * 400,
        "[" * 4000,
        "true",
        "max",
        "~",
        "~/x",
        "~nobody-of-that-name/x",
        "/",
        "..",
        "replay:",
        "replay:~",
        "replay:../x",
        "a:99999",
        "[::1]:9092",
        "kafka://a:1",
        "mongodb://",
        "mongodb://u:p@h:1/?tlsCAFile=~nobody-of-that-name/x&tls=x",
        "http://[::1",
        "1979-05-27T07:32:00Z",
        "{a = 1}",
        "a\nb",
        "a\x7fb",
        "\ud83d",
        "\u202e",
        "é" * 300,
    ]
)


@given(st.dictionaries(KEYS, ODD | st.text(alphabet=st.characters(exclude_characters="\0")), max_size=4), st.booleans())
def test_the_environment_and_flags_are_taken_or_refused(values: dict[tuple[str, str], str], from_flags: bool) -> None:
    """With what the engines' settings are checked for before anything connects."""
    environ = {f"FINTRENDS_{section}__{key}".upper(): value for (section, key), value in values.items()}
    flags: dict[str, dict[str, Any]] = {}
    for (section, key), value in values.items() if from_flags else ():
        flags.setdefault(section, {})[key] = value

    def start() -> None:
        check_engines(load(Path(os.devnull), flags, {} if from_flags else environ).settings)

    reason = refusal(start, SettingsError)
    assert reason != "no reason"
    assert "\n" not in reason


@given(st.binary(max_size=300))
def test_a_configuration_file_is_taken_or_refused_with_its_name(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "config.toml"
        config.write_bytes(content)
        reason = refusal(lambda: load(config, environ={}), SettingsError)
        assert not reason or str(config) in reason


@given(st.lists(st.text()))
def test_tickers_are_taken_or_refused(texts: list[str]) -> None:
    if not refusal(lambda: parse_tickers(texts), InvalidTickerError):
        assert parse_tickers(parse_tickers(texts)) == parse_tickers(texts)


@given(st.text() | st.from_regex(r"[A-Z]{0,4} ?[a-z_0-9]{1,8} ?[<>]=? ?\S{1,9}"))
def test_alert_rules_are_taken_or_refused(text: str) -> None:
    if not refusal(lambda: parse_rule(text), InvalidRuleError):
        assert parse_rule(str(parse_rule(text))) == parse_rule(text)
