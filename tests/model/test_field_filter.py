import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.field_filter import parse_filter

BAR = {
    "type": "bar",
    "interval": "1min",
    "close": 170.5,
    "volume": 1200,
    "closed": True,
    "currency": None,
    "ts": "2026-11-20T15:00:00Z",
    "words": [["beats", 2.7], ["weak", -2.4]],
    "tags": ["tech", "cars"],
    "nested": {"a": {"b": 7}},
    "title": "Apple beats estimates",
}


@pytest.mark.parametrize(
    "text",
    [
        "interval=1min",
        "interval=1MIN type=bar",
        "close>170 close<171 close>=170.5 close<=170.50",
        "volume=1200.0",
        "closed=true currency=null",
        "ts>=2026-11-20 ts<2026-11-21",
        "nested.a.b=7",
        "tags=cars tags~tec",
        'title~"beats est"',
        "interval!=5min",
    ],
)
def test_what_meets_all_conditions_is_let_through(text: str) -> None:
    wanted = parse_filter(text)
    assert wanted is not None and wanted.matches(BAR)


@pytest.mark.parametrize(
    "text",
    [
        "interval=5min",
        "interval=1min close>171",
        "absent=1",
        "absent!=1",
        "nested.a=7",
        "nested.a.b.c=7",
        "closed=1",
        "tags!=cars",
        "currency>0 currency<0",
    ],
)
def test_what_misses_one_is_not(text: str) -> None:
    wanted = parse_filter(text)
    assert wanted is not None and not wanted.matches(BAR)


@pytest.mark.parametrize("text", ["", "apple", "apple beats", "interval=", "=1min", "a=b and c", "x>", '"a=b"'])
def test_other_texts_are_no_filter(text: str) -> None:
    assert parse_filter(text) is None


@given(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s)))
def test_nothing_typed_and_nothing_read_raises(text: str, value: object) -> None:
    for wanted in (parse_filter(text), parse_filter("a>1 a.b=2 a~x a!=1")):
        if wanted is not None:
            wanted.matches({"a": value})
