"""The live comparison of the exercise ``readiness``: what the load balancer hears while the cache is away."""

import time

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule
from shop.exercises.live_arm import LiveArm, LiveRequest

RENEWED_S = 1.5
"""An outcome is kept for a second."""
LOOK = "All processes share the cache: a process that is not ready without it takes the whole store away."


def measure_ready(arm: LiveArm) -> Counts:
    """Take the cache away, ask both probes, and count the answers other than 200."""
    arm.store.set_fault("cache", "down")
    time.sleep(RENEWED_S)
    ready, live = (arm.in_turn([LiveRequest(path)]) for path in ("/readyz", "/livez"))
    half = arm.count // 2
    responses = arm.send([*ready[:half], *live[half:]])
    refused = [response.request.path for response in responses if response.status != 200]
    return {"not-ready": refused.count("/readyz"), "not-live": refused.count("/livez"), "probes": len(responses)}


COMPARISON = LiveComparison(
    did="probes while the cache is away",
    measure=measure_ready,
    rate=20.0,
    counts=(
        CountRule("not-live", "answers of /livez other than 200", "every process is live", LOOK, at_most=0),
        CountRule("not-ready", "answers of /readyz other than 200", "every process is ready", LOOK, at_most=0),
        CountRule("probes", "probes"),
    ),
    ratio=RatioRule("probes", at_most=2.5, look=LOOK),
    experiment="cache-loss",
    faults=("cache",),
    failures=True,
)
