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
TURN_S = 1.0
"""A search that waits for a turn is not refused before."""
OTHER_PAGE = "/api/v1/categories"


def count_refusals(store: StoreClient, seed: int) -> float:
    """Return how many searches are refused at once, while the database answers nobody.

    Args:
        store: the running store.
        seed: not used; the words are new each time, because a cache remembers the empty result of an earlier check.

    Raises:
        CannotJudge: a search got something else than a refusal, another page was not answered meanwhile,
            or the machine is too busy to tell when a search was refused.
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
        other = store.fetch_any(OTHER_PAGE).status_code
        other_took_s = time.monotonic() - began - AT_ONCE_S
        store.set_fault(DATABASE, NONE)
        ended = [answer.result() for answer in answers]
    early = [(status, took_s) for status, took_s in ended if took_s < AT_ONCE_S]
    if any(AT_ONCE_S <= took_s < TURN_S and status == HTTPStatus.SERVICE_UNAVAILABLE for status, took_s in ended):
        raise CannotJudge("A search was refused neither at once nor after a wait for a turn: the machine is too busy.")
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
