"""How deliveries travel: dramatiq, over Valkey (or Redis) or RabbitMQ, told apart by the address.

Each consumer has a queue of its own, so that a slow mail server holds nobody else's messages up. Prefetch and length
are bounded: what does not fit waits in the outbox.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import dramatiq
from dramatiq.errors import BrokerConnectionError

from shop.errors import ConfigurationError
from shop.patterns.outbox.relay import BrokerUnavailable

POLL_MS = 200
"""The longest pause between two looks at an idle queue in Valkey: it begins at some ms and doubles with each look that
finds nothing. RabbitMQ pushes."""
DELIVER = "deliver"


class RejectUnreadable(dramatiq.Middleware):
    """Sends what no consumer could be given, such as a message it cannot read, to the broker's own dead letters."""

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """See dramatiq, which acknowledges whatever has failed and is not marked so."""
        if exception is not None:
            message.fail()


class MessageBroker:
    """Hands messages to the broker, and takes them from it.

    Args:
        url: ``redis://``, ``rediss://`` or ``amqp://``, ``amqps://``.
        consumers: their names, which are the queues' too.
        limit: messages a queue may hold.

    Raises:
        ConfigurationError: the address is of no known kind.
    """

    def __init__(self, url: str, consumers: Sequence[str], limit: int) -> None:
        self._broker = _broker(url)
        self._broker.add_middleware(RejectUnreadable())
        self._consumers = consumers
        self._limit = limit
        self._worker: dramatiq.Worker | None = None

    def publish(self, consumer: str, body: Mapping[str, Any]) -> None:
        """Put a message into a consumer's queue; return when the broker has it.

        Raises:
            BrokerUnavailable: it is not known to have it.
        """
        message: dramatiq.Message[Any] = dramatiq.Message(
            queue_name=consumer, actor_name=f"{DELIVER}.{consumer}", args=(dict(body),), kwargs={}, options={}
        )
        try:
            self._broker.enqueue(message)
        except (*self._broker.away, BrokerConnectionError) as error:
            raise BrokerUnavailable(type(error).__name__) from error

    def lengths(self) -> dict[str, int]:
        """Return how many messages wait in each queue.

        Raises:
            BrokerUnavailable: nobody can say.
        """
        try:
            return {consumer: self._broker.length(consumer) for consumer in self._consumers}
        except (*self._broker.away, BrokerConnectionError) as error:
            raise BrokerUnavailable(type(error).__name__) from error

    def free_capacity(self) -> int:
        """Return how many more messages every queue may hold.

        Raises:
            BrokerUnavailable: nobody can say.
        """
        return self._limit - max(self.lengths().values(), default=0)

    def serve(self, deliver: Callable[[str, Mapping[str, Any]], None], threads: int, prefetch: int) -> None:
        """Take deliveries from now on, in threads of this process.

        Args:
            deliver: is given the consumer and the message; a delivery is acknowledged when it returns.
            threads: deliveries at the same time.
            prefetch: messages fetched ahead for a queue, those being handled counted.
        """
        for consumer in self._consumers:
            self._broker.declare_actor(self._actor(consumer, deliver))
        self._broker.delay_queues.clear()  # nothing is delayed in the broker: nobody need poll for it
        self._worker = dramatiq.Worker(self._broker, worker_threads=threads, worker_timeout=POLL_MS)
        self._worker.queue_prefetch = prefetch
        self._worker.start()

    def stop(self, timeout_s: float) -> None:
        """Take no more, let the deliveries under way end, and give back every connection."""
        if self._worker is not None:
            self._worker.stop(timeout=int(timeout_s * 1000))
        self._broker.close()

    def _actor(self, consumer: str, deliver: Callable[[str, Mapping[str, Any]], None]) -> "dramatiq.Actor[Any, Any]":
        return dramatiq.Actor(
            lambda body: deliver(consumer, body),
            broker=self._broker,
            actor_name=f"{DELIVER}.{consumer}",
            queue_name=consumer,
            priority=0,
            options={},
        )


def _broker(url: str) -> Any:
    match urlsplit(url).scheme:  # each imported only where it is used
        case "redis" | "rediss" | "unix":
            from shop.patterns.queue.valkey import ValkeyBroker

            return ValkeyBroker.at(url)
        case "amqp" | "amqps":
            from shop.patterns.queue.rabbitmq import RabbitBroker

            return RabbitBroker.at(url)
    raise ConfigurationError("BROKER_URL is neither a Redis or Valkey address (redis://) nor RabbitMQ's (amqp://).")
