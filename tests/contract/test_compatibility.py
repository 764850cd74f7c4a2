"""Programs downstream go on working: what was promised of the messages in earlier versions still holds."""

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipeline import __version__
from tools.docs import compatibility
from tools.docs.compatibility import (
    ADVICE,
    IncompatibleError,
    broken,
    check,
    earlier_schemas,
    record,
    schemas_of_today,
)

Messages = dict[str, Any]


def test_the_messages_of_today_break_nobody() -> None:
    check(schemas_of_today())


def test_those_of_this_version_are_recorded() -> None:
    """`uv run python -m tools.docs` records them."""
    assert earlier_schemas()[__version__] == schemas_of_today()


@pytest.fixture
def today() -> Messages:
    """A copy that may be changed."""
    return copy.deepcopy(schemas_of_today())


def fields(messages: Messages, name: str) -> dict[str, Any]:
    return messages[name]["schema"]["properties"]


def drop_a_field(messages: Messages) -> None:
    del fields(messages, "bar")["volume"]


def rename_a_tag(messages: Messages) -> None:
    messages["candle"] = messages.pop("bar")


def require_a_field(messages: Messages) -> None:
    fields(messages, "bar")["exchange"] = {"type": "string"}
    messages["bar"]["schema"]["required"].append("exchange")


def leave_out_a_field(messages: Messages) -> None:
    messages["bar"]["schema"]["required"].remove("close")


def take_null_no_more(messages: Messages) -> None:
    fields(messages, "bar")["volume"] = {"type": "number", "minimum": 0, "default": None}


def make_a_field_nullable(messages: Messages) -> None:
    fields(messages, "bar")["close"] = {"anyOf": [{"type": "number"}, {"type": "null"}]}


def make_a_number_whole(messages: Messages) -> None:
    fields(messages, "bar")["close"] = {"type": "integer"}


def take_one_interval_less(messages: Messages) -> None:
    fields(messages, "bar")["interval"]["enum"].remove("60min")


def let_only_some_values_be(messages: Messages) -> None:
    fields(messages, "economic")["interval"] = {"enum": ["monthly"]}


def raise_a_minimum(messages: Messages) -> None:
    fields(messages, "bar")["volume"]["anyOf"][0]["minimum"] = 1


def bound_a_text(messages: Messages) -> None:
    fields(messages, "article")["title"]["maxLength"] = 100


def change_a_pattern(messages: Messages) -> None:
    fields(messages, "indicators")["lineage"]["pattern"] = "^[0-9]+$"


def change_a_default(messages: Messages) -> None:
    fields(messages, "bar")["closed"]["default"] = False


def change_a_tuple(messages: Messages) -> None:
    fields(messages, "sentiment")["words"]["items"]["prefixItems"].pop()


def change_within_a_tuple(messages: Messages) -> None:
    fields(messages, "sentiment")["words"]["items"]["prefixItems"][0] = {"type": "integer"}


def move_to_another_topic(messages: Messages) -> None:
    messages["split"]["topic"] = "actions_{ticker}"


def go_back(messages: Messages) -> None:
    messages["bar"]["version"] = 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (drop_a_field, "bar.volume: there is no such field any more"),
        (rename_a_tag, "bar: there is no such message any more"),
        (require_a_field, "bar.exchange: it is required now, and writers leave it out"),
        (leave_out_a_field, "bar.close: it may be left out now, and readers expect it"),
        (take_null_no_more, "bar.volume: a null is not taken any more"),
        (make_a_field_nullable, "bar.close: it may be a null now, which readers do not expect"),
        (make_a_number_whole, "bar.close: a number is not taken any more"),
        (take_one_interval_less, "bar.interval: 60min not taken any more"),
        (let_only_some_values_be, "economic.interval: others not taken any more"),
        (raise_a_minimum, "bar.volume: minimum was 0 and is 1"),
        (bound_a_text, "article.title: maxLength was not there and is 100"),
        (change_a_pattern, "indicators.lineage: its pattern was ^[0-9a-f]{8}-[0-9a-f]{32}$ and is ^[0-9]+$"),
        (change_a_default, "bar.closed: what it means to leave it out has changed"),
        (change_a_tuple, "sentiment.words[]: its length was fixed otherwise"),
        (change_within_a_tuple, "sentiment.words[][0]: a string is not taken any more"),
        (move_to_another_topic, "split: its topic was stock_data_{ticker} and is actions_{ticker}"),
        (go_back, "bar: its version has gone back"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_change_that_breaks_somebody_is_found(today: Messages, change: Callable[[Messages], None], told: str) -> None:
    change(today)
    assert told in broken(schemas_of_today(), today)
    with pytest.raises(IncompatibleError) as caught:
        check(today)
    assert told in str(caught.value)
    assert str(caught.value).endswith(ADVICE)


def add_a_field(messages: Messages) -> None:
    fields(messages, "bar")["trades"] = {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}


def add_a_message(messages: Messages) -> None:
    messages["halt"] = copy.deepcopy(messages["bar"])


def add_an_interval(messages: Messages) -> None:
    fields(messages, "bar")["interval"]["enum"].append("weekly")


def lower_a_minimum(messages: Messages) -> None:
    fields(messages, "sentiment")["compound"]["minimum"] = -2


def begin_a_new_version(messages: Messages) -> None:
    drop_a_field(messages)
    messages["bar"]["version"] = 2


@pytest.mark.parametrize("change", [add_a_field, add_a_message, add_an_interval, lower_a_minimum, begin_a_new_version])
def test_a_change_that_breaks_nobody_is_let_be(today: Messages, change: Callable[[Messages], None]) -> None:
    change(today)
    assert today != schemas_of_today()
    assert broken(schemas_of_today(), today) == []


def test_what_breaks_somebody_is_not_recorded(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, today: Messages) -> None:
    fields(today, "bar")["adjusted"] = {"type": "boolean", "default": False}
    recorded = tmp_path / f"{__version__}.json"
    recorded.write_bytes(msgspec.json.encode(today))
    monkeypatch.setattr(compatibility, "RECORDED", tmp_path)
    with pytest.raises(IncompatibleError, match=r"bar\.adjusted"):
        record()
    assert msgspec.json.decode(recorded.read_bytes()) == today
    recorded.unlink()
    record()
    assert earlier_schemas() == {__version__: schemas_of_today()}
