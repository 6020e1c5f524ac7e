"""What deadline, retries and breaker are worth: the same calls to a provider in trouble, with and without each.

    .venv/bin/python loadtests/benchmarks/provider_guards.py [--seconds 4]

The simulator is a process of its own, taught its trouble; sixteen threads make charges one after another, as a web
worker's threads would. Each row flips one guard and has the other two off. What counts is what a call costs the store
(seconds a thread is held), what it costs the provider (attempts), and how many end well.
"""

import argparse
import os
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from shop.clock import SystemClock
from shop.errors import ProviderUnavailable
from shop.money import Money
from shop.patterns.resilience.events import AttemptFinished, Event
from shop.payments.http_provider import HttpProvider
from shop.payments.provider import ChargeRequest
from shop.payments.resilient_provider import ProviderResilience, ResilientProvider
from shop.settings import Settings, load_settings
from shop.stack import http_servers
from shop.stack.program import free_port

THREADS = 16
WITHOUT_LIMIT_MS = 30_000
TIMEOUT_MS = 1_000
"""Shorter than the store's, so that every arm sees many calls in its few seconds."""
ROWS: tuple[tuple[str, str, Mapping[str, object]], ...] = (
    ("timeout", "every call takes 3 s", {"latency_ms": 3_000}),
    ("retries", "one call in five fails", {"error_rate": 0.2}),
    ("retries", "every call fails", {"error_rate": 1.0}),
    ("breaker", "every call takes 1.2 s", {"latency_ms": 1_200}),
    ("breaker", "every call fails", {"error_rate": 1.0}),
)


@dataclass
class Seen:
    """What one arm came to."""

    calls: int = 0
    well: int = 0
    held_s: float = 0.0
    reached: int = 0

    def row(self) -> str:
        """Write it as a line of a table."""
        return (
            f"{self.calls:>7} calls  {self.well / self.calls:>6.1%} well  {self.held_s / self.calls * 1000:>8.1f} ms a"
            f" thread is held  {self.reached / self.calls:>5.2f} attempts reach the provider"
        )


def main() -> None:
    """Measure every row, both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each arm")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="shop-guards-") as home:
        settings = _settings(Path(home))
        program = http_servers.payments(settings, int(str(settings.payments_url).rsplit(":", 1)[1]))
        with (Path(home) / "output").open("wb") as log:
            process = subprocess.Popen(program.argv, env={**os.environ, **program.env}, stdout=log, stderr=log)
        try:
            while not program.healthy():
                time.sleep(0.05)
            _measure(settings, seconds)
        finally:
            process.terminate()
            process.wait(10)


def _measure(settings: Settings, seconds: float) -> None:
    for guard, trouble, manners in ROWS:
        print(f"{guard}: {trouble}")
        admin = httpx.Client(headers={"Authorization": f"Bearer {settings.payments_api_key}"})
        admin.patch(f"{settings.payments_url}/admin/settings", json=manners).raise_for_status()
        for way in (True, False):
            print(f"  {'on' if way else 'off':<3}", _drive(settings, guard, way=way, seconds=seconds).row())
        admin.delete(f"{settings.payments_url}/admin/settings").raise_for_status()


def _drive(settings: Settings, guard: str, *, way: bool, seconds: float) -> Seen:
    seen, lock = Seen(), threading.Lock()

    def noted(event: Event) -> None:
        if isinstance(event, AttemptFinished) and event.outcome in ("ok", "failed"):
            with lock:
                seen.reached += 1

    bare = HttpProvider(str(settings.payments_url), WITHOUT_LIMIT_MS, settings.payments_api_key)
    switches = {"timeout": False, "retries": False, "breaker": False} | {guard: way}
    guarded = ProviderResilience(settings, SystemClock(), noted).wrap(bare, **switches)
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=_calls, args=(guarded, until, seen, lock)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bare.close()
    return seen


def _calls(provider: ResilientProvider, until: float, seen: Seen, lock: threading.Lock) -> None:
    while (started := time.monotonic()) < until:
        try:
            provider.charge(ChargeRequest(f"bench-{uuid.uuid4()}", Money(100), "tok_ok", {}))
            well = True
        except ProviderUnavailable:
            well = False
            time.sleep(0.01)  # a shopper who is refused does not come back at once; not counted
        with lock:
            seen.calls += 1
            seen.well += well
            seen.held_s += time.monotonic() - started - (0 if well else 0.01)


def _settings(home: Path) -> Settings:
    return load_settings(
        var_dir=home,
        payments_url=f"http://127.0.0.1:{free_port()}",
        payments_timeout_ms=TIMEOUT_MS,
        payments_api_key="only for this measurement",
        payments_webhook_secret="only for this measurement",  # noqa: S106 - good for one temporary process
    )


if __name__ == "__main__":
    main()
