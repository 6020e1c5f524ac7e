"""A demonstration of one flip: the same load without and with the shared cache, in less than half a minute.

The edge and local memory are off meanwhile, since they would answer before the shared cache. One flip claims nothing:
``bin/shop lab run cache-aside`` repeats it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shop.lab.load import ShopperVisit
from shop.lab.load_stream import LoadSecond, merge_seconds, shopping_load, stream_load
from shop.lab.saved_state import restore_afterwards
from shop.lab.store_client import StoreClient

SWITCH = "cache.shared"
OTHER_LAYERS = ("cache.edge", "cache.local")
RATE = 30.0
SETTLE_S, MEASURE_S, WARM_UP_S = 2, 7, 4
"""Whole seconds of the load. Every process applies a flip within the first two."""
TOTAL_S = SETTLE_S + MEASURE_S + SETTLE_S + WARM_UP_S + MEASURE_S
SCREEN = ShopperVisit(name="screen", paths=("/api/v1/screens/product/{product}",))
PRODUCTS = 40
"""So few are in the cache after seconds."""


@dataclass(frozen=True)
class DemoArm:
    """One side of the demonstration."""

    value: str
    """Of the switch."""
    seen: LoadSecond
    """All measured seconds as one."""


def run_demo(store: StoreClient, folder: Path, show: Callable[[LoadSecond, str], None]) -> list[DemoArm]:
    """Flip the switch under load, restore everything, and return both arms: ``off`` first.

    Args:
        store: a client of the store.
        folder: of the restore file.
        show: receives each second of the load and what happens in it.

    Raises:
        ConfigurationError: an experiment is running, or the store lacks a switch.
        ServiceUnavailable: the store or the generator failed.
        ExperimentInterrupted: a signal stopped the demonstration; the switches have been restored.
    """
    phase = shopping_load(store, RATE, TOTAL_S, [SCREEN])
    phase = phase.model_copy(update={"products": phase.products[:PRODUCTS], "arrivals": "constant"})
    with restore_afterwards(store, folder, [SWITCH, *OTHER_LAYERS]):
        for name in (*OTHER_LAYERS, SWITCH):
            store.set_switch(name, "off")
        with stream_load(phase) as seconds:
            return list(_measure(store, iter(seconds), show))


def _measure(
    store: StoreClient, seconds: Iterator[LoadSecond], show: Callable[[LoadSecond, str], None]
) -> Iterator[DemoArm]:
    def take(count: int, label: str) -> Sequence[LoadSecond]:
        taken = []
        for second in (next(seconds) for _ in range(count)):
            show(second, label)
            taken.append(second)
        return taken

    take(SETTLE_S, f"{SWITCH} = off, applying")
    yield DemoArm("off", merge_seconds(take(MEASURE_S, f"{SWITCH} = off, measured")))
    store.set_switch(SWITCH, "on")
    take(SETTLE_S, f"{SWITCH} = on, applying")
    take(WARM_UP_S, f"{SWITCH} = on, filling")
    yield DemoArm("on", merge_seconds(take(MEASURE_S, f"{SWITCH} = on, measured")))
