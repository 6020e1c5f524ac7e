"""The live comparison of the exercises ``outbox-relay`` and ``deduplicating-consumer``: the mail of each paid order.

The message of a paid order goes through the outbox, the relay, the queue and the consumer, and at last a mail is in the
mailbox. A mail's subject ends with the number of its order.
"""

import secrets
import time

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm
from shop.exercises.live_shoppers import checkout, shoppers_with_carts

PRODUCTS = own_products("confirmation-mails", 5)
PIECES = 1000
MAX_WAIT_S = 5.0
POLL_S = 0.05
SAMPLES_PER_MAIL = 2
"""The mailbox may have mails of other visitors."""
CREATED = 201
LOOK = "Each message is published and handled once: `bin/shop queue status` shows what waits, `bin/shop logs` failures."


def measure_mails(arm: LiveArm) -> Counts:
    """Let shoppers check out, and wait for the mail of each order."""
    arm.sell_products(on_hand=PIECES)
    with shoppers_with_carts(arm, arm.count) as guests:
        responses = arm.send([checkout(guest, secrets.token_hex(16)) for guest in guests])
        ended = time.monotonic()
        orders = {response.json()["order"]["number"] for response in responses if response.status == CREATED}
        missing, waited_s = set(orders), 0.0
        while missing and waited_s < MAX_WAIT_S:
            subjects = [mail["subject"] for mail in arm.store.mails(SAMPLES_PER_MAIL * arm.count)]
            missing -= {subject.rpartition(" ")[2] for subject in subjects}
            waited_s = time.monotonic() - ended
            if missing:
                time.sleep(POLL_S)
    return {"unconfirmed": len(missing), "orders": len(orders), "wait": round(1000 * waited_s)}


COMPARISON = LiveComparison(
    did="checkouts, whose confirmation mails the worker sends",
    measure=measure_mails,
    rate=6.0,
    counts=(
        CountRule(
            "unconfirmed",
            f"orders without a mail after {MAX_WAIT_S:g} s",
            "each paid order gets its mail",
            LOOK,
            at_most=0,
        ),
        CountRule("orders", "orders"),
        CountRule("wait", "milliseconds from the last checkout to the last mail"),
    ),
    ratio=RatioRule("wait", at_most=6.0, look="Return as soon as nothing is due, and do not wait inside.", floor=250.0),
    experiment="order-confirmation",
    switches={"orders.confirmation": "queue"},
    own_products=PRODUCTS,
    in_worker=True,
)
