"""dramatiq over Valkey, with two changes.

If a connection breaks, messages that the worker has fetched may not have arrived. Valkey lists them under the worker's
name, and no other worker takes them while that name is alive. So a worker that has lost its connection continues under
a new name; other workers take the messages of the old name when it has been silent for a while.
A late answer counts as a lost connection, and so does a refused command: a server refuses all writes while its disk or
its memory is full, or while it is read-only.
"""

import uuid
from typing import Any

import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer, _scripts
from dramatiq.errors import ConnectionClosed
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 2.0
HEARTBEAT_TIMEOUT_MS = 10_000
"""A worker that has sent nothing for this long is dead: a living worker polls five times a second."""
MAINTENANCE_CHANCE = 80_000
"""The share of commands that also look for dead workers, in millionths: one every few seconds on an idle queue."""

TAKE_WHEN_FULL = b"""if ARGV[1] ~= "enqueue" then redis.call("del", KEYS[1] .. ":nothing") end\n"""
"""The first line of dramatiq's script. Without it the script begins with a write that needs memory, so a full server
would refuse it even when it only removes messages. A server does not refuse a script that has begun with a write that
needs no memory (Valkey's documentation, EVAL: a script must not stop half-way). New messages are still refused."""


class _ValkeyConsumer(_RedisConsumer):
    """Treats a late answer or a refusal as a lost connection, so that dramatiq connects again and does not give up."""

    def ack(self, message: Any) -> None:
        """See dramatiq."""
        try:
            super().ack(message)  # type: ignore[no-untyped-call]
        except (redis.TimeoutError, redis.ResponseError) as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def __next__(self) -> Any:
        """See dramatiq."""
        try:
            return super().__next__()  # type: ignore[no-untyped-call]
        except (redis.TimeoutError, redis.ResponseError) as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]


class ValkeyBroker(RedisBroker):
    """A dramatiq broker on one Valkey."""

    connection_errors = (redis.RedisError, OSError)
    """The exceptions that it raises when the server is down, or refuses a write."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # dramatiq types part of itself
        self._begun: set[str] = set()
        self.scripts["dispatch"] = self.client.register_script(TAKE_WHEN_FULL + _scripts["dispatch"])

    @classmethod
    def at(cls, url: str) -> "ValkeyBroker":
        """Return a broker for the server at an address; it is not connected yet."""
        client = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        return cls(
            client=client,
            middleware=[],
            namespace="shop",
            heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
            maintenance_chance=MAINTENANCE_CHANCE,
        )

    @property
    def consumer_class(self) -> type[_ValkeyConsumer]:
        """Return the consumer class of this module."""
        return _ValkeyConsumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Any:
        """Begin to consume; after a lost connection, continue under a new name."""
        if queue_name in self._begun:
            self.broker_id = str(uuid.uuid4())
        self._begun.add(queue_name)
        return super().consume(queue_name, prefetch, timeout)

    def length(self, queue: str) -> int:
        """Return the number of waiting messages in a queue, without those in progress."""
        length: Any = self.client.llen(f"{self.namespace}:{queue}")
        return int(length)

    def close(self) -> None:
        """Close every connection."""
        self.client.close()
