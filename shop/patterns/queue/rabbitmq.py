"""dramatiq over RabbitMQ: durable queues, confirmed publishing, every wait bounded.

A delivery that was not acknowledged when its connection broke is delivered again by RabbitMQ itself.
"""

from typing import Any

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

    def length(self, queue: str) -> int:
        """Return how many messages wait in a queue, made if it is not there yet."""
        try:
            self.declare_queue(queue, ensure=True)
            answer: Any = self.channel.queue_declare(queue=queue, passive=True)
        except pika.exceptions.AMQPError:
            del self.connection  # stale: the next call opens another
            raise
        return int(answer.method.message_count)
