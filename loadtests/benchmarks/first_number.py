"""Measures a newcomer's way: from the clone to the first before-and-after number, and what the installer takes of it.

    python3 loadtests/benchmarks/first_number.py               # clone, `make run`, `bin/shop lab demo`
    python3 loadtests/benchmarks/first_number.py --installers 3    # uv and pip in turn, three times each

Promises: the first number within 3 minutes if the packages are cached; the installation with uv at most 0.3 of pip's.
Exit code 1 if one is broken. The script needs only the standard library, since a fresh clone has nothing else.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from footprint import GIVE_UP_S, POLL_EVERY_S, ROOT, answers, free_port

FIRST_NUMBER_S = 180.0
INSTALLER_RATIO = 0.3


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--installers", type=int, metavar="ROUNDS", help="Time the installation with uv and with pip.")
    rounds = parser.parse_args().installers
    with tempfile.TemporaryDirectory(prefix="shop-first-number-") as home:
        os.chmod(home, 0o755)  # noqa: S103 - if root runs this, the servers run as another account
        began = time.monotonic()
        clone = Path(home) / "shop"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        return compare_installers(clone, rounds) if rounds else first_number(clone, began)


def first_number(clone: Path, began: float) -> int:
    """Run the store and the demo in a fresh clone; print the seconds of each step."""
    port = free_port()
    run = subprocess.Popen(["make", "run", f"PORT={port}"], cwd=clone, start_new_session=True)
    try:
        while not answers(f"http://127.0.0.1:{port}/"):
            if run.poll() is not None or time.monotonic() - began > GIVE_UP_S:
                raise SystemExit("`make run` did not serve a page")
            time.sleep(POLL_EVERY_S)
        page_s = time.monotonic() - began
        while not _is_ready(clone / "var" / "run" / "stack.json"):
            time.sleep(POLL_EVERY_S)
        demo = subprocess.run(["bin/shop", "lab", "demo", "--json"], cwd=clone, capture_output=True, text=True)
        number_s = time.monotonic() - began
    finally:
        os.killpg(run.pid, signal.SIGINT)
        run.wait(timeout=60)
    if demo.returncode != 0:
        raise SystemExit(f"`bin/shop lab demo` ended with {demo.returncode}: {demo.stderr}")
    kept = number_s <= FIRST_NUMBER_S
    print(demo.stdout.strip())
    print(f"first page after {page_s:.0f} s, first number after {number_s:.0f} s", end="")
    print(f"; promised at most {FIRST_NUMBER_S:g} s: {'kept' if kept else 'BROKEN'}")
    return int(not kept)


def _is_ready(state: Path) -> bool:
    return bool(json.loads(state.read_text())["phase"] == "ready")


def compare_installers(clone: Path, rounds: int) -> int:
    """Install into an empty environment with uv and with pip in turn; print seconds and processor time of each."""
    seconds: dict[str, list[float]] = {"uv": [], "pip": []}
    for number in range(rounds):
        order = ("uv", "pip") if number % 2 else ("pip", "uv")
        for name in order:
            shutil.rmtree(clone / ".venv", ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", clone / ".venv"], check=True)
            command = [".venv/bin/python", "deploy/install.py", "--to-run", "requirements.lock"]
            began, cpu = time.monotonic(), _children_cpu_s()
            subprocess.run([*command, *(["--pip"] if name == "pip" else [])], cwd=clone, check=True)
            seconds[name].append(time.monotonic() - began)
            print(f"{name}: {seconds[name][-1]:.1f} s, {_children_cpu_s() - cpu:.1f} s of processor time", flush=True)
    ratio = statistics.median(seconds["uv"]) / statistics.median(seconds["pip"])
    pairs = [uv / pip for uv, pip in zip(seconds["uv"], seconds["pip"], strict=True)]
    kept = ratio <= INSTALLER_RATIO
    print(f"uv takes {ratio:.2f} of pip's time ({min(pairs):.2f} to {max(pairs):.2f})", end="")
    print(f"; promised at most {INSTALLER_RATIO}: {'kept' if kept else 'BROKEN'}")
    return int(not kept)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
