"""The queue's corner of the composition root: who takes which topic, and how deliveries travel.

Only the worker and the commands about the queue need it: a web process writes messages and never meets the broker.
"""

from collections.abc import Mapping
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
from shop.patterns.outbox.relay import OutboxRelay
from shop.patterns.queue.dispatcher import MessageDispatcher, RetryPolicy
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
"""Topic to the consumers that take it."""
CONSUMERS = tuple(sorted({name for names in SUBSCRIPTIONS.values() for name in names}))
RETRY_CAP_S = 300.0


def message_broker(settings: Settings) -> "MessageBroker":
    """Return the way to the broker; nothing is connected yet.

    Raises:
        ConfigurationError: no broker is known, or its address is malformed.
    """
    if settings.broker_url is None:
        raise ConfigurationError("No broker: start the stack with `shop up`, or set BROKER_URL.")
    # Only here, for the worker to say first what dramatiq is to look for.
    from shop.patterns.queue.message_broker import MessageBroker

    return MessageBroker(settings.broker_url, CONSUMERS, settings.queue_length)


def consumers_of(message: QueueMessage) -> tuple[str, ...]:
    """Return the consumers of this release that a message is for; none where its topic or its consumer is unknown."""
    named = (message.consumer,) if message.consumer else SUBSCRIPTIONS.get(message.topic, ())
    return tuple(name for name in named if name in CONSUMERS)


def relay(runtime: ProcessRuntime, to: "MessageBroker") -> OutboxRelay:
    """Return the relay from this database's outbox."""
    failing = message_dispatcher(runtime)

    def publish(message: QueueMessage) -> None:
        names = consumers_of(message)
        if not names:
            correlation.adopt(message.request_id, message.traceparent)
            failing.record_unroutable(message)
        for consumer in names:  # a failure half-way publishes again to all: they know what they have handled
            to.publish(consumer, message.to_json())

    return OutboxRelay(runtime.database, publish, to.free_capacity)


def message_dispatcher(runtime: ProcessRuntime) -> MessageDispatcher:
    """Return what becomes of a delivery; each takes the switches as they stand then."""
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
