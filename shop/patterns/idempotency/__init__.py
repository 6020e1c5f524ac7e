"""Idempotency keys: a request that is sent twice is done once, and answered the same both times.

Problem: an answer that got lost looks, to who waited for it, exactly like a request that was never received. So
programs and impatient fingers send it again, and a second parcel leaves.
Method: the sender names the request with a key of her own. The key is claimed and its answer written down *in the
transaction of the work itself*, so there is never the one without the other. Where the work is several transactions
with somebody else's server between them, the first one claims and the last one finishes; what lies between is told by
the work's own recovery points, and a claim that outlived its process is taken over. A key belongs to one user (or
guest) on one route, and to one payload.
Switch: ``checkout.idempotency``. Measured: ``loadtests/benchmarks/idempotency_cost.py``. Experiment:
``checkout-retries``.
Source: draft-ietf-httpapi-idempotency-key-header-07; Stripe's API reference, "Idempotent requests"; Leach,
"Implementing Stripe-like Idempotency Keys in Postgres" (2017).
"""
