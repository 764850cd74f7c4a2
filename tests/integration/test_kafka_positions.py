"""Where a consumer goes on: the rules that the broker tests meet only by chance."""

import socket
from datetime import UTC, datetime

import aiokafka.errors
import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import (
    BrokerResponseError,
    GroupAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    kafka_errors,
)
from hypothesis import given
from hypothesis import strategies as st

import pipeline.bus.kafka.connection  # noqa: F401 - it knows of errors that aiokafka does not
from pipeline.bus.base import TopicPartition
from pipeline.bus.kafka.codec import received
from pipeline.bus.kafka.errors import advice
from pipeline.bus.kafka.positions import NOWHERE, jump, move
from pipeline.bus.records import age_of, dead_letter

A, B, C = (TopicPartition("topic", number) for number in range(3))
SPAN = {A: (10, 100), B: (10, 100), C: (10, 100)}


def test_a_new_partition_starts_at_the_commit_or_the_beginning() -> None:
    change = move({}, [A, B], {A: 40}, SPAN)
    assert change.positions == change.assigned == {A: 40, B: 10}
    assert change.revoked == set()


def test_without_a_group_it_starts_at_the_end() -> None:
    assert move({A: 50}, [A, B], None, SPAN).positions == {A: 50, B: 100}


def test_what_was_handed_out_is_not_handed_out_again() -> None:
    change = move({A: 60}, [A], {A: 40}, SPAN)
    assert (change.positions, change.assigned, change.revoked) == ({A: 60}, {}, set())


def test_what_another_member_has_done_is_not_done_again_and_the_listener_hears_of_it() -> None:
    change = move({A: 40}, [A], {A: 60}, SPAN)
    assert (change.positions, change.assigned, change.revoked) == ({A: 60}, {A: 60}, {A})


def test_a_position_that_is_not_retained_falls_back_to_the_beginning() -> None:
    change = move({C: 101}, [A, B, C], {A: 7, B: 101}, SPAN)
    assert change.positions == {A: 10, B: 10, C: 10}
    assert change.skipped == {A: 3}  # deleted by a retention
    assert change.anew == {B, C}  # in the place of a topic that was deleted


def test_what_could_not_be_committed_is_read_again() -> None:
    change = move({A: NOWHERE, B: NOWHERE}, [A, B], {A: 40}, SPAN)
    assert change.positions == change.assigned == {A: 40, B: 10}
    assert change.revoked == {A, B}
    assert change.skipped == {}  # whether that was deleted meanwhile, nobody knows


def test_a_jump_over_deleted_records_is_told_from_the_marks_of_a_transaction() -> None:
    change = jump({A: 40, B: 40, C: 5}, {A: 60, B: 42}, {A: 55, B: 0})
    assert change.skipped == {A: 15}
    assert change.anew == set()
    assert (change.assigned, change.revoked) == ({A: 60}, {A})
    assert change.positions == {A: 60, B: 40, C: 5}


def test_records_deleted_after_they_were_fetched_were_not_skipped() -> None:
    assert jump({A: 40}, {A: 60}, {A: 90}).skipped == {A: 20}


def test_a_jump_back_is_into_a_topic_made_anew() -> None:
    change = jump({A: 40, B: 40}, {A: 0}, {A: 0})
    assert (change.skipped, change.anew) == ({}, {A})
    assert (change.assigned, change.revoked) == ({A: 0}, {A})


offsets = st.dictionaries(st.sampled_from([A, B, C]), st.integers(0, 120))


@given(offsets, st.sets(st.sampled_from([A, B, C])), st.none() | offsets)
def test_the_listener_can_tell_what_is_held_from_what_it_hears(
    held: dict[TopicPartition, int], partitions: set[TopicPartition], committed: dict[TopicPartition, int] | None
) -> None:
    change = move(held, partitions, committed, SPAN)
    told = {partition: position for partition, position in held.items() if partition not in change.revoked}
    assert told | change.assigned == change.positions
    assert change.positions.keys() == partitions
    assert not told.keys() & change.assigned.keys()


class TestAdvice:
    def test_it_is_that_of_the_nearest_known_class(self) -> None:
        class RefusedError(ConnectionRefusedError):
            pass

        assert "is it running" in advice(RefusedError())
        assert "did not answer" in advice(TimeoutError())

    def test_an_error_of_ours_speaks_for_itself(self) -> None:
        assert advice(RuntimeError("odd")) == "odd (RuntimeError)"
        assert advice(RuntimeError()) == "RuntimeError"

    def test_every_error_of_kafka_s_says_what_it_means(self) -> None:
        classes = {error for error in vars(aiokafka.errors).values() if isinstance(error, type)}
        found = {c: advice(c()) for c in classes | {*kafka_errors.values()} if issubclass(c, KafkaError)}
        abstract = {KafkaError, BrokerResponseError, aiokafka.errors.NoError}
        silent = {class_.__name__ for class_, said in found.items() if said == class_.__name__} - {
            class_.__name__ for class_ in abstract
        }
        # Those that the client keeps to itself, or that only ask for what is never asked for here.
        assert silent <= {
            "Cancelled", "ConsumerStoppedError", "IllegalArgumentError", "KafkaConfigurationError",
            "NoOffsetForPartitionError", "ProducerClosed", "TooManyInFlightRequests", "UnrecognizedBrokerVersion",
        }  # fmt: skip

    def test_it_names_what_the_error_names(self) -> None:
        assert advice(TopicAuthorizationFailedError("news_aapl")).endswith("(news_aapl)")
        assert advice(TopicAuthorizationFailedError({"news_b", "news_a"})).endswith("(news_a, news_b)")
        assert advice(GroupAuthorizationFailedError("sink")).endswith("(sink)")
        assert advice(socket.gaierror(-2, "Name or service not known")).endswith("(Name or service not known)")
        assert advice(MessageSizeTooLargeError("has\x1b[31m 9 bytes")).endswith("(has 9 bytes)")


@pytest.mark.parametrize("key", [None, b"\xff\xfe", b"", "Ünï".encode()])
@pytest.mark.parametrize("value", [None, b"", b"{}"])
def test_whatever_others_leave_out_of_a_record_is_empty(key: bytes | None, value: bytes | None) -> None:
    headers = (("trace", None), ("ingested", None), ("schema", b"\xff"))
    record = ConsumerRecord("t", 0, 7, -1, 0, key, value, None, 0, 0, headers)
    found = received("t", 0, record)
    assert (found.offset, found.ts, found.value) == (7, -1, value or b"")
    assert found.headers == {"trace": b"", "ingested": b"", "schema": b"\xff"}
    assert isinstance(found.key, str)
    assert age_of(found) is None
    assert dead_letter(found, "r").ts == datetime(1970, 1, 1, tzinfo=UTC)
