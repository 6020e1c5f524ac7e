"""An open load of visitors who browse, fill carts and check out, and give up after a while.

Each request comes from an address of its own, where the platform can (Linux): a store limits the writes of each client.
"""

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinned_store import PinnedStore

from shop.lab.source_addresses import new_source_address

PATIENCE_S = 2.0
"""After this time a client gives up."""
IN_TIME_S = 1.0
CART_SHARE, CHECKOUT_SHARE = 0.07, 0.03
DETAILS = {
    "email": "benchmark@shop.test",
    "address": {"name": "Bench", "line1": "1 Bench Street", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}


@dataclass
class OfferedLoad:
    """What came of the requests of one phase."""

    seconds: float
    latencies_s: list[float] = field(default_factory=list)
    """Of the requests that succeeded."""
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of requests by kind and outcome: ok, refused, failed, gave up."""

    @property
    def goodput(self) -> float:
        """Return the requests a second that were answered in time."""
        return sum(latency <= IN_TIME_S for latency in self.latencies_s) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Return a percentile of what succeeded."""
        return sorted(self.latencies_s)[int(share * (len(self.latencies_s) - 1))] * 1000 if self.latencies_s else 0.0

    def count(self, outcome: str) -> int:
        """Return the requests of one outcome."""
        return sum(count for (_, came), count in self.outcomes.items() if came == outcome)

    def share_ok(self, kind: str) -> float:
        """Return the share of one kind that succeeded."""
        offered = sum(count for (one, _), count in self.outcomes.items() if one == kind)
        return self.outcomes[kind, "ok"] / offered if offered else 1.0


async def offer(
    store: PinnedStore, rate: float, seconds: float, carts: Sequence[str] = (), port: int | None = None
) -> OfferedLoad:
    """Send requests at a rate; the first checkouts of the schedule use the carts.

    Args:
        store: the store.
        rate: requests a second; each comes at a random time (Poisson).
        seconds: length of the schedule.
        carts: cookies of the prepared carts. Without one left, a request browses.
        port: of a proxy in front of the store; the store's own by default.
    """
    load, drawn, left, tasks = OfferedLoad(seconds), random.Random(7), list(carts), []
    began, due = time.perf_counter(), 0.0
    while (due := due + drawn.expovariate(rate)) < seconds:
        draw, slug = drawn.random(), drawn.choice(store.slugs)
        request = ("browse", _request("GET", f"/p/{slug}"))
        if draw < CHECKOUT_SHARE and left:
            key = {"Cookie": left.pop(), "Idempotency-Key": str(uuid.uuid4())}
            request = ("checkout", _request("POST", "/api/v1/checkout", DETAILS, key))
        elif draw < CHECKOUT_SHARE + CART_SHARE:
            request = ("cart", _request("POST", "/api/v1/cart/items", {"product": slug}))
        if (pause := began + due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(_send(port or store.port, *request, load)))
    await asyncio.gather(*tasks)
    return load


def most_checkouts(requests: float) -> int:
    """Return a number that the checkouts among so many requests hardly ever exceed."""
    return round(2 * CHECKOUT_SHARE * requests)


def _request(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        *(f"{k}: {v}" for k, v in (headers or {}).items()),
    ]
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def _send(port: int, kind: str, request: bytes, load: OfferedLoad) -> None:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            address = new_source_address("http://127.0.0.1")
            local = (address, 0) if address else None
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
            try:
                writer.write(request)
                status = int((await reader.read())[9:12])
            finally:
                writer.close()
    except TimeoutError:
        outcome = "gave up"
    except (OSError, ValueError):
        outcome = "failed"
    else:
        outcome = "ok" if status < 400 else "refused" if status == 503 else "failed"
        if outcome == "ok":
            load.latencies_s.append(time.perf_counter() - began)
    load.outcomes[kind, outcome] += 1
