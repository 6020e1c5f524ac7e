"""dramatiq over RabbitMQ: durable queues, publisher confirms, and a timeout for every wait.

If a connection breaks, RabbitMQ delivers its unacknowledged messages again.
"""

from typing import Any

import dramatiq
import pika
import pika.exceptions
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from pika.adapters.utils.connection_workflow import AMQPConnectorException

CONNECT_TIMEOUT_S = 2.0
BLOCKED_TIMEOUT_S = 5.0
"""Longest wait of the relay for a server that accepts no messages because its memory or disk is full."""
HEARTBEAT_S = 30


class RabbitBroker(RabbitmqBroker):
    """A dramatiq broker on one RabbitMQ."""

    connection_errors = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)
    """The exceptions that it raises when the server is down. The second is for one that takes a connection and says
    nothing; pika does not count it among its own errors."""

    @classmethod
    def at(cls, url: str) -> "RabbitBroker":
        """Return a broker for the server at an address; it is not connected yet."""
        broker = cls(url=url, middleware=[], confirm_delivery=True)
        parameters: Any = broker.parameters
        parameters.socket_timeout = parameters.stack_timeout = CONNECT_TIMEOUT_S
        parameters.blocked_connection_timeout = BLOCKED_TIMEOUT_S
        parameters.heartbeat = HEARTBEAT_S
        parameters.connection_attempts = 1
        return broker

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Publish once. dramatiq would try six times; with a full server that takes half a minute."""
        try:
            self.declare_queue(message.queue_name, ensure=True)
            self.channel.basic_publish(
                exchange="",
                routing_key=message.queue_name,
                body=message.encode(),
                properties=pika.BasicProperties(delivery_mode=2),  # stored on disk
                mandatory=True,
            )
        except pika.exceptions.AMQPError as error:
            if isinstance(error, pika.exceptions.UnroutableError):
                self.queues_pending.add(message.queue_name)  # the queue was deleted
            del self.connection
            raise
        return message

    def length(self, queue: str) -> int:
        """Return the number of waiting messages in a queue; create the queue if it does not exist."""
        try:
            self.declare_queue(queue, ensure=True)
            answer: Any = self.channel.queue_declare(queue=queue, passive=True)
        except pika.exceptions.AMQPError:
            del self.connection  # stale: the next call opens another
            raise
        return int(answer.method.message_count)
