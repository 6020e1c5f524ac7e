"""Transactional outbox: a message commits together with its change, and a relay publishes it to the queue.

Problem: a change and the message about it are in two systems, the database and the broker. If the message is sent first
and the change is rolled back, the message is wrong. If the change is committed first and the process crashes, the
message is lost.
Method: the message is a row, written in the transaction of the change. A relay reads committed rows, publishes them to
the broker, and deletes them when the broker has confirmed them. So each message is delivered at least once, in the
order of its aggregate, with any number of relays. The relay reads all rows, and never only "ids above the last one": an
id is drawn before its row is committed, so a lower id can appear after a higher id was read.
Experiment: ``order-confirmation``. Measured: ``loadtests/benchmarks/outbox_lag.py``.
Source: Richardson, "Microservices Patterns" (2018), ch. 3, transactional outbox and polling publisher.
"""
