"""What to do about an error of Kafka's, in a sentence."""

from collections.abc import Mapping
from typing import Final

# By name, so that this table needs no client library. The names are those of `aiokafka.errors`.
_ADVICE: Final[Mapping[str, str]] = {
    "SaslAuthenticationFailed": "it refuses the user name or password; check sasl_username and sasl_password",
    "AuthenticationFailedError": "it refuses the user name or password; check sasl_username and sasl_password",
    "IllegalSaslStateError": "it expects another kind of login; check security_protocol and sasl_mechanism",
    "UnsupportedSaslMechanismError": "it does not offer this kind of login; check sasl_mechanism",
    "SSLCertVerificationError": "its certificate is not trusted; check ssl_cafile and the host name",
    "SSLError": "no TLS connection can be made; check security_protocol and the certificates",
    "TopicAuthorizationFailedError": "this user may not use the topic; grant it READ, WRITE, DESCRIBE and CREATE",
    "GroupAuthorizationFailedError": "this user may not use the consumer group; grant it READ on the group",
    "ClusterAuthorizationFailedError": "this user may not do that on the cluster; grant it IDEMPOTENT_WRITE and CREATE",
    "UnknownTopicOrPartitionError": "the topic does not exist; `fintrends-tui topics --create` makes it",
    "MessageSizeTooLargeError": "a record is too large; raise max.message.bytes of the topic",
    "RecordListTooLargeError": "a batch is too large; raise max.message.bytes of the topic",
    "InvalidTimestampError": "it refuses the time of a record; raise message.timestamp.before.max.ms and "
    "message.timestamp.after.max.ms of the topic",
    "InvalidReplicationFactorError": "it has fewer brokers than replicas are asked for; lower the replication factor",
    "InvalidPartitionsError": "it refuses the number of partitions; check the number configured",
    "PolicyViolationError": "a policy of the cluster forbids such a topic; have its administrator create it",
    "NotEnoughReplicasError": "too few replicas are in sync to take the record; check the cluster's brokers",
    "KafkaStorageError": "it cannot write to its disk; check the broker's disk",
    "UnsupportedVersionError": "the broker is too old; Kafka 2.1 or later is needed",
    "IncompatibleBrokerVersion": "the broker is too old; Kafka 2.1 or later is needed",
    "CommitFailedError": "the group has rebalanced meanwhile; the records will be read again",
    "IllegalStateError": "the partition is another consumer's now; the records will be read again",
    "KafkaConnectionError": "there is no connection; is it running and reachable?",
    "NodeNotReadyError": "there is no connection; is it running and reachable?",
    "ConnectionRefusedError": "it refuses connections; is it running, and is the port right?",
    "gaierror": "the host name is unknown; check the address",
    "OSError": "there is no connection; is it running, and is the address right?",
    "TimeoutError": "it did not answer in time; is it running and reachable?",
    "KafkaTimeoutError": "it did not answer in time; is it running and reachable?",
    "RequestTimedOutError": "it did not answer in time; is it running and reachable?",
}


def advice(error: BaseException) -> str:
    """The sentence for the error: that for its class, or for the nearest of its base classes that has one."""
    for class_ in type(error).__mro__:
        if class_.__name__ in _ADVICE:
            return _ADVICE[class_.__name__]
    return f"{error} ({type(error).__name__})" if error.args else type(error).__name__
