"""Load offered from a thread of the test: what it comes to is the same, and no process has to begin for it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import gevent

from shop.lab import load_generator
from shop.lab.load import LoadPhase, LoadSamples

START_S = 0.1
"""Until such a load can begin."""


def offered(plan: LoadPhase, tick: Callable[[], None]) -> LoadSamples:
    """Offer one phase of load; gevent's loop and what it leaves behind are the thread's, and end with it."""

    def offer() -> LoadSamples:
        try:
            return load_generator.generate_load(plan)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)

    with ThreadPoolExecutor(1) as beside:
        return beside.submit(offer).result()
