"""Who may do what on a broker that has access control."""

import asyncio
from typing import Final, Literal

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from testkit.engines.kafka import SASL_USER

Operation = Literal["all", "read", "write", "create", "describe", "describe_configs", "idempotent_write"]
Resource = Literal["topic", "group", "cluster"]
TOPIC_RIGHTS: Final[tuple[Operation, ...]] = ("read", "write", "create", "describe", "describe_configs")
GROUP_RIGHTS: Final[tuple[Operation, ...]] = ("read",)
"""Those that a pipeline needs, as docs/operations.md lists them."""
_OPERATIONS: Final[dict[Operation, int]] = {
    "all": 2,
    "read": 3,
    "write": 4,
    "create": 5,
    "describe": 8,
    "describe_configs": 10,
    "idempotent_write": 12,
}
_RESOURCES: Final[dict[Resource, int]] = {"topic": 2, "group": 3, "cluster": 4}
_LITERAL: Final = 3
_PREFIXED: Final = 4
_DENY: Final = 2
_ALLOW: Final = 3


async def deny(bootstrap: str, topic: str, *operations: Operation) -> None:
    """Deny them to `SASL_USER` on the topic, and nothing else."""
    rights = [("all", _ALLOW), *((operation, _DENY) for operation in operations)]
    await _create(bootstrap, SASL_USER, [("topic", topic, _LITERAL, *right) for right in rights])


async def allow(bootstrap: str, user: str, resource: Resource, prefix: str, *operations: Operation) -> None:
    """Allow them on all resources of that kind whose names begin with the prefix."""
    await _create(bootstrap, user, [(resource, prefix, _PREFIXED, operation, _ALLOW) for operation in operations])


async def _create(bootstrap: str, user: str, rules: list[tuple[Resource, str, int, Operation, int]]) -> None:
    """Create them, and wait until the broker keeps to them: it takes them for done when its controller has them."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        for resource, name, pattern, operation, permission in rules:
            rule = _RESOURCES[resource], name, pattern, f"User:{user}", "*", _OPERATIONS[operation], permission
            response = await client.send(client.get_random_node(), CreateAclsRequest(*rule))
            ((code, words),) = response.creation_responses
            assert code == 0, words
            while not (await client.send(client.get_random_node(), DescribeAclsRequest(*rule))).resources:
                await asyncio.sleep(0.02)
    finally:
        await client.close()
