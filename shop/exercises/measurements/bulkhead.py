"""The measurement of the exercise ``bulkhead``: how many of many searches are refused at once, while none can end."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.store_client import StoreClient
from shop.switches.parameters import WEB_PROCESSES

SEARCHES = 20
DATABASE = "database"
AT_ONCE_S = 0.8
"""A refusal without a wait arrives sooner, also on a slow machine; one after a wait for a turn comes after a second."""
OTHER_PAGE = "/api/v1/categories"


def count_refusals(store: StoreClient, seed: int) -> float:
    """Return how many searches are refused at once, while the database answers nobody.

    Args:
        store: the running store.
        seed: not used; the words are new each time, because a cache remembers the empty result of an earlier check.

    Raises:
        CannotJudge: a search got something else than a refusal, or another page was not answered meanwhile.
    """
    word = secrets.token_hex(4)

    def search(number: int) -> tuple[int, float]:
        began = time.monotonic()
        status = store.fetch_any("/api/v1/products", query={"q": f"{word}n{number}"}).status_code
        return status, time.monotonic() - began

    store.fetch_any(OTHER_PAGE)  # now the process has it in memory
    store.set_fault(DATABASE, "hang")
    with ThreadPoolExecutor(SEARCHES) as shoppers:
        began = time.monotonic()
        answers = [shoppers.submit(search, number) for number in range(SEARCHES)]
        time.sleep(AT_ONCE_S)
        early = [answer.result() for answer in answers if answer.done()]
        other = store.fetch_any(OTHER_PAGE).status_code
        other_took_s = time.monotonic() - began - AT_ONCE_S
        store.set_fault(DATABASE, NONE)
    if statuses := {status for status, _ in early} - {HTTPStatus.SERVICE_UNAVAILABLE}:
        raise CannotJudge(f"Searches were answered {sorted(statuses)}: does the store use a database of its own?")
    if other != 200 or other_took_s > AT_ONCE_S:
        raise CannotJudge(f"Meanwhile {OTHER_PAGE} was answered {other} after {other_took_s:.1f} s.")
    return float(len(early))


MEASUREMENT = StoreMeasurement(
    count_refusals,
    {"cache.edge": "off", "cache.local": "on"},
    (),
    f"{SEARCHES} different searches at once, in one web process, while the database answers nobody",
    "How many searches may one process work on, and how many more may wait for a turn?",
    parameters={WEB_PROCESSES: 1.0},
    faults=(DATABASE,),
    seconds=5,
)
