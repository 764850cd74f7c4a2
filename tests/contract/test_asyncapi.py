"""The description of the topics: it is AsyncAPI, it is what the code makes, and it says what is so."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from pipeline.contract.schemas import KINDS
from pipeline.model.messages import decode, encode, key_of, topic_of
from pipeline.model.topics import GENERAL, PER_TICKER, split_topic, topic_for
from tools.docs.asyncapi import asyncapi_document, asyncapi_page
from tools.docs.examples import EXAMPLES

PAGE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
SPECIFICATION = Path(__file__).parent / "asyncapi" / "3.0.0.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """As a reader of the file has it."""
    return YAML(typ="safe").load(PAGE.read_text("utf-8"))


def resolved(document: dict[str, Any], reference: dict[str, str]) -> Any:
    found: Any = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(value: Any) -> list[dict[str, str]]:
    match value:
        case {"$ref": str()}:
            return [value]
        case dict():
            return [found for inner in value.values() for found in references(inner)]
        case list():
            return [found for inner in value for found in references(inner)]
    return []


def test_it_is_what_the_code_makes(document: dict[str, Any]) -> None:
    """`uv run python -m tools.docs` writes it anew."""
    assert PAGE.read_text("utf-8") == asyncapi_page()
    assert document == asyncapi_document()


def test_it_is_asyncapi(document: dict[str, Any]) -> None:
    specification = json.loads(SPECIFICATION.read_text("utf-8"))
    validator = jsonschema.Draft7Validator(specification)
    validator.validate(document)
    assert list(validator.iter_errors(document | {"chanels": {}}))
    document["components"]["messages"]["bar"]["payloads"] = {}
    assert list(validator.iter_errors(document)), "so deep a fault is found"
    del document["components"]["messages"]["bar"]["payloads"]


def test_its_references_lead_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert found
    for reference in found:
        assert resolved(document, reference)


def test_it_has_every_topic_and_message(document: dict[str, Any]) -> None:
    assert set(document["channels"]) == {*PER_TICKER, *GENERAL}
    messages = [name for channel in document["channels"].values() for name in channel["messages"]]
    assert sorted(messages) == sorted(KINDS)
    for topic, channel in document["channels"].items():
        assert ("parameters" in channel) == (topic in PER_TICKER)


@pytest.mark.parametrize("name", KINDS)
def test_an_example_is_a_record_of_the_pipeline(document: dict[str, Any], name: str) -> None:
    message = document["components"]["messages"][name]
    (example,) = message["examples"]
    jsonschema.Draft7Validator.check_schema(resolved(document, message["payload"]))
    jsonschema.Draft7Validator(resolved(document, message["payload"])).validate(example["payload"])
    jsonschema.Draft7Validator(message["headers"]).validate(example["headers"])
    assert message["bindings"]["kafka"]["key"]["examples"] == [key_of(EXAMPLES[name])]
    assert decode(topic_of(EXAMPLES[name]), json.dumps(example["payload"]).encode()) == EXAMPLES[name]


def test_a_payload_has_tuples_in_its_own_dialect(document: dict[str, Any]) -> None:
    schema = jsonschema.Draft7Validator(document["components"]["schemas"]["sentiment"])
    value = json.loads(encode(EXAMPLES["sentiment"]))
    assert schema.is_valid(value | {"words": [["beats", 1.9], ["miss", -1.2]]})
    assert not schema.is_valid(value | {"words": [["beats", "1.9"]]})
    assert not schema.is_valid(value | {"words": [["beats", 1.9, 2]]})


def test_the_escaping_of_tickers_is_as_described(document: dict[str, Any]) -> None:
    parameter = document["components"]["parameters"]["ticker"]
    for ticker, escaped in (("BRK.B", "brk_2eb"), ("^GSPC", "_5egspc"), ("EURUSD=X", "eurusd_3dx")):
        assert f"`{ticker}` is `{escaped}`" in parameter["description"]
        assert topic_for("stock_data", ticker) == f"stock_data_{escaped}"
    for escaped in parameter["examples"]:
        assert split_topic(f"news_{escaped}")[0] == "news"
