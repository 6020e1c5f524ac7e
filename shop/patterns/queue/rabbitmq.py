"""dramatiq over RabbitMQ: durable queues, confirmed publishing, every wait bounded.

A delivery that was not acknowledged when its connection broke is delivered again by RabbitMQ itself.
"""

from typing import Any

import dramatiq
import pika
import pika.exceptions
from dramatiq.brokers.rabbitmq import RabbitmqBroker

CONNECT_TIMEOUT_S = 2.0
BLOCKED_TIMEOUT_S = 5.0
"""What a server that takes no messages for lack of memory or disk may hold the relay up."""
HEARTBEAT_S = 30


class RabbitBroker(RabbitmqBroker):
    """See the module."""

    away = (pika.exceptions.AMQPError, OSError)
    """What it raises when the server is not there."""

    @classmethod
    def at(cls, url: str) -> "RabbitBroker":
        """Return a broker on the server at an address; nothing is connected yet."""
        broker = cls(url=url, middleware=[], confirm_delivery=True)
        given: Any = broker.parameters
        given.socket_timeout = given.stack_timeout = CONNECT_TIMEOUT_S
        given.blocked_connection_timeout = BLOCKED_TIMEOUT_S
        given.heartbeat = HEARTBEAT_S
        given.connection_attempts = 1
        return broker

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Publish once. dramatiq tries six times: with a full server, that takes nothing, half a minute."""
        try:
            self.declare_queue(message.queue_name, ensure=True)
            self.channel.basic_publish(
                exchange="",
                routing_key=message.queue_name,
                body=message.encode(),
                properties=pika.BasicProperties(delivery_mode=2),  # kept on disk
                mandatory=True,
            )
        except pika.exceptions.AMQPError as error:
            if isinstance(error, pika.exceptions.UnroutableError):
                self.queues_pending.add(message.queue_name)  # somebody has deleted it
            del self.connection
            raise
        return message

    def length(self, queue: str) -> int:
        """Return how many messages wait in a queue, made if it is not there yet."""
        try:
            self.declare_queue(queue, ensure=True)
            answer: Any = self.channel.queue_declare(queue=queue, passive=True)
        except pika.exceptions.AMQPError:
            del self.connection  # stale: the next call opens another
            raise
        return int(answer.method.message_count)
