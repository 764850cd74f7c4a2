"""What to do about an error of Kafka, in one sentence."""

import ssl
from collections.abc import Mapping
from typing import Final

from pipeline.model.text import clean
from pipeline.system import tls

# By name, so that this table needs no client library. The names are those of `aiokafka.errors`.
_ADVICE: Final[Mapping[str, str]] = {
    "SaslAuthenticationFailed": "it refuses the user name or password; check sasl_username and sasl_password",
    "AuthenticationFailedError": "it refuses the user name or password; check sasl_username and sasl_password",
    "IllegalSaslStateError": "it expects another kind of login; check security_protocol and sasl_mechanism",
    "UnsupportedSaslMechanismError": "it does not offer this kind of login; check sasl_mechanism",
    "AuthenticationMethodNotSupported": "it does not offer this kind of login; check sasl_mechanism",
    "SecurityDisabled": "it has no access control enabled; no request of this program needs it",
    "SSLError": "no TLS connection can be made; check security_protocol and the certificates",
    "TopicAuthorizationFailedError": "this user may not use the topic; grant it {right}",
    "GroupAuthorizationFailedError": "this user may not use the consumer group; grant it READ on the group",
    "ClusterAuthorizationFailedError": "this user may not publish anything; grant it WRITE on its topics (before Kafka "
    "2.8 also IDEMPOTENT_WRITE on the cluster)",
    "UnknownTopicOrPartitionError": "the topic does not exist; `fintrends-tui topics --create` makes it",
    "MessageSizeTooLargeError": "a record is too large; raise max.message.bytes of the topic",
    "RecordListTooLargeError": "a batch is too large; raise max.message.bytes of the topic",
    "RecordTooLargeError": "a record is too large to be fetched; lower max.message.bytes of the topic",
    "InvalidRecordError": "the rules of the topic forbid the record; check cleanup.policy of the topic",
    "CorruptRecordException": "a record is damaged; check the broker's disk",
    "UnsupportedCodecError": "a record is compressed in a way that is unknown here; set compression.type of the topic",
    "InvalidTopicError": "it refuses the topic name; there may be a topic that differs only in . and _",
    "InvalidTimestampError": "it refuses the time of a record; raise message.timestamp.before.max.ms and "
    "message.timestamp.after.max.ms of the topic",
    "InvalidReplicationFactorError": "it has fewer brokers than replicas are asked for; lower the replication factor",
    "InvalidReplicationAssignmentError": "it refuses the replicas asked for; lower the replication factor",
    "InvalidPartitionsError": "it refuses the number of partitions; check the number configured",
    "InvalidConfigurationError": "it refuses a setting of the topic; check the section [kafka]",
    "PolicyViolationError": "a policy of the cluster forbids such a topic; have its administrator create it",
    "QuotaViolationError": "this user's quota is used up; have the cluster's administrator raise it",
    "ThrottlingQuotaExceededError": "this user's quota is used up; have the cluster's administrator raise it",
    "NotEnoughReplicasError": "too few replicas are in sync to accept it; check the cluster's brokers",
    "NotEnoughReplicasAfterAppendError": "too few replicas are in sync to accept it; check the cluster's brokers",
    "LeaderNotAvailableError": "a partition has no leader; check that all brokers are up",
    "NotLeaderForPartitionError": "a partition's leader has changed; check that all brokers are up if it stays so",
    "BrokerNotAvailableError": "a broker is not available; check that all brokers are up",
    "ReplicaNotAvailableError": "a replica is not available; check that all brokers are up",
    "StaleLeaderEpochCodeError": "a partition's leader has changed; check that all brokers are up if it stays so",
    "StaleMetadata": "it is not known which broker has a partition; check that all brokers are up",
    "MetadataEmptyBrokerList": "it returns no brokers; is it still starting?",
    "NotControllerError": "the cluster is choosing its controller; check that all controllers are up if it stays so",
    "GroupLoadInProgressError": "the group's coordinator is loading, which takes a while after a restart",
    "GroupCoordinatorNotAvailableError": "the group has no coordinator; check that the topic __consumer_offsets has no "
    "more replicas than there are brokers",
    "NotCoordinatorForGroupError": "the group's coordinator has changed; check that all brokers are up if it stays so",
    "IllegalGenerationError": "the group has rebalanced; the records will be read again",
    "UnknownMemberIdError": "the group has removed this member as dead; the records will be read again",
    "RebalanceInProgressError": "the group is rebalancing; the records will be read again",
    "InvalidSessionTimeoutError": "it does not allow such a session_timeout; change it, or "
    "group.min.session.timeout.ms and group.max.session.timeout.ms of the broker",
    "OffsetOutOfRangeError": "the offset is no longer retained; reading continues at the oldest record",
    "OutOfOrderSequenceNumber": "the broker has lost the state of the producer; the records are sent again",
    "UnknownProducerId": "the broker has lost the identity of the producer; the records are sent again",
    "InvalidProducerEpoch": "the broker has lost the identity of the producer; the records are sent again",
    "KafkaStorageError": "it cannot write to its disk; check the broker's disk",
    "LogDirNotFound": "it cannot find its data; check the broker's disk",
    "UnknownError": "it reported an unknown error; see the log of the broker",
    "UnsupportedVersionError": "the broker is too old; Kafka 2.1 or later is needed",
    "IncompatibleBrokerVersion": "the broker is too old; Kafka 2.1 or later is needed",
    "CommitFailedError": "the group has rebalanced; the records will be read again",
    "IllegalStateError": "the partition is another consumer's now; the records will be read again",
    "KafkaProtocolError": "what answers there does not speak the Kafka protocol; check the port and security_protocol",
    "HungUpError": "it takes the connection and closes it at once; it is starting or stopping, or security_protocol is "
    "not that of this port",
    "KafkaUnavailableError": "there is no connection; is it running and reachable?",
    "NoBrokersAvailable": "there is no connection; is it running and reachable?",
    "KafkaConnectionError": "there is no connection; is it running and reachable?",
    "NodeNotReadyError": "there is no connection; is it running and reachable?",
    "ConnectionRefusedError": "it refuses connections; is it running, and is the port right?",
    "gaierror": "the host name is unknown; check the address",
    "OSError": "there is no connection; is it running, and is the address right?",
    "TimeoutError": "it did not answer in time; is it running and reachable?",
    "KafkaTimeoutError": "it did not answer in time; is it running and reachable?",
    "RequestTimedOutError": "it did not answer in time; is it running and reachable?",
}

