"""Measures processor time by part of the system, which depends less on other work on the machine than elapsed time."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import psutil

CLIENTS = "clients"
PARTS = {"bare_checkout": "web", "shop.app": "web", "payments.simulator": "provider", "postgres": "PostgreSQL"}
"""The part of the system by a word in the command line of its processes."""


def processor_ms() -> Counter[str]:
    """Return the milliseconds of processor time of each part since its start; this process is the clients."""
    spent_ms: Counter[str] = Counter()
    own_process = psutil.Process()
    for process in (own_process, *own_process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's helpers come and go
            times = process.cpu_times()
            part = CLIENTS if process == own_process else _part_of(process)
            spent_ms[part] += round((times.user + times.system) * 1000)
    return spent_ms


def show(title: str, spent_ms: Mapping[str, Counter[str]], count: int) -> None:
    """Print the processor time of one operation on each side, in milliseconds by part.

    Args:
        title: the heading.
        spent_ms: for each side, the milliseconds of each part.
        count: the number of operations in that time.
    """
    parts = sorted({part for side in spent_ms.values() for part in side})
    print(f"{title}: {', '.join(parts)}, together")
    for name, side in spent_ms.items():
        figures = [side[part] / count for part in parts]
        print(f"  {name:<34} {'  '.join(f'{figure:6.2f}' for figure in (*figures, sum(figures)))} ms")


def _part_of(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    return next((part for word, part in PARTS.items() if word in line), "other")
