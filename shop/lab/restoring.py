"""Whatever happens, every switch stands afterwards as it stood before.

An experiment can end by an exception, by Ctrl-C, by SIGTERM, or by kill -9. The first three unwind through
:func:`restoring`. For the last one a note on disk says what to put back, and the next experiment does so first.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from shop.errors import ConfigurationError
from shop.lab.store import Store

NOTE = "restore.json"
SETTLE_S = 1.0
"""A flip somebody made just now is in force in every process, and so seen by whichever answers, after a second."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked the experiment to stop.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def restoring(
    store: Store, folder: Path, names: Iterable[str], say: Callable[[str], None] = lambda text: None
) -> Iterator[Mapping[str, str]]:
    """Yield how all switches stand, and put those named back so at the end, whatever the end is.

    Must be entered in the main thread: it catches signals.

    Args:
        store: whose switches.
        folder: where the note is kept meanwhile.
        names: the switches that may be flipped within; the others are left to whoever flips them.
        say: told what was put back.

    Raises:
        ConfigurationError: another experiment is under way, or the store has no switch of that name.
        Interrupted: a signal asked to stop; everything has been put back.
    """
    recover(store, folder, say)
    time.sleep(SETTLE_S)
    before = store.switches()
    if missing := sorted(set(names) - set(before)):
        raise ConfigurationError(f"The running store has no switch {', '.join(missing)}: is it older than this?")
    wanted = {name: before[name] for name in names}
    note = _write(folder, store.base_url, wanted)
    handlers = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield before
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave the store half put back
        try:
            put_back(store, wanted)
            note.unlink(missing_ok=True)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def recover(store: Store, folder: Path, say: Callable[[str], None]) -> None:
    """Put back what an experiment that was killed could not.

    Raises:
        ConfigurationError: the experiment that wrote the note still runs.
    """
    note = folder / NOTE
    if not note.exists():
        return
    left = json.loads(note.read_text(encoding="utf-8"))
    if _alive(left["pid"], left["started"]):
        raise ConfigurationError(f"Another experiment is under way (pid {left['pid']}): wait for it, or stop it first.")
    if left["url"] == store.base_url:
        put_back(store, left["switches"])
        say(f"An earlier experiment was killed; put back {', '.join(left['switches'])}.")
    note.unlink()


def put_back(store: Store, wanted: Mapping[str, str]) -> None:
    """Set every switch named, without asking first how it stands: the process that answers may not know yet."""
    for name, value in wanted.items():
        store.set_switch(name, value)


def _write(folder: Path, url: str, switches: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    content = {"pid": os.getpid(), "started": psutil.Process().create_time(), "url": url, "switches": dict(switches)}
    note = folder / NOTE
    making = note.with_suffix(".making")
    making.write_text(json.dumps(content), encoding="utf-8")
    making.replace(note)
    return note


def _alive(pid: int, started: float) -> bool:
    """Tell whether that very process still runs; a number alone may have been given to another."""
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
