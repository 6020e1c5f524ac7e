"""Messages that commit together with the change they tell of, and the relay that hands them to the queue.

Problem: a change and the message about it live in two systems, the database and the broker. Send first and roll back,
and somebody is told of what never happened; commit first and crash, and nobody is ever told.
Method: the message is a row, written in the transaction of the change. A relay takes rows that are committed, hands
them to the broker and deletes them once the broker has taken them: at least once, in the order of their aggregate,
with any number of relays at work. It looks for rows, never for "ids above the last one seen": ids are drawn before
they are committed, so a lower one can appear after a higher one has been read.
Experiment: ``order-confirmation``. Measured: ``loadtests/benchmarks/outbox_lag.py``.
Source: Richardson, "Microservices Patterns" (2018), ch. 3, transactional outbox and polling publisher.
"""
