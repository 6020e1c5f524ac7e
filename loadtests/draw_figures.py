"""Draws the stored figures of the documentation anew, each from a run of its experiment on a quiet machine.

    .venv/bin/python loadtests/draw_figures.py [NAME ...] [--tries N]

Starts a store of its own for the experiments that need as many web processes (`shop up` in a temporary directory, on
a free port of 127.0.0.1) and stops it at the end, also on Ctrl-C. A run goes to ``docs/figures`` where it is confirmed
and nothing in it was left unjudged. Where it is not, another try is made; after the last one the stored figure stays.
What breaks the books comes last. At the end the documentation is written anew. Some two minutes an experiment; exit
code 1 where one of them was left alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from shop.lab.experiment import LabExperiment, load_experiment, load_experiments
from shop.settings import PREFIX, PROJECT_ROOT
from shop.stack.program import free_port

FIGURES = PROJECT_ROOT / "docs" / "figures"
SHOP = (sys.executable, "-m", "shop.cli")
ELSEWHERE = ("DATABASE_URL", "CACHE_URL", "BROKER_URL", "PAYMENTS_URL", "MAIL_URL")
"""What could lead to a server that is not this run's: nothing of it is taken from the shell."""
WORKERS = 2
"""Web processes at least: the store's own default."""
TRIES = 2
CANNOT_RUN = 2

Result = Mapping[str, Any]


def left_alone_because(result: Result) -> str | None:
    """Return why a run does not replace the stored one; ``None`` where it does."""
    unjudged = [kind for kind, word in result["judged"].items() if word not in (None, "confirmed")]
    if result["verdict"] == "confirmed" and not unjudged:
        return None
    return f"{result['verdict']}: {result['reason']}"


def workers_of(experiment: LabExperiment) -> int:
    """Return how many web processes an experiment is run with."""
    return max(WORKERS, experiment.workers)


def in_order(experiments: Sequence[LabExperiment]) -> list[LabExperiment]:
    """Return them so that one store serves many, and none finds books another has broken."""
    return sorted(experiments, key=lambda one: (workers_of(one), one.breaks_books, one.name))


@contextmanager
def _store(workers: int) -> Iterator[Mapping[str, str]]:
    """Run a store; yield the environment that makes a command speak of it."""
    home = Path(tempfile.mkdtemp(prefix="shop-figures-"))
    home.chmod(0o755)  # its servers may run as another account
    mine = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name not in ELSEWHERE}
    environment = {**mine, "SHOP_VAR_DIR": str(home / "var"), "SHOP_PORT": str(free_port())}
    try:
        subprocess.run([*SHOP, "up", "--detach", "--workers", str(workers)], env=environment, check=True)
        yield environment
    finally:
        subprocess.run([*SHOP, "down"], env=environment, check=False)
        shutil.rmtree(home, ignore_errors=True)


def _draw(experiment: LabExperiment, environment: Mapping[str, str], tries: int) -> str | None:
    """Run an experiment until it may be stored; return why it was left alone."""
    reason: str | None = None
    for number in range(1, tries + 1):
        print(f"{experiment.name}: try {number} of {tries}, about {experiment.expected_seconds():.0f} s", flush=True)
        words = [*SHOP, "lab", "run", experiment.name, "--json"]
        done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode == CANNOT_RUN or not done.stdout:
            reason = f"it could not run (exit code {done.returncode})"
            continue
        result = json.loads(done.stdout)
        reason = left_alone_because(result)
        if reason is None:
            (FIGURES / f"{experiment.name}.json").write_text(f"{json.dumps(result, indent=2)}\n", encoding="utf-8")
            print(f"{experiment.name}: drawn", flush=True)
            return None
        print(f"{experiment.name}: {reason}", flush=True)
    return reason


def main() -> None:
    """Draw what was named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which experiments; all by default")
    parser.add_argument("--tries", type=int, default=TRIES, help=f"runs of each at most; {TRIES} by default")
    given = parser.parse_args()
    wanted = [load_experiment(name) for name in given.names] or list(load_experiments().values())
    print(f"The machine's load is {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: anything but this adds to it.")
    left: dict[str, str] = {}
    for workers, some in groupby(in_order(wanted), workers_of):
        with _store(workers) as environment:
            for experiment in some:
                if reason := _draw(experiment, environment, given.tries):
                    left[experiment.name] = reason
    subprocess.run([*SHOP, "reference"], check=True)
    for name, reason in left.items():
        print(f"left as it was: {name}: {reason}")
    print(f"{len(wanted) - len(left)} of {len(wanted)} drawn.")
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
