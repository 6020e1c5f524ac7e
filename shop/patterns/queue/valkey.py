"""dramatiq over Valkey, with two of its gaps closed.

A connection that breaks can take fetched messages with it: they are noted as being this worker's, and while the worker
lives nobody else takes them. So a worker that has lost its connection goes on under a new name; what its old one held
is given to others when that name has been silent for a while. And a command whose answer is late is a lost connection.
So is one that the server refuses: it refuses all writes while its disk or its memory is full, or while it only reads.
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
"""A worker that has not asked for this long is dead: alive, it asks five times a second."""
MAINTENANCE_CHANCE = 80_000
"""Of a million commands, those that look for dead workers: some every few seconds, with nothing else to do."""


TAKE_WHEN_FULL = b"""if ARGV[1] ~= "enqueue" then redis.call("del", KEYS[1] .. ":nothing") end\n"""
"""Begins dramatiq's script, which begins with a write itself, and would so be refused by a full server, whatever it is
to do: what lies there could not even be taken out. A script that has begun with a write which takes no memory is not
refused any more (Valkey's documentation, EVAL: a script must not stop half-way). New messages go on being refused."""


class _ValkeyConsumer(_RedisConsumer):
    """Takes a late answer, or a refusal, for a lost connection, so that it is asked again: dramatiq would give up."""

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
    """See the module."""

    away = (redis.RedisError, OSError)
    """What it raises when the server is not there, or does not take what it is given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # dramatiq types part of itself
        self._begun: set[str] = set()
        self.scripts["dispatch"] = self.client.register_script(TAKE_WHEN_FULL + _scripts["dispatch"])

    @classmethod
    def at(cls, url: str) -> "ValkeyBroker":
        """Return a broker on the server at an address; nothing is connected yet."""
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
        """Return ours."""
        return _ValkeyConsumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Any:
        """Begin, or begin again after a lost connection, under a new name."""
        if queue_name in self._begun:
            self.broker_id = str(uuid.uuid4())
        self._begun.add(queue_name)
        return super().consume(queue_name, prefetch, timeout)

    def length(self, queue: str) -> int:
        """Return how many messages wait in a queue, those being handled not counted."""
        found: Any = self.client.llen(f"{self.namespace}:{queue}")
        return int(found)

    def close(self) -> None:
        """Give back every connection."""
        self.client.close()
