"""Driver: innocent clients visit pages, first alone, then while a poisonous client holds request threads.

Each client has an address of its own, drawn with the seed of the run, and a page of its own: the edge lets one request
for a page wait for another, so that clients of one page would delay each other. An innocent client is hit if two of its
visits fail, or if its 95th percentile is over ten times its own before. The driver knows how the store deals the lanes,
so it also tells how many innocent clients have all their lanes in common with the poisonous one.
"""

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.crowd import guests_s
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult, Measures
from shop.lab.drivers.poisonous_client import poisonous_client
from shop.lab.guest_client import tls_context
from shop.lab.load import LoadSamples
from shop.lab.metrics_client import wait_idle
from shop.lab.page_visitors import PageVisit, PageVisitor, visit_in_turn
from shop.lab.source_addresses import draw_address, require_addresses
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel
from shop.patterns.overload.client_address import address_client
from shop.patterns.overload.lanes import LANES, LANES_OF_A_CLIENT, deal_lanes, expected_share

SWITCH = "overload.lanes"
PICKED: Mapping[str, int] = {"shared": LANES, "sharded": 1, "shuffle": LANES_OF_A_CLIENT}
"""Lanes of a client by the value of the switch, in a store whose processes have at least :data:`LANES` threads."""
FAILURES, SLOWER = 2, 10.0
"""Of an innocent client: so many failed visits, or a 95th percentile so many times its own before."""
LEAD_S = 0.4
"""About how long it takes until the poisonous client holds its threads; for the estimate."""
END_S = 1.5
"""About how long the poisonous requests last after the last visit; for the estimate."""
IDLE_LIMIT_S = 10.0
"""No request runs for longer."""


class PoisonParams(StrictModel):
    """Parameters of the driver."""

    innocents: int = Field(default=200, ge=1)
    """Innocent clients."""
    every_s: float = Field(default=0.8, gt=0)
    """Seconds between two visits of an innocent client."""
    patience_s: float = Field(default=0.7, gt=0)
    """A visit that takes longer has failed."""
    before_s: float = Field(default=2.4, gt=0)
    """Seconds of visits before the poisonous client begins."""
    requests: int = Field(default=40, ge=1)
    """Poisonous requests: more than the store has threads, since the processes share them by chance."""
    lead_limit_s: float = Field(default=1.2, ge=0)
    """Most seconds from the first poisonous request to the first visit that counts: until its threads are held."""
    seconds: float = Field(default=2.4, gt=0)
    """Seconds of visits while the poisonous client holds threads."""


@dataclass(frozen=True, slots=True)
class InnocentOutcome:
    """What happened to one innocent client.

    Args:
        is_exposed: whether all its lanes are those of the poisonous client.
        is_hit: whether it was hit.
    """

    is_exposed: bool
    is_hit: bool


