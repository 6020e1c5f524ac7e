"""The live comparison of the exercise ``correlation-ids``: which id the store names in its answers.

The edge sets the header of a response by itself, so the id is read in the body of an error: the web process wrote it.
"""

import secrets

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule
from shop.exercises.live_arm import LiveArm, LiveRequest
from shop.lab.store_client import API

BURST = 4
LOOK = "current_id holds the id of the request in work, and all threads of a process serve requests at the same time."


def measure_ids(arm: LiveArm) -> Counts:
    """Request things that do not exist, several at once, each with an id of its own; count the answers with another.

    Returns:
        The numbers of answers with another id than that of their request, and of the answers.
    """
    ids = [f"exercise-{secrets.token_hex(8)}" for _ in range(arm.count)]
    requests = [LiveRequest(f"{API}/products/exercise-{own}", headers={"X-Request-ID": own}) for own in ids]
    answers = [response.json() for response in arm.send(requests, BURST) if not response.has_failed]
    named = [answer.get("request_id") for answer in answers]
    return {"other-ids": sum(own not in named for own in ids), "ids": len(set(named))}


COMPARISON = LiveComparison(
    did=f"requests, {BURST} at the same time, each with an X-Request-ID of its own",
    measure=measure_ids,
    rate=40.0,
    counts=(
        CountRule("other-ids", "requests whose id no answer names", "each answer names its own id", LOOK, at_most=0),
        CountRule("ids", "different ids in the answers"),
    ),
    ratio=RatioRule("ids", at_most=2.5, look=LOOK),
    switches={"cache.edge": "off"},
)
