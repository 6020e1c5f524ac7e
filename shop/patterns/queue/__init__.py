"""Work that happens after the answer: deliveries, their failures, and what nobody could handle.

Problem: what a request does besides its purpose makes it slow, and makes it fail when a mail server does. What is done
later must not be lost, done twice, or tried for ever.
Method: dramatiq carries deliveries over Valkey or RabbitMQ; everything that must not be lost is in PostgreSQL. A
consumer writes down that it has handled a message in the transaction of its work, so a second delivery finds it done.
A failure goes back to the outbox, due later with full jitter; after a bounded number of attempts it becomes a dead
letter. A delivery is acknowledged only when one of the three is committed, so no restart of broker or worker loses it.
Switch: ``orders.confirmation``. Experiment: ``order-confirmation``.
Source: Hohpe and Woolf, "Enterprise Integration Patterns" (2003), idempotent receiver and dead letter channel.
"""
