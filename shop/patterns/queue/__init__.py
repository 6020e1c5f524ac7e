"""Background work over a queue: deliveries, retries, and dead letters.

Problem: secondary work in a request makes it slow, and makes it fail when a mail server fails. Work that is done later
must not be lost, done twice, or retried for ever.
Method: dramatiq carries the deliveries over Valkey or RabbitMQ; all data that must not be lost is in PostgreSQL. A
consumer records a handled message in the transaction of its work, so it recognises a second delivery. A failed message
goes back to the outbox and is due later, with full jitter; after a bounded number of attempts it becomes a dead letter.
A delivery is acknowledged only when one of these three outcomes is committed. So a restart of the broker or of the
worker loses no message.
Switch: ``orders.confirmation``. Experiment: ``order-confirmation``.
Source: Hohpe and Woolf, "Enterprise Integration Patterns" (2003), idempotent receiver and dead letter channel.
"""
