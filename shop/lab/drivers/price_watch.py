"""Readers, an editor and a shopper use one product at the same time, each in a thread."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import httpx

from shop.errors import ServiceUnavailable
from shop.lab.cache_status import answer_source
from shop.lab.guest_client import GuestClient, tls_context
from shop.lab.load import LoadSamples
from shop.lab.store_client import API, StoreClient

LAYERS = ("edge", "local", "shared")
JOIN_S = 15.0
READ_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class PriceRead:
    """One read of the price. All times in this module are on the monotonic clock."""

    began_at: float
    ms: float
    amount: int | None
    """``None`` if the request failed."""
    answered_by: str


@dataclass(frozen=True)
class PricePurchase:
    """One purchase: the price paid for the piece in minor units, and the begin and end of the purchase."""

    amount: int
    began: float
    ended: float


@dataclass
class PriceHistory:
    """The prices of a product in order, with the begin and the acknowledgement of each edit.

    Args:
        amounts: in minor units; no two are equal. The first is the price before all edits.
    """

    amounts: list[int]
    begun: list[float] = field(default_factory=lambda: [float("-inf")])
    acknowledged: list[float] = field(default_factory=lambda: [float("-inf")])

    def add(self, amount: int, begun: float, acknowledged: float) -> None:
        """Add the price of an edit."""
        self.begun.append(begun)  # the times first: a reader in another thread that finds the price finds its times
        self.acknowledged.append(acknowledged)
        self.amounts.append(amount)

    def staleness_s(self, read: PriceRead) -> float:
        """Return the seconds since the price of a read was replaced; 0 if it was current, or newer than that."""
        if read.amount is None or read.amount not in self.amounts:
            return 0.0
        following = self.amounts.index(read.amount) + 1
        if following == len(self.amounts):
            return 0.0
        return max(0.0, read.began_at - self.acknowledged[following])

    def was_valid_during(self, purchase: PricePurchase) -> bool:
        """Tell whether a price was valid at some time of the purchase.

        Call this after the last edit: a shopper can pay the price of an edit before the editor gets its response, and
        the history contains the price only then.
        """
        if purchase.amount not in self.amounts:
            return False
        number = self.amounts.index(purchase.amount)
        ended = self.acknowledged[number + 1] if number + 1 < len(self.amounts) else float("inf")
        return self.begun[number] <= purchase.ended and ended >= purchase.began


class PriceEditor:
    """Edits the price of one product; each edit sets a price that the product never had.

    Args:
        store: a client of the store.
    """

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self.slug = store.product_to_edit()
        self.history = PriceHistory([store.price(self.slug)])

    def change_price(self) -> None:
        """Change the price.

        Raises:
            ServiceUnavailable: the store did not accept the edit.
        """
        begun, amount = time.monotonic(), max(self.history.amounts) + 1
        self._store.update_product(self.slug, price={"amount": amount})
        self.history.add(amount, begun, time.monotonic())


class PriceWatch:
    """Runs readers, the editor and a shopper at the same time, and records reads and purchases.

    Args:
        store: a client of the store.
        editor: edits the price.
        readers: number of readers.
        read_every_s: mean pause of each reader.
        edit_every_s: mean pause of the editor and of the shopper.
    """

    def __init__(
        self, store: StoreClient, editor: PriceEditor, readers: int, read_every_s: float, edit_every_s: float
    ) -> None:
        self._store = store
        self._editor = editor
        self._readers = readers
        self._read_every_s = read_every_s
        self._edit_every_s = edit_every_s
        self._stopped = threading.Event()
        self._errors: list[Exception] = []
        self.reads: list[PriceRead] = []
        self.purchases: list[PricePurchase] = []

    def run(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Run all threads for so many seconds.

        Raises:
            ServiceUnavailable: a thread failed, for example because the store did not accept an edit.
        """
        with ExitStack() as clients:
            shopper = clients.enter_context(GuestClient(self._store.base_url))
            steps = [(self._edit_every_s, self._editor.change_price), (self._edit_every_s, partial(self._buy, shopper))]
            for _ in range(self._readers):
                reader = httpx.Client(
                    base_url=self._store.base_url, timeout=READ_TIMEOUT_S, trust_env=False, verify=tls_context()
                )
                steps.append((self._read_every_s, partial(self._read, clients.enter_context(reader))))
            threads = [threading.Thread(target=self._repeat, args=step, daemon=True) for step in steps]
            for thread in threads:
                thread.start()
            try:
                wait(seconds)
            finally:
                self._stopped.set()
                for thread in threads:
                    thread.join(JOIN_S)
        if self._errors:
            raise ServiceUnavailable(f"The experiment's own clients failed: {self._errors[0]}") from self._errors[0]

    def samples(self, seconds: float) -> LoadSamples:
        """Return the reads as samples of a load."""
        sources = {read.answered_by for read in self.reads} - {""}
        failed = sum(read.amount is None for read in self.reads)
        return LoadSamples(
            offered=len(self.reads),
            seconds=seconds,
            latencies_ms=[read.ms for read in self.reads],
            succeeded=[read.amount is not None for read in self.reads],
            calls=len(self.reads),
            queries=None,
            lookups={},  # the layers are measured one after the other, so a hit rate of all reads has no meaning
            errors={"unanswered": failed} if failed else {},
            cpu_share=None,
            release_lag_p95_ms=None,
            answer_counts={source: sum(read.answered_by == source for read in self.reads) for source in sources},
            due_s=[0.0] * len(self.reads),
            answered_by=[read.answered_by for read in self.reads],
        )

    def _repeat(self, mean_pause_s: float, step: Callable[[], None]) -> None:
        """Repeat a step after random pauses until the end, or until it fails."""
        try:
            while not self._stopped.wait(random.expovariate(1 / mean_pause_s)):
                step()
        except Exception as error:  # noqa: BLE001 - run() raises it
            self._errors.append(error)

    def _read(self, client: httpx.Client) -> None:
        began = time.monotonic()
        try:
            response = client.get(f"{API}/products/{self._editor.slug}")
            amount = response.json()["price"]["amount"] if response.status_code == 200 else None
            cache_status = response.headers.get("cache-status", "")
            source = answer_source(response.status_code, cache_status) if amount else ""
        except httpx.HTTPError:
            amount, source = None, ""
        self.reads.append(PriceRead(began, (time.monotonic() - began) * 1000, amount, source))

    def _buy(self, shopper: GuestClient) -> None:
        began = time.monotonic()
        amount = shopper.buy_and_cancel(self._editor.slug)
        if amount is not None:
            self.purchases.append(PricePurchase(amount, began, time.monotonic()))
