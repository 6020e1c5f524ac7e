"""Kills a part of a store under load, and lets it return."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import psutil
from chaos_run.killer import kill
from chaos_run.own_stack import OwnStack
from outage_figures import OutageFigures, OutageTimes, compute_outage
from whole_store import wait_until_whole

from shop.faults import NONE
from shop.lab.drivers.checkouts import CheckoutSample, check_out_at_rate
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.drivers.driver_context import GENERATOR_START_S, scheduled_actions
from shop.lab.load import GeneratorProcess, LoadPhase, LoadSamples, ShopperVisit
from shop.lab.store_client import StoreClient
from shop.patterns.caching import CATALOGUE
from shop.stack.process_identity import kill_group
from shop.switches.parameters import TTL_SCALE

WEB_PROCESSES = 2
PAGES = 100
CONNECTIONS = 256
TIMEOUT_S = 10.0
RATE = 450.0
"""Reads a second. Two cores serve more than twice as many warm pages past the edge."""
LEAD_S, AFTER_S = 1.0, 6.5
"""Seconds of load before the kill, and after the return."""
LEAST_READS = 5_000
CHECKOUTS_A_S = 1.0
LIFETIME_S = 6.0
LONGEST = 1.1
"""A lifetime is at most so many times its mean (jitter)."""
SLOW_S, SLOW_RATE = 10.0, 100.0
RUSH, RUSH_RATE = 8, 0.5
"""Checkouts at the begin and checkouts a second, for each web process, as in the experiment ``slow-payments``."""


@dataclass(frozen=True, slots=True)
class KilledPart:
    """How a part is killed, and what is promised.

    Args:
        fault: the fault that keeps it down; empty: it is killed once.
        program: the program that is killed once.
        well: the least share of good reads; ``None`` if nothing is promised.
        away_s: for so long it is kept down.
        edge: whether the edge stores pages.
        expires: whether entries live for :data:`LIFETIME_S` only, so that all expire during the outage.
        back_within_s: reads must be well again so soon after the kill; ``None`` if nothing is promised.
        stale_after_s: so long after the kill no answer can be fresh; ``None``: answers may be.
    """

    fault: str = ""
    program: str = ""
    well: float | None = None
    away_s: float = 0.0
    edge: bool = False
    expires: bool = False
    back_within_s: float | None = None
    stale_after_s: float | None = None


@dataclass
class KilledRun:
    """One load during which a part is killed."""

    lost_at: float = 0.0
    """On the monotonic clock, as every time here."""
    returned_at: float = 0.0
    whole_s: float | None = None
    orders: list[Future[list[CheckoutSample]]] = field(default_factory=list)


class PartKiller:
    """Kills parts of a store under load.

    Args:
        stack: the store.
        client: a client of it.
        generator: offers the load.
    """

    def __init__(self, stack: OwnStack, client: StoreClient, generator: GeneratorProcess) -> None:
        self._stack = stack
        self._store = client
        self._generator = generator
        self.slugs = client.products(PAGES)

    def measure(self, part: KilledPart) -> tuple[OutageFigures, float | None]:
        """Kill a part under load; return what readers got, and the seconds until the store was whole again."""
        run = KilledRun()
        seconds = max(LEAD_S + part.away_s + AFTER_S, LEAD_S + 1.05 * LEAST_READS / RATE)
        self.prepare(edge=part.edge, expires=part.expires)
        guests = max(1, round(CHECKOUTS_A_S * part.away_s))
        with guests_with_carts(self._store, guests) as shoppers, ThreadPoolExecutor(1) as buying:

            def lose() -> None:
                run.lost_at = time.monotonic()
                run.orders.append(buying.submit(check_out_at_rate, shoppers, CHECKOUTS_A_S))
                if part.fault:
                    self._store.set_fault(part.fault, "down")
                else:
                    self._kill_once(part.program)

            def give_back() -> None:
                run.returned_at = time.monotonic()
                if part.fault:
                    self._store.set_fault(part.fault, NONE)
                orders = [sample.order for sample in run.orders[0].result() if sample.order]
                run.whole_s = wait_until_whole(self._store, self._is_running, orders, run.returned_at)

            samples, began = self.read(seconds, RATE, ((LEAD_S, lose), (LEAD_S + part.away_s, give_back)))
        lost_s = run.lost_at - began
        stale_from_s = lost_s + part.stale_after_s if part.stale_after_s else None
        return compute_outage(samples, OutageTimes(lost_s, run.returned_at - began, stale_from_s)), run.whole_s

    def prepare(self, *, edge: bool, expires: bool) -> None:
        """Set the caches, and warm all pages in every process."""
        self._store.set_switch("cache.edge", "on" if edge else "off")
        self._store.set_parameter(TTL_SCALE, LIFETIME_S / CATALOGUE.ttl_s if expires else 1.0)
        self._store.wait_applied()
        for slug in self.slugs if expires else ():  # an older entry has its old lifetime
            self._store.update_product(slug, title=self._store.title(slug))
        for _ in range(3):
            self._store.visit_all([f"/p/{slug}" for slug in self.slugs])

    def read(
        self, seconds: float, rate: float, actions: Sequence[tuple[float, Callable[[], None]]]
    ) -> tuple[LoadSamples, float]:
        """Offer reads, and run each action at its time; return the samples, and when the load began."""
        began = time.monotonic() + GENERATOR_START_S
        phase = LoadPhase(
            base_url=self._stack.base_url,
            mode="open",
            rate=rate,
            duration_s=seconds,
            concurrency=CONNECTIONS,
            timeout_s=TIMEOUT_S,
            visits=(ShopperVisit(name="product", paths=("/p/{product}",)),),
            products=self.slugs,
            begin_at=began,
        )
        with scheduled_actions(began, actions):
            samples = self._generator.run_phase(phase)
        return samples, began

    def read_while_paying(self, fault: str) -> LoadSamples:
        """Return reads of pages while guests check out, with a fault of the provider."""
        rush, rate = RUSH * WEB_PROCESSES, RUSH_RATE * WEB_PROCESSES
        with (
            guests_with_carts(self._store, rush + round(rate * SLOW_S)) as shoppers,
            ThreadPoolExecutor(1) as buying,
        ):

            def rush_in() -> None:
                buying.submit(check_out_at_rate, shoppers, rate, rush=rush)

            self._store.set_fault("payments", fault)
            try:
                samples, _ = self.read(SLOW_S, SLOW_RATE, ((0.0, rush_in),))
            finally:
                self._store.set_fault("payments", NONE)
        self._store.wait_ready()
        return samples

    def _is_running(self) -> bool:
        records = self._stack.processes()
        web = records["web"].identity.process()
        children = [one for one in web.children() if one.status() != psutil.STATUS_ZOMBIE] if web else []
        return len(children) == WEB_PROCESSES and all(record.identity.alive for record in records.values())

    def _kill_once(self, name: str) -> None:
        record = self._stack.processes()[name]
        if name == "web":
            kill("web", record, random.Random())
        else:
            kill_group(record.identity.pid)  # also the children, which would answer until the supervisor comes
