"""Offers load from a thread of the test: the samples are the same, and no process has to start."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import gevent

from shop.lab import load_generator
from shop.lab.load import LoadPhase, LoadSamples

START_S = 0.1
"""Seconds until such a load starts."""


def offer_load(plan: LoadPhase, tick: Callable[[], None]) -> LoadSamples:
    """Offer one phase of load in a separate thread: gevent's loop belongs to that thread and ends with it."""

    def offer() -> LoadSamples:
        try:
            return load_generator.generate_load(plan)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)

    with ThreadPoolExecutor(1) as beside:
        return beside.submit(offer).result()
