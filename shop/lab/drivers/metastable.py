"""Driver: empties the cache of a store that needs it, for a moment, and measures whether the store comes back.

Each arm measures the store itself first: the capacity with a cold cache, then the capacity with a warm one and the
usual latency. The offered rate is a multiple of the cold capacity, and below the warm one: while the cache is warm, the
store is well. The patience of a client is a multiple of the usual latency. So rate and patience follow the machine.
Then the cache is emptied, once. Nothing else disturbs the store: what keeps it down afterwards is its own load. The
clients retry, with the budget that the arm's ``retry.budget`` names. At the end the driver waits until the queue is
empty, and looks at the cache.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import PHASE_START_S, STAYING_START_S, DriverContext, DriverMeasure, DriverResult
from shop.lab.drivers.overload import CONNECTION_RESERVE, wait_until_drained
from shop.lab.load import ClientRetries, LoadSamples
from shop.lab.metrics_client import MetricsClient
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

BUDGET_SWITCH = "retry.budget"
DRAIN_S = 0.9
"""About how long the queue needs after the load: two seconds if it is full, and nothing in the other arms."""
BACKOFFS_S = 1.5
"""About how long the pauses of a call with six attempts are together (half of 0.1 to 1.6 s); for the connections."""
CONNECTIONS_LIMIT = 960
"""The edge admits a few more of one address in the lab; it would refuse further ones itself."""


class MetastableParams(StrictModel):
    """Parameters of the driver."""

    times: float = Field(default=3.0, gt=1)
    """The offered rate, as a multiple of the cold capacity."""
    clients: int = Field(default=8, ge=1)
    """Clients that measure both capacities."""
    cold_s: float = Field(default=1.5, gt=0)
    """How long the cold capacity is measured; all products are equally popular then, so that hits are rare."""
    warm_up_s: float = Field(default=2.0, gt=0)
    """Length of one round of the warm-up; rounds are repeated until the hit rate is stable."""
    warm_s: float = Field(default=1.5, gt=0)
    """How long the warm capacity is measured."""
    patience_times: float = Field(default=20.0, gt=1)
    """How long a client waits for an attempt, as a multiple of the median latency at the warm capacity."""
    attempts: int = Field(default=6, ge=1)
    """Of each call, the first one included."""
    before_s: float = Field(default=3.0, gt=0)
    """Seconds of the load before the cache is emptied."""
    seconds: float = Field(default=15.0, gt=0)
    """Seconds of the load after it."""
    last_s: float = Field(default=3.0, gt=0)
    """The end of the load, which tells whether the store is up again."""
    check_s: float = Field(default=0.5, gt=0)
    """How long the cache is looked at when the load is over."""
    recovered: float = Field(default=0.9, gt=0, le=1)
    """The store is back when this share of the visits succeeds, in two windows in a row."""
    bucket_s: float = Field(default=1.0, gt=0)
    """Successes are counted in windows of so many seconds."""


class MetastableDriver:
    """Offers a load that only a warm cache can bear, and empties the cache."""

    params_model = MetastableParams
    faults: Sequence[str] = ("cache",)
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "cold_rps": DriverMeasure("Capacity with a cold cache", "/s"),
        "warm_of_cold": DriverMeasure("Warm capacity, as a multiple of the cold one"),
        "patience_ms": DriverMeasure("A client waits for an attempt", "ms"),
        "good_before": DriverMeasure("Visits served before the cache was emptied", "%"),
        "good_soon": DriverMeasure("Visits served in the first third of the time after it", "%"),
        "good_later": DriverMeasure("Visits served in the second third", "%"),
        "good_at_end": DriverMeasure("Visits served at the end", "%"),
        "recovery_s": DriverMeasure("Time until the store was back", "s"),
        "attempts_per_visit": DriverMeasure("Attempts of a visit"),
        "hits_after": DriverMeasure("Hit rate of the cache when the load is over", "%"),
    }

    def expected_seconds(self, params: MetastableParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run: five phases, and the end of the queue."""
        load_s = params.cold_s + params.warm_up_s + params.warm_s + params.before_s + params.seconds + params.check_s
        return load_s + 4 * PHASE_START_S + STAYING_START_S + DRAIN_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length of the load after the trigger."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: MetastableParams) -> DriverResult:
        """Measure cold and warm capacity, offer the load, and empty the cache meanwhile."""
        store = context.store
        store.set_fault("cache", "flush")
        cold = context.offer(
            f"{arm.title}: cold", context.load_phase(arm, params.cold_s, concurrency=params.clients, exponent=0.0)
        )
        cold_rps = cold.answer_counts.get("origin", 0) / cold.seconds
        unsettled = context.warm_up(arm, params.warm_up_s)
        warm = context.offer(f"{arm.title}: warm", context.load_phase(arm, params.warm_s, concurrency=params.clients))
        if not cold_rps or not any(warm.succeeded):
            raise ServiceUnavailable(f"No visit succeeded in arm {arm.name}: {cold.errors or warm.errors}.")
        rate, patience_s = params.times * cold_rps, params.patience_times * percentile(warm.latencies_ms, 50) / 1000
        visit_s = params.attempts * patience_s + BACKOFFS_S
        phase = context.load_phase(
            arm,
            params.before_s + params.seconds,
            mode="open",
            rate=rate,
            timeout_s=patience_s,
            concurrency=min(CONNECTIONS_LIMIT, int(CONNECTION_RESERVE * rate * visit_s) + 1),
            retries=ClientRetries.model_validate({"attempts": params.attempts, "budget": arm.switches[BUDGET_SWITCH]}),
        )
        trigger = (params.before_s, lambda: store.set_fault("cache", "flush"))
        with closing(MetricsClient(store)) as metrics:
            samples = context.offer(f"{arm.title}: {rate:.0f} visits/s", phase, [trigger])
            wait_until_drained(metrics)
        check = context.offer(
            f"{arm.title}: cache", context.load_phase(arm, params.check_s, concurrency=params.clients)
        )
        measures = {
            "cold_rps": cold_rps,
            "warm_of_cold": warm.succeeded.count(True) / warm.seconds / cold_rps,
            "patience_ms": patience_s * 1000,
            "hits_after": hit_rate(check),
            **compute_measures(samples, params),
        }
        return DriverResult(samples, measures, unsettled=unsettled)


