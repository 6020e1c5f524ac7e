"""The composition root of the queue: the consumers of each topic, the relay and the dispatcher.

Only the worker and the commands for the queue use it. A web process writes messages to the outbox; only its
readiness check connects to the broker.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from shop.accounts import password_resets
from shop.backoff import ExponentialBackoff
from shop.checkout import confirmation, link_mail
from shop.customers import password_mail
from shop.errors import ConfigurationError
from shop.orders import link_requests
from shop.patterns.observability import correlation
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.outbox.relay import BrokerUnavailable, OutboxRelay, backlog
from shop.patterns.queue.dispatcher import MessageDispatcher, RetryPolicy, count_dead_letters
from shop.patterns.queue.queue_report import QueueReport
from shop.settings import Settings
from shop.wiring import ProcessRuntime

if TYPE_CHECKING:
    from shop.patterns.queue.message_broker import MessageBroker

SUBSCRIPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        confirmation.TOPIC: (confirmation.CONSUMER,),
        link_requests.TOPIC: (link_mail.CONSUMER,),
        password_resets.TOPIC: (password_mail.CONSUMER,),
    }
)
"""Consumers by topic."""
CONSUMERS = tuple(sorted({name for names in SUBSCRIPTIONS.values() for name in names}))
RETRY_CAP_S = 300.0


def message_broker(settings: Settings) -> "MessageBroker":
    """Return the client of the broker; it opens no connection yet.

    Raises:
        ConfigurationError: no broker is configured, or its address is malformed.
    """
    if settings.broker_url is None:
        raise ConfigurationError("No broker: start the stack with `bin/shop up`, or set BROKER_URL.")
    # Imported here, after the worker has hidden gevent from dramatiq.
    from shop.patterns.queue.message_broker import MessageBroker

    return MessageBroker(settings.broker_url, CONSUMERS, settings.queue_length)


def consumers_of(message: QueueMessage) -> tuple[str, ...]:
    """Return the consumers of a message; none if this release has no such topic or consumer."""
    names = (message.consumer,) if message.consumer else SUBSCRIPTIONS.get(message.topic, ())
    return tuple(name for name in names if name in CONSUMERS)


class CurrentRelay:
    """The relay of a process, by the current snapshot of the switches.

    Args:
        runtime: of the process.
        publish: sends a message to all its consumers.
        free_capacity: returns how many more messages the queue may hold.
    """

    def __init__(
        self, runtime: ProcessRuntime, publish: Callable[[QueueMessage], None], free_capacity: Callable[[], int]
    ) -> None:
        self._runtime = runtime
        self._own = OutboxRelay(runtime.database, publish, free_capacity)
        self._tools = {"database": runtime.database, "publish": publish, "free_capacity": free_capacity}

    def run_once(self) -> int:
        """Publish the messages of the outbox; see :meth:`OutboxRelay.run_once`."""
        return self._runtime.current_seams().choose("exercise.16", self._own, **self._tools).run_once()


def relay(runtime: ProcessRuntime, broker: "MessageBroker") -> CurrentRelay:
    """Return the relay from the database's outbox to the broker."""
    dispatcher = message_dispatcher(runtime)

    def publish(message: QueueMessage) -> None:
        names = consumers_of(message)
        if not names:
            correlation.adopt(message.request_id, message.traceparent)
            dispatcher.record_unroutable(message)
        for consumer in names:  # after a failure half-way, all are published again: each inbox drops duplicates
            broker.publish(consumer, message.to_json())

    return CurrentRelay(runtime, publish, broker.free_capacity)


def queue_reporter(runtime: ProcessRuntime, broker: "MessageBroker") -> Callable[[], None]:
    """Return a function that writes the report on outbox and queue for the lab."""

    def report() -> None:
        with runtime.database.reading() as session:
            outbox, dead = backlog(session), count_dead_letters(session)
        try:
            queues = broker.lengths()
        except BrokerUnavailable:
            queues = None
        with suppress(OSError):  # a full disk: the lab shows how old the last report is
            QueueReport(time.time(), outbox.waiting, outbox.oldest_s, dead, queues).save(
                runtime.settings.queue_report_file
            )

    return report


def message_dispatcher(runtime: ProcessRuntime) -> MessageDispatcher:
    """Return the dispatcher of deliveries; each delivery uses the current snapshot of the switches."""
    settings = runtime.settings
    return MessageDispatcher(
        runtime.database,
        {
            confirmation.CONSUMER: lambda message: runtime.services().confirmation_consumer.handle(message),
            link_mail.CONSUMER: lambda message: runtime.services().link_mail_consumer.handle(message),
            password_mail.CONSUMER: lambda message: runtime.services().password_mail.handle(message),
        },
        RetryPolicy(settings.queue_attempts, ExponentialBackoff(settings.queue_retry_s, RETRY_CAP_S)),
        runtime.metrics.queue.observe_delivery,
    )
