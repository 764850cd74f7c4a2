"""What programs downstream are told of the messages, held against the messages themselves."""

import json
from typing import get_args

import jsonschema
import pytest

from fintrends_tui.cli import app
from pipeline.bus.records import record_of
from pipeline.contract.schemas import KINDS, schema_of_all, schema_of_one
from pipeline.model.documents import COLLECTIONS, document_of
from pipeline.model.messages import AnyMessage, decode, encode, topic_of
from pipeline.model.topics import topic_for
from tools.docs.examples import EXAMPLES


def command(*words: str) -> int:
    return app(words, result_action="return_value", exit_on_error=False)


def test_there_is_an_example_of_every_message() -> None:
    assert [type(example) for example in EXAMPLES.values()] == list(get_args(AnyMessage))
    assert list(EXAMPLES) == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_a_message_is_what_its_schema_says(name: str) -> None:
    schema, example = schema_of_one(KINDS[name]), EXAMPLES[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    value = json.loads(encode(example))
    jsonschema.validate(value, schema)
    jsonschema.validate(value, schema_of_all())
    assert decode(topic_of(example), encode(example)) == example
    assert set(schema["properties"]) == set(value)
    for required in schema["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({field: value[field] for field in value if field != required}, schema)


@pytest.mark.parametrize("name", KINDS)
def test_a_message_goes_where_it_is_said_to_go(name: str) -> None:
    kind, example = KINDS[name], EXAMPLES[name]
    ticker = getattr(example, "ticker", "")
    assert topic_of(example) == (topic_for(kind.topic, ticker) if kind.per_ticker else kind.address)
    assert document_of(example).collection == kind.collection
    assert kind.collection in COLLECTIONS
    assert record_of(example).headers["schema"] == kind.schema.encode()


def test_the_words_are_those_of_json() -> None:
    assert "null" in schema_of_one(KINDS["bar"])["description"]
    assert not {"None", "True", "False"} & set(json.dumps(schema_of_all()).split())


def test_the_command_lists_the_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("schema") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["MESSAGE", "SCHEMA", "TOPIC", "COLLECTION"]
    assert rows[0].split()[:4] == ["bar", "bar.v1", "stock_data_<ticker>", "stock_data"]
    assert [row.split()[0] for row in rows] == list(KINDS)


def test_the_command_prints_one_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("schema", "bar") == 0
    assert json.loads(capsys.readouterr().out) == schema_of_one(KINDS["bar"])
    assert command("schema", "--all") == 0
    assert json.loads(capsys.readouterr().out)["$defs"].keys() == KINDS.keys()


def test_an_unknown_message_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("schema", "Bar") == 2
    told = capsys.readouterr().err
    assert "bar, quote, split" in told
    assert "did you mean bar?" in told
