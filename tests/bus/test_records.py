"""Stages of a process that read the same record share what it was decoded to."""

import pytest

from pipeline.bus import records
from pipeline.bus.base import Received, Record
from pipeline.bus.records import _Recent, decode_all, record_of
from pipeline.model.messages import AnyMessage, UndecodableError, decode
from tests.stages.test_stages import bar


def received(record: Record, offset: int) -> Received:
    """As another reader gets it: equal, and not the same."""
    value = bytes(bytearray(record.value))
    return Received(record.topic, record.key, value, record.ts, record.headers, 0, offset)


def test_the_second_who_reads_a_record_gets_the_same_message() -> None:
    record = record_of(bar(1))
    (((_, first),), ((_, second),)) = (decode_all([received(record, 3)])[0], decode_all([received(record, 3)])[0])
    assert first is second
    assert first == bar(1)


def test_the_same_value_in_another_topic_is_another_matter() -> None:
    record = record_of(bar(1))
    decode_all([received(record, 0)])
    elsewhere = Record("stock_data_msft", record.key, record.value, record.ts)
    (letter,) = decode_all([received(elsewhere, 0)])[1]
    assert "another ticker" in letter.reason


def test_of_old_messages_none_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(topic: str, value: bytes) -> AnyMessage:
        nonlocal calls
        calls += 1
        return decode(topic, value)

    monkeypatch.setattr(records, "decode", counted)
    recent = _Recent(4)
    values = [record_of(bar(minute)).value for minute in range(20)]
    for value in values:
        recent.decode("stock_data_aapl", value)
        recent.decode("stock_data_aapl", value)
    assert calls == 20
    assert len(recent._young) + len(recent._old) <= 8
    recent.decode("stock_data_aapl", values[-1])
    assert calls == 20
    recent.decode("stock_data_aapl", values[0])
    assert calls == 21


def test_what_does_not_decode_is_tried_each_time() -> None:
    recent = _Recent(4)
    for _ in range(2):
        with pytest.raises(UndecodableError):
            recent.decode("stock_data_aapl", b"{")
