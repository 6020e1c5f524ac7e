"""People who read, edit and buy one product at the same time, each in a thread of their own."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from shop.errors import ServiceUnavailable
from shop.lab.cache_status import who_answered
from shop.lab.guest_client import GuestClient
from shop.lab.load import LoadSamples
from shop.lab.store_client import StoreClient

LAYERS = ("edge", "local", "shared")
JOIN_S = 15.0


@dataclass(frozen=True)
class PriceRead:
    """One look at the price."""

    began_at: float
    """On the monotonic clock, as everything here."""
    ms: float
    amount: int | None
    """``None`` where there was no good answer."""
    answered_by: str


@dataclass(frozen=True)
class PricePurchase:
    """One purchase: what was paid for the piece, in minor units, and between which moments."""

    amount: int
    began: float
    ended: float


@dataclass
class PriceHistory:
    """The prices there have been, in order, and when each was begun and acknowledged.

    Args:
        amounts: in minor units; no two alike. The first was there before.
    """

    amounts: list[int]
    begun: list[float] = field(default_factory=lambda: [float("-inf")])
    acknowledged: list[float] = field(default_factory=lambda: [float("-inf")])

    def add(self, amount: int, begun: float, acknowledged: float) -> None:
        """Note a further price."""
        self.begun.append(begun)  # the moments first: a reader that finds the price finds them, too
        self.acknowledged.append(acknowledged)
        self.amounts.append(amount)

    def staleness_s(self, read: PriceRead) -> float:
        """Return by how many seconds an answer was late; 0 where it showed the price of its moment, or a later one."""
        if read.amount is None or read.amount not in self.amounts:
            return 0.0
        following = self.amounts.index(read.amount) + 1
        if following == len(self.amounts):
            return 0.0
        return max(0.0, read.began_at - self.acknowledged[following])

    def was_valid_during(self, bought: PricePurchase) -> bool:
        """Tell whether a price was the right one at some moment of the purchase.

        To be asked when the editing is over: the price of an edit can be paid before its editor hears that it was
        taken, and is noted here only then.
        """
        if bought.amount not in self.amounts:
            return False
        number = self.amounts.index(bought.amount)
        ended = self.acknowledged[number + 1] if number + 1 < len(self.amounts) else float("inf")
        return self.begun[number] <= bought.ended and ended >= bought.began


class PriceEditor:
    """The administrator: gives one product a price it never had, again and again.

    Args:
        store: where it is sold.
    """

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self.slug = store.product_to_edit()
        self.edits = PriceHistory([store.price(self.slug)])

    def change_price(self) -> None:
        """Change the price.

        Raises:
            ServiceUnavailable: the store did not take it.
        """
        begun, amount = time.monotonic(), max(self.edits.amounts) + 1
        self._store.update_product(self.slug, price={"amount": amount})
        self.edits.add(amount, begun, time.monotonic())


class PriceWatch:
    """Lets all of them go at once.

    Args:
        store: where they are.
        editor: edits.
        readers: how many read.
        read_every_s: each of them, in the mean.
        edit_every_s: in the mean.
    """

    def __init__(
        self, store: StoreClient, editor: PriceEditor, readers: int, read_every_s: float, edit_every_s: float
    ) -> None:
        self._store = store
        self._editor = editor
        self._readers = readers
        self._read_every_s = read_every_s
        self._edit_every_s = edit_every_s
        self._end = threading.Event()
        self._faults: list[Exception] = []
        self.reads: list[PriceRead] = []
        self.purchases: list[PricePurchase] = []

    def run(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Let them go on for so many seconds.

        Raises:
            ServiceUnavailable: an edit was not taken.
        """
        people = [self._read] * self._readers + [self._edit, self._buy]
        threads = [threading.Thread(target=self._guarded, args=(person,), daemon=True) for person in people]
        for thread in threads:
            thread.start()
        try:
            wait(seconds)
        finally:
            self._end.set()
            for thread in threads:
                thread.join(JOIN_S)
        if self._faults:
            raise ServiceUnavailable(
                f"The experiment's own people could not go on: {self._faults[0]}"
            ) from self._faults[0]

    def samples(self, seconds: float) -> LoadSamples:
        """Return the reads as samples of a load."""
        answers = {
            who: sum(read.answered_by == who for read in self.reads)
            for who in {read.answered_by for read in self.reads} - {""}
        }
        failed = sum(read.amount is None for read in self.reads)
        return LoadSamples(
            offered=len(self.reads),
            seconds=seconds,
            latencies_ms=[read.ms for read in self.reads],
            succeeded=[read.amount is not None for read in self.reads],
            calls=len(self.reads),
            queries=0,
            lookups={},  # the layers are watched one after the other: a rate over all of it would say nothing
            errors={"unanswered": failed} if failed else {},
            cpu_share=0.0,
            release_lag_p95_ms=0.0,
            answer_counts=answers,
            due_s=[0.0] * len(self.reads),
            answered_by=[read.answered_by for read in self.reads],
        )

    def _guarded(self, person: Callable[[], None]) -> None:
        try:
            person()
        except Exception as error:  # noqa: BLE001 - it is raised where they are waited for
            self._faults.append(error)

    def _pause(self, mean_s: float) -> bool:
        """Wait for a while; tell whether to go on."""
        return not self._end.wait(random.expovariate(1 / mean_s))

    def _read(self) -> None:
        path = f"/api/v1/products/{self._editor.slug}"
        with httpx.Client(base_url=self._store.base_url, timeout=5.0, trust_env=False) as client:
            while self._pause(self._read_every_s):
                began = time.monotonic()
                try:
                    answer = client.get(path)
                    amount = answer.json()["price"]["amount"] if answer.status_code == 200 else None
                    who = who_answered(answer.status_code, answer.headers.get("cache-status", "")) if amount else ""
                except httpx.HTTPError:
                    amount, who = None, ""
                self.reads.append(PriceRead(began, (time.monotonic() - began) * 1000, amount, who))

    def _edit(self) -> None:
        while self._pause(self._edit_every_s):
            self._editor.change_price()

    def _buy(self) -> None:
        with GuestClient(self._store.base_url) as shopper:
            while self._pause(self._edit_every_s):
                began = time.monotonic()
                amount = shopper.buy_and_cancel(self._editor.slug)
                if amount is not None:
                    self.purchases.append(PricePurchase(amount, began, time.monotonic()))
