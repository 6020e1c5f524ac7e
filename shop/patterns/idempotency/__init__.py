"""Idempotency keys: a request that is sent twice is executed once, and both times gets the same response.

Problem: for a client, a lost response looks exactly like a lost request. So programs and impatient shoppers send the
request again, and a second parcel is shipped.
Method: the client names the request with its own key. The store claims the key and stores the response *in the
transaction of the work*, so one never exists without the other. Some work takes several transactions with a call to
another server in between. Then the first transaction claims the key and the last one stores the response; recovery
points record the progress of the work, and a claim that outlives its process is taken over. A key belongs to one user
or guest, one route, and one payload.

The objects, each with its own lifetime: :class:`~shop.patterns.idempotency.keys.RequestKey` names one request.
:class:`~shop.patterns.idempotency.key_store.KeyStore` has the statements; it is made once for each set of switch
values. :class:`~shop.patterns.idempotency.policy.IdempotencyPolicy` is the switch: enforce keys, or ignore them. It
hands out one of two guards for one request: :class:`~shop.patterns.idempotency.policy.KeyedWork` for work of one
transaction, :class:`~shop.patterns.idempotency.key_lease.KeyLease` for work of several.
Switch: ``checkout.idempotency``. Measured: ``loadtests/benchmarks/idempotency_cost.py``. Experiment:
``checkout-retries``.
Source: draft-ietf-httpapi-idempotency-key-header-07; Stripe's API reference, "Idempotent requests"; Leach,
"Implementing Stripe-like Idempotency Keys in Postgres" (2017).
"""
