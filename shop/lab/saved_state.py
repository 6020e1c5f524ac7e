"""Restores the store after an experiment: faults, store parameters, switches and prices.

An experiment can end with an exception, Ctrl-C, SIGTERM or kill -9. In the first three cases,
:func:`restore_afterwards` restores the store. After kill -9, a file on disk has the old values: the guard of the
experiment restores the store (see ``restore_guard``), or else the next experiment does so first. An exercise may need a
changed store for longer than its command runs: then the file names the exercise, and its check, its reset or the next
experiment restores the store.
"""

import json
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.faults import NONE
from shop.lab.lab_lock import claim_lab
from shop.lab.restore_file import FILE_NAME, read_restore_file
from shop.lab.restore_guard import guard_restore
from shop.lab.store_client import WARM_UP_THREADS, StoreClient

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ExperimentInterrupted(BaseException):
    """A signal stopped the experiment.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(frozen=True)
class SavedState:
    """The values before an experiment of everything that the experiment may change."""

    switches: Mapping[str, str]
    parameters: Mapping[str, float] = field(default_factory=dict)
    prices: Mapping[str, int] = field(default_factory=dict)
    """Price of each product in minor units."""
    faults: bool = False
    """Whether the experiment sets faults; before it, there is none."""
    own_products: tuple[str, ...] = ()
    """Products that are sold during the experiment only."""

    def as_json(self) -> dict[str, Any]:
        """Return the form that is written to disk."""
        return {
            "switches": dict(self.switches),
            "knobs": dict(self.parameters),
            "prices": dict(self.prices),
            "faults": self.faults,
            "own_products": list(self.own_products),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "SavedState":
        """Read the form that is written to disk."""
        own_products = tuple(saved.get("own_products", ()))  # an older release wrote no such key
        return cls(saved["switches"], saved["knobs"], saved["prices"], saved["faults"], own_products)


@contextmanager
def restore_afterwards(
    store: StoreClient,
    folder: Path,
    names: Iterable[str],
    report: Callable[[str], None] = lambda text: None,
    *,
    parameters: Iterable[str] = (),
    faults: Iterable[str] = (),
    edits_price: bool = False,
    own_products: Iterable[str] = (),
    holder: str = "",
    claimed: bool = False,
) -> Iterator[Mapping[str, str]]:
    """Yield the values of all switches, and restore at the end everything that the block may change.

    No other experiment or check can run meanwhile. The block must run in the main thread, since the function handles
    signals.

    Args:
        store: a client of the store.
        folder: the folder of the restore file.
        names: the switches that the block may set; no other switch is restored.
        report: receives a sentence about what was restored for a killed experiment.
        parameters: the store parameters that the block may change.
        faults: the faults that the block may set; all of them are cleared.
        edits_price: whether the block may change the price of the product that experiments edit.
        own_products: products that the block may add or sell again; they are withdrawn.
        holder: folder name of an exercise that needs the changed store after the block: nothing is restored then,
            unless the block raises. :func:`restore_after_kill` restores it later.
        claimed: whether the caller holds the lab already, for several experiments.

    Raises:
        ConfigurationError: another experiment is running, a fault is already set, or the store lacks a switch, a
            parameter or a fault.
        ServiceUnavailable: the store does not answer, or a process of it applies no change of a switch.
        ExperimentInterrupted: a signal stopped the block; the store has been restored.
    """
    with nullcontext() if claimed else claim_lab(folder), guard_restore(folder):
        restore_after_kill(store, folder, report)
        store.wait_applied()  # otherwise the answer may be of a process that does not know the latest value
        before = store.switches()
        saved = _save_state(store, before, set(names), set(parameters), set(faults), edits_price=edits_price)
        saved = replace(saved, own_products=tuple(own_products))
        path = folder / FILE_NAME
        content = {"url": store.base_url, "kept": saved.as_json()}
        atomic_write(path, json.dumps({**content, "holder": holder} if holder else content))
        stays_changed = False
        with interruptible():
            try:
                yield before
                stays_changed = bool(holder)
            finally:
                for number in SIGNALS:
                    signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the restoring
                if not stays_changed:
                    restore_state(store, saved)
                    path.unlink(missing_ok=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`ExperimentInterrupted` in the block at a signal."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise ExperimentInterrupted(number)

    handlers = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def restore_after_kill(store: StoreClient, folder: Path, report: Callable[[str], None]) -> None:
    """Restore the store after a killed experiment, or for an exercise that had changed it, if the file says so.

    Args:
        store: a client of the store.
        folder: the folder of the restore file; the caller has claimed it.
        report: receives a sentence about what was restored.

    Raises:
        ConfigurationError: an exercise has changed another store.
    """
    content = read_restore_file(folder)
    if not content:
        return
    holder = content.get("holder")
    if holder and content["url"] != store.base_url:
        raise ConfigurationError(
            f"Exercise {holder} has changed the store at {content['url']}. Restore that store first: bin/shop exercise"
            f" reset {holder} --url {content['url']}. If it no longer exists, delete {folder / FILE_NAME}."
        )
    if content["url"] == store.base_url:
        saved = SavedState.from_json(content["kept"])
        restore_state(store, saved)
        restored = [*saved.switches, *saved.parameters, *saved.prices]
        restored += ["the exercise's own products"] if saved.own_products else []
        # The names of an exercise's switches may be its answer.
        report(
            f"Exercise {holder} had changed the store; restored all. `bin/shop exercise start {holder}` sets it up."
            if holder
            else f"An earlier experiment was killed; restored {', '.join(restored)}."
        )
    (folder / FILE_NAME).unlink()


def restore_state(store: StoreClient, saved: SavedState) -> None:
    """Set every saved value, also unchanged ones: the process that serves a request may not know the latest value.

    Faults are cleared first: the rest may need the server that a fault has stopped.
    """
    if saved.faults:
        store.clear_faults()
        with suppress(ServiceUnavailable):  # a server that was down may still be starting
            store.wait_ready()
    for name, value in saved.switches.items():
        store.set_switch(name, value.partition(":")[0])  # an attempt: the store adds the hash of its file
    for parameter, number in saved.parameters.items():
        store.set_parameter(parameter, number)
    for slug, amount in saved.prices.items():
        store.update_product(slug, price={"amount": amount})
    if saved.own_products:
        with ThreadPoolExecutor(WARM_UP_THREADS) as threads:
            list(threads.map(store.withdraw_product, saved.own_products))


def _save_state(
    store: StoreClient,
    before: Mapping[str, str],
    names: set[str],
    parameters: set[str],
    faults: set[str],
    *,
    edits_price: bool,
) -> SavedState:
    if missing := sorted(names - set(before)):
        raise ConfigurationError(
            f"The running store has no switch {', '.join(missing)}. Is the store older than this lab?"
        )
    current = store.parameters() if parameters else {}
    if missing := sorted(parameters - set(current)):
        raise ConfigurationError(f"The running store has no parameter {', '.join(missing)}. Is its cache down?")
    offered = store.faults() if faults else {}
    if missing := sorted(faults - set(offered)):
        raise ConfigurationError(
            f"This experiment sets faults of the {', '.join(missing)}, and the store's own stack does not run it: "
            "start it with `bin/shop up`, without its address in the settings."
        )
    if active := [f"{name}={value}" for name, value in offered.items() if value != NONE]:
        raise ConfigurationError(f"A fault is already set: {', '.join(active)}. Clear it with `bin/shop fault clear`.")
    slug = store.product_to_edit() if edits_price else ""
    return SavedState(
        switches={name: before[name] for name in names},
        parameters={name: current[name] for name in parameters},
        prices={slug: store.price(slug)} if slug else {},
        faults=bool(faults),
    )