class PoisonDriver:
    """Counts whom one poisonous client hits."""

    params_model = PoisonParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "hit": DriverMeasure("Innocent clients hit", "%"),
        "predicted": DriverMeasure("Predicted share", "%"),
        "exposed": DriverMeasure("Innocent clients with the same lanes", "%"),
        "exposed_hit": DriverMeasure("Hit, of those with the same lanes", "%"),
        "others_hit": DriverMeasure("Hit, of all others", "%"),
        "poison_served": DriverMeasure("Poisonous requests served"),
    }

    def expected_seconds(self, params: PoisonParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return guests_s(params.requests) + params.before_s + LEAD_S + params.seconds + END_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length of the visits."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: PoisonParams) -> DriverResult:
        """Visit, let the poisonous client begin, visit again, and compare for each client."""
        store, mode = context.store, arm.switches.get(SWITCH, "shared")
        require_addresses(store.base_url)
        phase = context.load_phase(arm, params.seconds)
        pages = [f"/p/{slug}" for slug in phase.products[: params.innocents]]
        rng = random.Random(f"{phase.seed} {arm.name}")
        poisonous, *innocents = (draw_address(rng) for _ in range(1 + params.innocents))
        store.visit_all(pages)
        clients = [
            PageVisitor(store.base_url, page, address, params.patience_s, tls_context())
            for page, address in zip(itertools.cycle(pages), innocents, strict=False)
        ]
        with poisonous_client(store, poisonous, params.requests) as poison:

            async def visit() -> tuple[list[list[PageVisit]], list[list[PageVisit]]]:
                try:
                    before = await visit_in_turn(clients, params.every_s, params.before_s)
                    await asyncio.to_thread(poison.hold_threads, PICKED[mode], params.lead_limit_s)
                    return before, await visit_in_turn(clients, params.every_s, params.seconds)
                finally:
                    for client in clients:
                        client.close()

            with ThreadPoolExecutor(1) as threads:
                visiting = threads.submit(asyncio.run, visit())
                while not visiting.done():
                    context.wait(0.1)
                before, during = visiting.result()
            orders = poison.end()
        wait_idle(store, IDLE_LIMIT_S)
        exposed = [has_same_lanes(one, poisonous, PICKED[mode]) for one in innocents]
        outcomes = [
            InnocentOutcome(same, is_hit(first, then))
            for same, first, then in zip(exposed, before, during, strict=True)
        ]
        measures = {**compute_measures(outcomes, PICKED[mode]), "poison_served": float(orders)}
        return DriverResult(as_load_samples(list(itertools.chain.from_iterable(during)), params.seconds), measures)


def has_same_lanes(address: str, poisonous: str, picked: int) -> bool:
    """Tell whether all lanes of a client are those of another. Pure.

    Args:
        address: of the client.
        poisonous: of the other.
        picked: lanes of a client; all of them if they are shared.
    """
    if picked == LANES:
        return True
    own, others = (set(deal_lanes(address_client(one), LANES, picked)) for one in (address, poisonous))
    return own == others


def is_hit(before: Sequence[PageVisit], during: Sequence[PageVisit]) -> bool:
    """Tell whether a client was hit. Pure.

    Args:
        before: its visits before the poisonous client began.
        during: its visits while threads are held.
    """
    if sum(not visit.succeeded for visit in during) >= FAILURES:
        return True
    usual_ms, now_ms = (percentile([visit.ms for visit in visits], 95) for visits in (before, during))
    return now_ms > SLOWER * usual_ms


def compute_measures(outcomes: Sequence[InnocentOutcome], picked: int) -> Measures:
    """Return the shares of the innocent clients that were hit. Pure.

    Args:
        outcomes: of all innocent clients.
        picked: lanes of a client.
    """
    exposed = [one.is_hit for one in outcomes if one.is_exposed]
    others = [one.is_hit for one in outcomes if not one.is_exposed]
    return {
        "hit": (sum(exposed) + sum(others)) / len(outcomes),
        "predicted": expected_share(LANES, picked),
        "exposed": len(exposed) / len(outcomes),
        "exposed_hit": sum(exposed) / len(exposed) if exposed else None,
        "others_hit": sum(others) / len(others) if others else None,
    }


def as_load_samples(visits: Sequence[PageVisit], seconds: float) -> LoadSamples:
    """Return visits as samples of a load of so many seconds."""
    failed = sum(not visit.succeeded for visit in visits)
    return LoadSamples(
        offered=len(visits),
        seconds=seconds,
        latencies_ms=[visit.ms for visit in visits],
        succeeded=[visit.succeeded for visit in visits],
        calls=len(visits),
        queries=None,
        lookups={},
        errors={"not served": failed} if failed else {},
        cpu_share=None,
        release_lag_p95_ms=None,
        answer_counts={"origin": len(visits) - failed},
        due_s=[visit.due_s for visit in visits],
        answered_by=["origin" if visit.succeeded else "" for visit in visits],
    )
