"""Processor time by part: what a comparison costs, whoever else is at work on the machine."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import psutil

CLIENTS = "clients"
PARTS = {"bare_checkout": "web", "shop.app": "web", "payments.simulator": "provider", "postgres": "PostgreSQL"}
"""What a command line of one of our processes contains, and which part that is."""


def spent() -> Counter[str]:
    """Return the seconds of processor time each part has used since it started; the clients are this process."""
    found: Counter[str] = Counter()
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's helpers come and go
            times = process.cpu_times()
            found[CLIENTS if process == me else _part(process)] += times.user + times.system
    return found


def show(title: str, found: Mapping[str, Counter[str]], count: int) -> None:
    """Print what one of so many pieces of work cost on each side, in milliseconds by part."""
    parts = sorted({part for side in found.values() for part in side})
    print(f"{title}: {', '.join(parts)}, together")
    for name, side in found.items():
        figures = [side[part] * 1000 / count for part in parts]
        print(f"  {name:<34} {'  '.join(f'{figure:6.2f}' for figure in (*figures, sum(figures)))} ms")


def _part(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    return next((part for word, part in PARTS.items() if word in line), "other")
