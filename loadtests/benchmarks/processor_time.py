"""Measures processor time by part of the system, which depends less on other work on the machine than elapsed time."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import psutil

CLIENTS = "clients"
PARTS = {"bare_checkout": "web", "shop.app": "web", "payments.simulator": "provider", "postgres": "PostgreSQL"}
"""The part of the system by a word in the command line of its processes."""


def processor_seconds() -> Counter[str]:
    """Return the seconds of processor time that each part has used since its start; this process is the clients."""
    seconds: Counter[str] = Counter()
    own_process = psutil.Process()
    for process in (own_process, *own_process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's helpers come and go
            times = process.cpu_times()
            seconds[CLIENTS if process == own_process else _part_of(process)] += times.user + times.system
    return seconds


def show(title: str, seconds: Mapping[str, Counter[str]], count: int) -> None:
    """Print the processor time of one operation on each side, in milliseconds by part.

    Args:
        title: the heading.
        seconds: for each side, the seconds of each part.
        count: the number of operations in that time.
    """
    parts = sorted({part for side in seconds.values() for part in side})
    print(f"{title}: {', '.join(parts)}, together")
    for name, side in seconds.items():
        figures = [side[part] * 1000 / count for part in parts]
        print(f"  {name:<34} {'  '.join(f'{figure:6.2f}' for figure in (*figures, sum(figures)))} ms")


def _part_of(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    return next((part for word, part in PARTS.items() if word in line), "other")
