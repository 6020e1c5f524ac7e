"""The measurement of the exercise ``rate-limit-disguises``: how many writes of one disguised client are refused."""

import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.verdict import CannotJudge
from shop.lab.guest_client import tls_context
from shop.lab.source_addresses import simulated_client
from shop.lab.store_client import API, TIMEOUT_S, StoreClient

WRITES = 200
"""Writes in each disguise."""
QUOTA = 600
THREADS = 8
REFUSED = 429
PATH = f"{API}/cart/items"

Disguise = Callable[[], Mapping[str, str]]
DISGUISES: tuple[Disguise, ...] = (
    dict,
    lambda: {"Cookie": f"session={secrets.token_urlsafe(32)}"},
    lambda: {"Authorization": f"Bearer {secrets.token_urlsafe(32)}"},
    lambda: {"X-Forwarded-For": f"192.0.2.{secrets.randbelow(254) + 1}"},
)
"""The headers of a write: none, another cart, another token, another address each time."""


def count_refused(store: StoreClient, seed: int) -> float:
    """Return how many writes of one client are refused.

    Args:
        store: the running store.
        seed: not used; the disguises are drawn anew.

    Raises:
        CannotJudge: the store has another limit, the client has written within the last minute, or a write got no
            answer.
    """
    with closing(simulated_client(store.base_url, TIMEOUT_S, tls_context())) as client:
        statuses = [_first_status(client)]
        disguises = [disguise for disguise in DISGUISES for _ in range(WRITES)][1:]
        with ThreadPoolExecutor(THREADS) as threads:
            statuses += threads.map(lambda disguise: _write(client, disguise()).status_code, disguises)
    return float(statuses.count(REFUSED))


def _first_status(client: httpx.Client) -> int:
    response = _write(client, {})
    told = response.headers.get("RateLimit", ""), response.headers.get("RateLimit-Policy", "")
    if told[1] != f'"writes";q={QUOTA};w=60':
        raise CannotJudge(f"The store's limit is {told[1] or 'not told'}: unset SHOP_WRITES_PER_MINUTE.")
    if f";r={QUOTA - 1};" not in told[0]:
        raise CannotJudge(f"This address has written already: {told[0]}. Try again in a minute.")
    return response.status_code


def _write(client: httpx.Client, headers: Mapping[str, str]) -> httpx.Response:
    """Send a write that names no product, so it changes nothing; it counts all the same."""
    client.cookies.clear()
    try:
        return client.post(PATH, json={}, headers=dict(headers))
    except httpx.HTTPError as error:
        raise CannotJudge(f"A write got no answer ({type(error).__name__}): see `bin/shop status`.") from None


MEASUREMENT = StoreMeasurement(
    count_refused,
    {"overload.rate_limit": "on"},
    (),
    f"one script at one address sends {WRITES} writes in each of {len(DISGUISES)} disguises",
    "Which of the disguises makes another client of the script? Which of them could anybody write?",
    seconds=8,
)
