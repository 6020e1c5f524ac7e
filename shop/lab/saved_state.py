"""Whatever happens, everything stands afterwards as it stood before: faults, knobs, switches, prices.

An experiment can end by an exception, by Ctrl-C, by SIGTERM, or by kill -9. The first three unwind through
:func:`restoring`. For the last one a note on disk says what to put back, and the next experiment does so first.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.faults import NONE
from shop.lab.store_client import StoreClient

FILE_NAME = "restore.json"
SETTLE_S = 1.0
"""A flip somebody made just now is in force in every process, and so seen by whichever answers, after a second."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ExperimentInterrupted(BaseException):
    """Somebody asked the experiment to stop.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(frozen=True)
class SavedState:
    """What an experiment may change, and how it stood before."""

    switches: Mapping[str, str]
    parameters: Mapping[str, float] = field(default_factory=dict)
    prices: Mapping[str, int] = field(default_factory=dict)
    """Product to minor units."""
    faults: bool = False
    """Whether it breaks anything; before, nothing was broken."""


@contextmanager
def restore_afterwards(
    store: StoreClient,
    folder: Path,
    names: Iterable[str],
    say: Callable[[str], None] = lambda text: None,
    *,
    parameters: Iterable[str] = (),
    faults: Iterable[str] = (),
    edits_price: bool = False,
) -> Iterator[Mapping[str, str]]:
    """Yield how all switches stand, and put back at the end what may be changed within, whatever the end is.

    Must be entered in the main thread: it catches signals.

    Args:
        store: whose switches.
        folder: where the note is kept meanwhile.
        names: the switches that may be flipped within; the others are left to whoever flips them.
        say: told what was put back.
        parameters: those that may be turned.
        faults: those that may be put in force; all of them end.
        edits_price: whether the price of the product experiments edit may be changed.

    Raises:
        ConfigurationError: another experiment is under way, something is broken on purpose already, or the store has
            no such switch, knob or fault.
        ExperimentInterrupted: a signal asked to stop; everything has been put back.
    """
    restore_after_kill(store, folder, say)
    time.sleep(SETTLE_S)
    before = store.switches()
    wanted = _save_state(store, before, set(names), set(parameters), set(faults), edits_price=edits_price)
    note = _write(folder, store.base_url, wanted)
    handlers = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield before
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave the store half put back
        try:
            restore_state(store, wanted)
            note.unlink(missing_ok=True)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def restore_after_kill(store: StoreClient, folder: Path, say: Callable[[str], None]) -> None:
    """Put back what an experiment that was killed could not.

    Raises:
        ConfigurationError: the experiment that wrote the note still runs.
    """
    note = folder / FILE_NAME
    if not note.exists():
        return
    left = json.loads(note.read_text(encoding="utf-8"))
    if _alive(left["pid"], left["started"]):
        raise ConfigurationError(f"Another experiment is under way (pid {left['pid']}): wait for it, or stop it first.")
    if left["url"] == store.base_url:
        kept = left["kept"]
        wanted = SavedState(kept["switches"], kept["knobs"], kept["prices"], kept["faults"])
        restore_state(store, wanted)
        put = [*wanted.switches, *wanted.parameters, *wanted.prices]
        say(f"An earlier experiment was killed; put back {', '.join(put)}.")
    note.unlink()


def restore_state(store: StoreClient, wanted: SavedState) -> None:
    """Set all of it, without asking first how it stands: the process that answers may not know yet.

    Faults end first: what they took away may be needed for the rest.
    """
    if wanted.faults:
        store.clear_faults()
    for name, value in wanted.switches.items():
        store.set_switch(name, value)
    for knob, turned in wanted.parameters.items():
        store.set_parameter(knob, turned)
    for slug, amount in wanted.prices.items():
        store.update_product(slug, price={"amount": amount})


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
        raise ConfigurationError(f"The running store has no switch {', '.join(missing)}: is it older than this?")
    turned = store.parameters() if parameters else {}
    if missing := sorted(parameters - set(turned)):
        raise ConfigurationError(f"The running store has no knob {', '.join(missing)}: is its cache away?")
    broken = store.faults() if faults else {}
    if missing := sorted(faults - set(broken)):
        raise ConfigurationError(
            f"This experiment breaks the {', '.join(missing)}, and that is no server of the store's own stack: start "
            "one with `shop up`, without its address set."
        )
    if already := [f"{name}={value}" for name, value in broken.items() if value != NONE]:
        raise ConfigurationError(f"Broken on purpose already: {', '.join(already)}. Mend it with `shop fault clear`.")
    slug = store.product_to_edit() if edits_price else ""
    return SavedState(
        switches={name: before[name] for name in names},
        parameters={name: turned[name] for name in parameters},
        prices={slug: store.price(slug)} if slug else {},
        faults=bool(faults),
    )


def _write(folder: Path, url: str, kept: SavedState) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    saved = {
        "switches": dict(kept.switches),
        "knobs": dict(kept.parameters),
        "prices": dict(kept.prices),
        "faults": kept.faults,
    }
    content = {"pid": os.getpid(), "started": psutil.Process().create_time(), "url": url, "kept": saved}
    note = folder / FILE_NAME
    atomic_write(note, json.dumps(content))
    return note


def _alive(pid: int, started: float) -> bool:
    """Tell whether that very process still runs; a number alone may have been given to another."""
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise ExperimentInterrupted(number)
