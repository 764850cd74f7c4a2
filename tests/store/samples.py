"""Messages of every type, and documents that are of none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from pipeline.model.documents import COLLECTIONS, Document, document_of
from pipeline.model.messages import AnyMessage, encode
from tools.docs.examples import EXAMPLES

_NUMBERS = st.none() | st.floats(0.5, 1e6) | st.integers(1, 2**53)
_TEXTS = st.text(max_size=20).map(lambda text: text.encode("utf-8", "ignore").decode())
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=8,
)
_TIMES = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds


@st.composite
def messages(draw: st.DrawFn) -> AnyMessage:
    """One of the examples, at another time and with other values, where they are allowed."""
    example = draw(st.sampled_from(list(EXAMPLES.values())))
    fields: dict[str, Any] = json.loads(encode(example))
    fields["ts"] = draw(_TIMES)
    if "source" in fields:
        fields["source"] = draw(st.sampled_from(["a", "b", "a|b", "2019-02-11T14:31:00Z"]))
    for name in draw(st.sets(st.sampled_from(sorted(fields.keys() - {"ts", "source", "type"})), max_size=4)):
        try:
            msgspec.convert(changed := fields | {name: draw(_NUMBERS | _TEXTS)}, type(example))
        except (ValueError, TypeError, AttributeError):
            continue
        fields = changed
    return msgspec.convert(fields, type(example))


@st.composite
def foreign(draw: st.DrawFn) -> Document:
    """What no message of today makes: another key, fields that are missing, and more than there are."""
    message = draw(messages())
    ours = document_of(message)
    body = json.loads(json.dumps(ours.body, default=str))
    kept = draw(st.sets(st.sampled_from(sorted(body)))) if draw(st.booleans()) else set(body)
    body = {name: value for name, value in body.items() if name in kept} | draw(
        st.dictionaries(_TEXTS.filter(lambda name: name not in _TAKEN), _JSON, max_size=2)
    )
    key = draw(st.sampled_from([ours.id, f"{ours.id}x", "x|y|z|2019-02-11T14:31:00Z"]) | _TEXTS.filter(bool))
    version = draw(st.sampled_from([ours.version, "1", "", "ab", "AB", "r1", "0" * 40]))
    ts = ours.ts + draw(st.sampled_from([timedelta(), timedelta(microseconds=1)]))
    texts = draw(st.tuples(*[st.none() | st.just("x") | st.just(text) for text in ("AAPL", "1min", "a")]))
    collection = draw(st.sampled_from([ours.collection, *COLLECTIONS]))
    return Document(collection, key, version, ts, body, *texts)


_TAKEN = {"_id", "version", "ts", "ticker", "interval", "source"}


@st.composite
def documents(draw: st.DrawFn) -> list[Document]:
    """Of messages and of others, no two with one key."""
    found = draw(st.lists(messages().map(document_of) | foreign(), max_size=12))
    return list({(document.collection, document.id): document for document in found}.values())
