"""The topics as an AsyncAPI document: channels, messages, keys and headers, from the types that make them."""

import io
import json
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from pipeline import __version__
from pipeline.bus.records import record_of
from pipeline.contract.schemas import KINDS, MessageKind, schema_of_one
from pipeline.model.topics import ECONOMIC, GENERAL, NEWS, PER_TICKER, READERS, SOCIAL, STOCK_DATA, topic_for
from tools.docs.examples import EXAMPLES

BINDING: Final = "0.5.0"
"""Of AsyncAPI's description of Kafka."""
ACCEPTED: Final = (STOCK_DATA, NEWS, SOCIAL, ECONOMIC)
"""Kinds of topics that others may publish to. What is in the rest is computed."""

_TITLES: Final = {
    "stock_data": "Bars, quotes, splits and dividends",
    "indicators": "A row of indicators for each bar",
    "forecasts": "What was said at each closed bar of those to come, and had been said of it",
    "sentiment": "Scored articles and posts",
    "news": "Articles",
    "social": "Posts",
    "economic_general": "Economic series",
    "dead_letter": "What could not be processed, and why",
}
_ABOUT: Final = """\
The topics of fintrends-tui, made from its code. docs/downstream.md says how to read and write them.

- **Value**: one JSON object in UTF-8. Its field `type` says which message it is. Ignore fields and types that you do
  not know: they are added without a new version.
- **Key**: in UTF-8; the records of a key keep their order.
- **Timestamp**: the event's time, as in the field `ts`, in milliseconds since the epoch.
- **Delivery**: at least once. Of two messages about the same thing the higher `revision` counts; docs/data.md has the
  rules.
- **Namespaces**: in a namespace every topic's name begins with that name and `-`, such as `simulated-stock_data_aapl`.
"""
_TICKER: Final = """\
The ticker in lower case. Every character other than `a` to `z`, `0` to `9` and `-` is written as `_` and the two
hexadecimal digits of its code: `BRK.B` is `brk_2eb`, `^GSPC` is `_5egspc`, `EURUSD=X` is `eurusd_3dx`."""
_KEYS: Final = {
    "economic": "The series, as in the field `series`.",
    "dead_letter": "The topic that the record came from, as in the field `topic`.",
}
_INGESTED: Final = "When the record was published, in nanoseconds since the epoch. May be left out by others."
_TICKERS: Final = ("AAPL", "BRK.B", "^GSPC")


def asyncapi_page() -> str:
    """The document as YAML."""
    yaml = YAML()
    yaml.width = 120
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(_readable(asyncapi_document()), out)
    return f"# Made from the code by `python -m tools.docs`.\n{out.getvalue()}"


def asyncapi_document() -> dict[str, Any]:
    """The document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fintrends-tui",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "Where `--kafka` or `[kafka] bootstrap_servers` points.",
            }
        },
        "channels": {topic: _channel(topic) for topic in (*PER_TICKER, *GENERAL)},
        "operations": {
            **{f"publish_{topic}": _operation("send", topic) for topic in (*PER_TICKER, *GENERAL)},
            **{f"accept_{topic}": _operation("receive", topic) for topic in ACCEPTED},
        },
        "components": {
            "parameters": {
                "ticker": {
                    "description": _TICKER,
                    "examples": [topic_for("", ticker).removeprefix("_") for ticker in _TICKERS],
                }
            },
            "messages": {name: _message(kind) for name, kind in KINDS.items()},
            "schemas": {name: _payload(kind) for name, kind in KINDS.items()},
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    kinds = [kind for kind in KINDS.values() if kind.topic == topic]
    channel = {
        "address": kinds[0].address,
        "title": _TITLES[topic],
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in kinds},
    }
    return channel | ({"parameters": {"ticker": _reference("parameters", "ticker")}} if topic in PER_TICKER else {})


def _operation(action: str, topic: str) -> dict[str, Any]:
    groups = " and ".join(f"`{group}`" for group in READERS[topic])
    who = "The pipeline publishes here." if action == "send" else f"Others may publish here, for {groups} to consume."
    return {"action": action, "channel": _reference("channels", topic), "summary": who}


def _message(kind: MessageKind) -> dict[str, Any]:
    example = EXAMPLES[kind.name]
    record = record_of(example)
    return {
        "name": kind.name,
        "title": kind.schema,
        "summary": f"Stored in the collection `{kind.collection}`.",
        "description": kind.description,
        "headers": {
            "type": "object",
            "properties": {
                "schema": {"type": "string", "const": kind.schema, "description": "Type and version of the message."},
                "ingested": {"type": "string", "pattern": "^[0-9]{1,19}$", "description": _INGESTED},
            },
        },
        "payload": _reference("schemas", kind.name),
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": _KEYS.get(kind.name, "The ticker, as in the field `ticker`."),
                    "examples": [record.key],
                },
                "bindingVersion": BINDING,
            }
        },
        "examples": [
            {
                "name": kind.name,
                "headers": {"schema": kind.schema, "ingested": f"{record.ts + 240}000000"},
                "payload": json.loads(record.value),
            }
        ],
    }


def _payload(kind: MessageKind) -> dict[str, Any]:
    elsewhere = ("$schema", "description")
    return {key: _draft_07(value) for key, value in schema_of_one(kind).items() if key not in elsewhere}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/{kind}/{name}" if kind == "channels" else f"#/components/{kind}/{name}"}


def _draft_07(schema: Any) -> Any:
    """A schema of 2020-12 in the dialect of AsyncAPI's own, where tuples are written in another way."""
    match schema:
        case {"prefixItems": items, **rest}:
            return {k: v for k, v in rest.items() if k != "items"} | {
                "items": [_draft_07(item) for item in items],
                "additionalItems": False,
            }
        case dict():
            return {key: _draft_07(value) for key, value in schema.items()}
        case list():
            return [_draft_07(value) for value in schema]
    return schema


def _readable(value: Any) -> Any:
    """With texts of several lines as such."""
    match value:
        case dict():
            return {key: _readable(inner) for key, inner in value.items()}
        case list():
            return [_readable(inner) for inner in value]
        case str() if "\n" in value:
            return LiteralScalarString(value)
    return value