def compute_measures(samples: LoadSamples, params: MetastableParams) -> dict[str, float | None]:
    """Return the measures of one load during which the cache was emptied.

    Args:
        samples: of the whole load.
        params: the times, and the share that counts as recovered.
    """
    emptied, end = params.before_s, params.before_s + params.seconds
    third = params.seconds / 3
    return {
        "good_before": served_share(samples, 0.0, emptied),
        "good_soon": served_share(samples, emptied, emptied + third),
        "good_later": served_share(samples, emptied + third, emptied + 2 * third),
        "good_at_end": served_share(samples, end - params.last_s, end),
        "recovery_s": recovery_s(samples, emptied, end, params),
        "attempts_per_visit": samples.calls / samples.offered if samples.offered else None,
    }


def hit_rate(samples: LoadSamples) -> float | None:
    """Return the hit rate of the shared cache; ``None`` if it was not asked."""
    hits, count = samples.lookups.get("shared", (0, 0))
    return hits / count if count else None


def served_share(samples: LoadSamples, start: float, end: float) -> float | None:
    """Return the share of the visits due in a window that were served; ``None`` if none was due."""
    outcomes = [ok for ok, due in zip(samples.succeeded, samples.due_s, strict=True) if start <= due < end]
    return sum(outcomes) / len(outcomes) if outcomes else None


def recovery_s(samples: LoadSamples, emptied: float, end: float, params: MetastableParams) -> float:
    """Return the seconds from the trigger to the begin of two good windows in a row.

    A store that was not back by the end counts with the whole time: it took at least so long.
    """
    start, step = emptied, params.bucket_s
    while start + 2 * step <= end + step / 2:
        shares = [served_share(samples, at, at + step) for at in (start, start + step)]
        if all(share is not None and share >= params.recovered for share in shares):
            return start - emptied
        start += step / 4
    return end - emptied
