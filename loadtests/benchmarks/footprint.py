"""Measures the start time of the store and its memory.

    .venv/bin/python loadtests/benchmarks/footprint.py            # memory of the running stack
    python3 loadtests/benchmarks/footprint.py --from-scratch      # clones, `make run` twice, first page each time

Promises: first page within 90 s of `make run` with an empty `.venv`, within 10 s the second time; all processes
together under 700 MB resident. Exit code 1 if one is broken. The script needs only the standard library, since a fresh
clone has nothing else; it reads memory from /proc.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST_S, SECOND_S, MEMORY_MB = 90.0, 10.0, 700.0
GIVE_UP_S = 300.0
POLL_EVERY_S = 0.1
KB = 1024


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-scratch", action="store_true", help="Time `make run` in a fresh clone.")
    return _from_scratch() if parser.parse_args().from_scratch else _running()


def _running() -> int:
    shop = Path(sys.executable).parent / "shop"
    status = json.loads(subprocess.run([shop, "status", "--json"], capture_output=True, text=True, check=False).stdout)
    roots = [process["pid"] for process in status.get("processes", []) if process.get("pid")]
    if not roots:
        print("The stack is not running: start it with `bin/shop up`.", file=sys.stderr)
        return 2
    return _judge("resident memory of all processes", _memory_mb(roots), MEMORY_MB, "MB")


def _from_scratch() -> int:
    with tempfile.TemporaryDirectory(prefix="shop-footprint-") as home:
        os.chmod(home, 0o755)  # noqa: S103 - if root runs this, PostgreSQL runs as another account
        clone = Path(home) / "shop"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        first_s, first_mb = _first_page(clone)
        second_s, second_mb = _first_page(clone)
    broken = _judge("first page, empty .venv", first_s, FIRST_S, "s")
    broken |= _judge("first page, second time", second_s, SECOND_S, "s")
    return broken | _judge("resident memory after start", max(first_mb, second_mb), MEMORY_MB, "MB")


def _first_page(clone: Path) -> tuple[float, float]:
    """Run ``make run`` until its first page, and stop it; return the seconds and the memory at that time."""
    port = free_port()
    environment = {**os.environ, "SHOP_PORT": str(port)}
    began = time.monotonic()
    process = subprocess.Popen(
        ["make", "run"], cwd=clone, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        while not answers(f"http://127.0.0.1:{port}/"):
            if process.poll() is not None or time.monotonic() - began > GIVE_UP_S:
                raise SystemExit("`make run` did not serve a page")
            time.sleep(POLL_EVERY_S)
        return time.monotonic() - began, _memory_mb([process.pid])
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)


def answers(url: str) -> bool:
    """Return whether a page is served at an address."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - always http to this machine
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _memory_mb(roots: list[int]) -> float:
    """Return the sum of the resident sizes of processes and their descendants, in MB.

    This is the strict meaning of the promise, and it is useful only soon after the start: PostgreSQL's shared buffers
    count again in every connection that has touched them. The function also prints the proportional size (PSS), which
    counts a shared page once.
    """
    pids = _family(roots)
    resident = sum(_field(pid, "status", "VmRSS:") for pid in pids) / KB
    held = proportional_mb(roots)
    print(f"  {len(pids)} processes hold {held:.0f} MB; their resident sizes add up to {resident:.0f} MB")
    return resident


def proportional_mb(roots: list[int]) -> float:
    """Return the proportional size (PSS) of processes and their descendants, in MB; it counts a shared page once."""
    return sum(_field(pid, "smaps_rollup", "Pss:") for pid in _family(roots)) / KB


def _family(roots: list[int]) -> set[int]:
    parents = {pid: parent for pid in _pids() if (parent := _parent(pid)) is not None}
    pids = set(roots)
    while grown := {pid for pid, parent in parents.items() if parent in pids} - pids:
        pids |= grown
    return pids


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def _field(pid: int, file: str, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def free_port() -> int:
    """Return a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _judge(name: str, measured: float, promised: float, unit: str) -> int:
    kept = measured <= promised
    print(f"{name:<36} {measured:>7.1f} {unit}   promised at most {promised:g} {unit}: {'kept' if kept else 'BROKEN'}")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