_REFUSALS: Final = frozenset(
    {
        "SaslAuthenticationFailed",
        "AuthenticationFailedError",
        "IllegalSaslStateError",
        "UnsupportedSaslMechanismError",
        "TopicAuthorizationFailedError",
        "GroupAuthorizationFailedError",
        "ClusterAuthorizationFailedError",
        "InvalidPartitionsError",
        "PolicyViolationError",
        "UnsupportedVersionError",
        "IncompatibleBrokerVersion",
    }
)
"""Answers of a cluster that is there, which stay the same until something is changed. All else may pass, such as too
few brokers for the replicas while some of them start."""


def is_refusal(error: BaseException) -> bool:
    """Whether trying again helps only after something was changed."""
    return _of_certificates(error) is not None or any(class_.__name__ in _REFUSALS for class_ in type(error).__mro__)


_SPEAKS_OF_ITSELF: Final = frozenset(
    {"CommitFailedError", "HungUpError", "IllegalSaslStateError", "KafkaConnectionError", "NodeNotReadyError"}
)
"""Errors whose own words are about the client library."""
_LIMIT: Final = 200


ALL_RIGHTS: Final = "READ, WRITE, DESCRIBE and CREATE"
"""On a topic; see the page on operations."""


def advice(error: BaseException, right: str = ALL_RIGHTS) -> str:
    """The sentence for the error: that for its class, or for the nearest of its base classes that has one, and what it
    says itself, such as a topic's name or the reason that the system gives. Others speak for themselves.

    `right` is the one that was needed, if access to a topic is denied.
    """
    said = _words(error)
    if refused := _of_certificates(error):
        return f"{refused} ({said})"
    for class_ in type(error).__mro__:
        if class_.__name__ in _ADVICE:
            own = "" if class_.__name__ in _SPEAKS_OF_ITSELF or not said else f" ({said})"
            return _ADVICE[class_.__name__].format(right=right) + own
    said = said or getattr(error, "description", "")
    return f"{said} ({type(error).__name__})" if said else type(error).__name__


def _of_certificates(error: BaseException) -> str | None:
    return tls.why_refused(str(error), "ssl_cafile", "ssl_certfile") if isinstance(error, ssl.SSLError) else None


def _words(error: BaseException) -> str:
    """What the error itself says."""
    match error.args:
        case (int(), str() as words, *_) if isinstance(error, OSError):
            return clean(words, _LIMIT)
        case (set() | frozenset() as names,):
            return clean(", ".join(sorted(map(str, names))), _LIMIT)
        case words:
            return clean(": ".join(str(word) for word in words if word), _LIMIT)
