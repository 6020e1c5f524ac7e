"""Runs experiments on a quiet machine and stores their results as the figures of the docs.

    .venv/bin/python loadtests/draw_figures.py [NAME ...] [--tries N]

The script starts one store for all experiments with the same number of web processes (`bin/shop up` in a temporary
directory, on a free port of 127.0.0.1) and stops it at the end, also on Ctrl-C. A confirmed result without an unjudged
part goes to ``docs/figures``. Otherwise the script tries again; after the last try the stored figure stays. Experiments
that damage the books run last. At the end the script regenerates the docs. An experiment takes about two minutes. Exit
code 1 if a figure was not replaced.
"""

import argparse
import json
import os
import shutil
import signal
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
"""Variables of the shell that could name a server outside this run; the store does not get them."""
WORKERS = 2
"""The least number of web processes, which is the store's default."""
TRIES = 2
CANNOT_RUN = 2

Result = Mapping[str, Any]


def rejection_reason(result: Result) -> str | None:
    """Return why a result does not replace the stored one; ``None`` if it does."""
    unjudged = [kind for kind, word in result["judged"].items() if word not in (None, "confirmed")]
    if result["verdict"] == "confirmed" and not unjudged:
        return None
    return f"{result['verdict']}: {result['reason']}"


def workers_of(experiment: LabExperiment) -> int:
    """Return the number of web processes for an experiment."""
    return max(WORKERS, experiment.workers)


def in_order(experiments: Sequence[LabExperiment]) -> list[LabExperiment]:
    """Sort experiments so that one store serves many, and those that damage the books come last in it."""
    return sorted(experiments, key=lambda each: (workers_of(each), each.breaks_books, each.name))


@contextmanager
def _store(workers: int) -> Iterator[Mapping[str, str]]:
    """Run a store; yield the environment variables with which a `shop` command uses it."""
    home = Path(tempfile.mkdtemp(prefix="shop-figures-"))
    home.chmod(0o755)  # its servers may run as another account
    shell = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name not in ELSEWHERE}
    environment = {**shell, "SHOP_VAR_DIR": str(home / "var"), "SHOP_PORT": str(free_port())}
    try:
        subprocess.run([*SHOP, "up", "--detach", "--workers", str(workers)], env=environment, check=True)
        yield environment
    finally:
        subprocess.run([*SHOP, "down"], env=environment, check=False)
        shutil.rmtree(home, ignore_errors=True)


def _draw(experiment: LabExperiment, environment: Mapping[str, str], tries: int) -> str | None:
    """Run an experiment until its result may be stored; return the last reason against it, or ``None``."""
    reason: str | None = None
    for number in range(1, tries + 1):
        print(f"{experiment.name}: try {number} of {tries}, about {experiment.expected_seconds():.0f} s", flush=True)
        command = [*SHOP, "lab", "run", experiment.name, "--json"]
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if run.returncode == CANNOT_RUN or not run.stdout:
            reason = f"it could not run (exit code {run.returncode})"
            continue
        result = json.loads(run.stdout)
        reason = rejection_reason(result)
        if reason is None:
            (FIGURES / f"{experiment.name}.json").write_text(f"{json.dumps(result, indent=2)}\n", encoding="utf-8")
            print(f"{experiment.name}: stored", flush=True)
            return None
        print(f"{experiment.name}: {reason}", flush=True)
    return reason


def main() -> None:
    """Run the named experiments, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of experiments; by default all")
    parser.add_argument("--tries", type=int, default=TRIES, help=f"most runs of each experiment; by default {TRIES}")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the store ends with this process
    experiments = [load_experiment(name) for name in arguments.names] or list(load_experiments().values())
    print(f"The machine's load is {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; other work disturbs the figures.")
    rejected: dict[str, str] = {}
    for workers, group in groupby(in_order(experiments), workers_of):
        with _store(workers) as environment:
            for experiment in group:
                if reason := _draw(experiment, environment, arguments.tries):
                    rejected[experiment.name] = reason
    subprocess.run([*SHOP, "reference"], check=True)
    for name, reason in rejected.items():
        print(f"not replaced: {name}: {reason}")
    print(f"{len(experiments) - len(rejected)} of {len(experiments)} stored.")
    sys.exit(1 if rejected else 0)


if __name__ == "__main__":
    main()
