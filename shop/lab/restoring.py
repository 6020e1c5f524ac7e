"""Whatever happens, every switch stands afterwards as it stood before.

An experiment can end by an exception, by Ctrl-C, by SIGTERM, or by kill -9. The first three unwind through
:func:`restoring`. For the last one a note on disk says what to put back, and the next experiment does so first.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from shop.errors import ConfigurationError
from shop.lab.store import Store

NOTE = "restore.json"
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
    store: Store, folder: Path, say: Callable[[str], None] = lambda text: None
) -> Iterator[Mapping[str, str]]:
    """Yield how the switches stand, and put them back so at the end, whatever the end is.

    Must be entered in the main thread: it catches signals.

    Args:
        store: whose switches.
        folder: where the note is kept meanwhile.
        say: told what was put back.

    Raises:
        ConfigurationError: another experiment is under way.
        Interrupted: a signal asked to stop; everything has been put back.
    """
    note = folder / NOTE
    recover(store, folder, say)
    before = store.switches()
    _write(note, store.base_url, before)
    handlers = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield before
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave the store half put back
        put_back(store, before)
        note.unlink(missing_ok=True)
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
        flipped = put_back(store, left["switches"])
        if flipped:
            say(f"An earlier experiment was killed; put back {', '.join(flipped)}.")
    note.unlink()


def put_back(store: Store, wanted: Mapping[str, str]) -> list[str]:
    """Flip every switch that stands otherwise; return what was flipped."""
    now = store.switches()
    flipped = [name for name, value in wanted.items() if now.get(name, value) != value]
    for name in flipped:
        store.set_switch(name, wanted[name])
    return flipped


def _write(note: Path, url: str, switches: Mapping[str, str]) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    content = {"pid": os.getpid(), "started": psutil.Process().create_time(), "url": url, "switches": dict(switches)}
    making = note.with_suffix(".making")
    making.write_text(json.dumps(content), encoding="utf-8")
    making.replace(note)


def _alive(pid: int, started: float) -> bool:
    """Tell whether that very process still runs; a number alone may have been given to another."""
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
