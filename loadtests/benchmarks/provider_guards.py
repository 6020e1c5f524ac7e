"""Measures timeout, retries and breaker: calls to a provider with a fault, with and without each mechanism.

    .venv/bin/python loadtests/benchmarks/provider_guards.py [--seconds 4]

The payments simulator is a process of its own with a fault; sixteen threads make charges one after another, as the
threads of a web process would. Each row switches one mechanism on and off, with the other two off. The figures are the
cost of a call for the store (time that a thread is held) and for the provider (attempts), and the share of successes.
"""

import argparse
import os
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
"""Shorter than the store's default, so that every arm makes many calls in its few seconds."""
ROWS: tuple[tuple[str, str, Mapping[str, object]], ...] = (
    ("timeout", "every call takes 3 s", {"latency_ms": 3_000}),
    ("retries", "one call in five fails", {"error_rate": 0.2}),
    ("retries", "every call fails", {"error_rate": 1.0}),
    ("breaker", "every call takes 1.2 s", {"latency_ms": 1_200}),
    ("breaker", "every call fails", {"error_rate": 1.0}),
)


@dataclass
class ArmResult:
    """The figures of one arm."""

    calls: int = 0
    succeeded: int = 0
    held_s: float = 0.0
    reached: int = 0

    def row(self) -> str:
        """Return a line of the table."""
        return (
            f"{self.calls:>7} calls  {self.succeeded / self.calls:>6.1%} succeeded"
            f"  {self.held_s / self.calls * 1000:>8.1f} ms a thread is held"
            f"  {self.reached / self.calls:>5.2f} attempts reach the provider"
        )


def main() -> None:
    """Measure every row with its mechanism on and off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each arm")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="shop-guards-") as home:
        settings = _settings(Path(home))
        for mechanism, fault, behaviour in ROWS:
            print(f"{mechanism}: {fault}")
            for enabled in (True, False):
                with _simulator(settings, behaviour):
                    row = _drive(settings, mechanism, enabled=enabled, seconds=seconds).row()
                print(f"  {'on' if enabled else 'off':<3}", row)


@contextmanager
def _simulator(settings: Settings, behaviour: Mapping[str, object]) -> Iterator[None]:
    """Run a provider with a fault for one arm: in the next arm, calls that timed out would still hold its threads."""
    program = http_servers.payments(settings, int(str(settings.payments_url).rsplit(":", 1)[1]))
    with (settings.var_dir / "output").open("ab") as log:
        process = subprocess.Popen(
            program.argv, env={**os.environ, **program.env}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while not program.healthy():
            time.sleep(0.05)
        with httpx.Client(headers={"Authorization": f"Bearer {settings.payments_api_key}"}) as admin:
            admin.delete(f"{settings.payments_url}/admin/settings").raise_for_status()  # those of the last arm
            admin.patch(f"{settings.payments_url}/admin/settings", json=behaviour).raise_for_status()
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it would wait for its calls
        process.wait()


def _drive(settings: Settings, mechanism: str, *, enabled: bool, seconds: float) -> ArmResult:
    result, lock = ArmResult(), threading.Lock()

    def count_attempts(event: Event) -> None:
        if isinstance(event, AttemptFinished) and event.outcome in ("ok", "failed"):
            with lock:
                result.reached += 1

    bare = HttpProvider(str(settings.payments_url), WITHOUT_LIMIT_MS, settings.payments_api_key)
    switches: dict[str, Any] = {"timeout": False, "retries": False, "breaker": False} | {mechanism: enabled}
    resilient = ProviderResilience(settings, SystemClock(), count_attempts).wrap(bare, **switches)
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=_make_charges, args=(resilient, deadline, result, lock)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bare.close()
    return result


def _make_charges(provider: ResilientProvider, deadline: float, result: ArmResult, lock: threading.Lock) -> None:
    while (started := time.monotonic()) < deadline:
        try:
            provider.charge(ChargeRequest(f"bench-{uuid.uuid4()}", Money(100), "tok_ok", {}))
            succeeded = True
        except ProviderUnavailable:
            succeeded = False
            time.sleep(0.01)  # a shopper does not retry at once; this pause is not counted
        with lock:
            result.calls += 1
            result.succeeded += succeeded
            result.held_s += time.monotonic() - started - (0 if succeeded else 0.01)


def _settings(home: Path) -> Settings:
    return load_settings(
        var_dir=home,
        payments_url=f"http://127.0.0.1:{free_port()}",
        payments_timeout_ms=TIMEOUT_MS,
        payments_api_key="only for this measurement",
        payments_webhook_secret="only for this measurement",  # noqa: S106 - for one temporary process
    )


if __name__ == "__main__":
    main()
