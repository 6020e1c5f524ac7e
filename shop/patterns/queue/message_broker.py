"""The message broker: dramatiq over Valkey (or Redis) or RabbitMQ; the scheme of the address decides.

Each consumer has its own queue, so its waiting messages delay no other consumer; all consumers of a worker share its
threads. Prefetch and length of a queue are bounded; further messages wait in the outbox.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import dramatiq
from dramatiq.errors import BrokerConnectionError

from shop.errors import ConfigurationError
from shop.patterns.outbox.relay import BrokerUnavailable

POLL_MS = 200
"""The longest pause between two polls of an idle queue in Valkey. The pause begins at some milliseconds and doubles
with each empty poll. RabbitMQ pushes."""
DELIVER = "deliver"


class RejectUnreadable(dramatiq.Middleware):
    """Moves a message that no consumer can read to the broker's own dead letters."""

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Mark the message as failed; dramatiq would acknowledge it otherwise."""
        if exception is not None:
            message.fail()


class MessageBroker:
    """Publishes messages to the broker, and receives them.

    Args:
        url: ``redis://``, ``rediss://`` or ``amqp://``, ``amqps://``.
        consumers: the names of the consumers and of their queues.
        limit: number of messages that a queue may hold.

    Raises:
        ConfigurationError: the scheme of the address is unknown.
    """

    def __init__(self, url: str, consumers: Sequence[str], limit: int) -> None:
        self._broker = _broker(url)
        self._broker.add_middleware(RejectUnreadable())
        self._consumers = consumers
        self._limit = limit
        self._worker: dramatiq.Worker | None = None

    def publish(self, consumer: str, body: Mapping[str, Any]) -> None:
        """Put a message into a consumer's queue; return when the broker has confirmed it.

        Raises:
            BrokerUnavailable: the broker has not confirmed it.
        """
        message: dramatiq.Message[Any] = dramatiq.Message(
            queue_name=consumer, actor_name=f"{DELIVER}.{consumer}", args=(dict(body),), kwargs={}, options={}
        )
        try:
            self._broker.enqueue(message)
        except (*self._broker.connection_errors, BrokerConnectionError) as error:
            raise BrokerUnavailable(type(error).__name__) from error

    def lengths(self) -> dict[str, int]:
        """Return the number of waiting messages in each queue.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """
        try:
            return {consumer: self._broker.length(consumer) for consumer in self._consumers}
        except (*self._broker.connection_errors, BrokerConnectionError) as error:
            raise BrokerUnavailable(type(error).__name__) from error

    def free_capacity(self) -> int:
        """Return how many more messages every queue may hold.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """
        return self._limit - max(self.lengths().values(), default=0)

    def serve(self, deliver: Callable[[str, Mapping[str, Any]], None], threads: int, prefetch: int) -> None:
        """Begin to receive deliveries, in threads of this process.

        Args:
            deliver: receives the consumer and the message; the delivery is acknowledged when it returns.
            threads: number of concurrent deliveries.
            prefetch: number of messages fetched ahead for a queue, including those in progress.
        """
        for consumer in self._consumers:
            actor: dramatiq.Actor[Any, Any] = dramatiq.Actor(
                lambda body, consumer=consumer: deliver(consumer, body),
                broker=self._broker,
                actor_name=f"{DELIVER}.{consumer}",
                queue_name=consumer,
                priority=0,
                options={},
            )
            self._broker.declare_actor(actor)
        self._broker.delay_queues.clear()  # no message is delayed in the broker, so these queues need no polling
        self._worker = dramatiq.Worker(self._broker, worker_threads=threads, worker_timeout=POLL_MS)
        self._worker.queue_prefetch = prefetch
        self._worker.start()

    def stop(self, timeout_s: float) -> None:
        """Receive no more, wait for the deliveries in progress, and close every connection."""
        if self._worker is not None:
            self._worker.stop(timeout=int(timeout_s * 1000))
        self._broker.close()


def _broker(url: str) -> Any:
    match urlsplit(url).scheme:  # each client is imported only if it is used
        case "redis" | "rediss" | "unix":
            from shop.patterns.queue.valkey import ValkeyBroker

            return ValkeyBroker.at(url)
        case "amqp" | "amqps":
            from shop.patterns.queue.rabbitmq import RabbitBroker

            return RabbitBroker.at(url)
    raise ConfigurationError("BROKER_URL is neither a Redis or Valkey address (redis://) nor RabbitMQ's (amqp://).")
