"""Runs the stored experiments anew on a quiet machine, and stores their results as the figures of the docs.

    make figures [NAME="cache-layers flash-sale"]
    .venv/bin/python loadtests/draw_figures.py [NAME ...] [--tries N]

The script starts one store for all experiments with the same number of web processes (`bin/shop up` in a temporary
directory, on a free port of 127.0.0.1) and stops it at the end, also on Ctrl-C. So it changes no switch of your own
store. A confirmed result without an unjudged part goes to ``docs/figures``. Otherwise the script tries again; after the
last try the stored figure stays, and the next experiment follows. Experiments that damage the books run last. At the
end, also after Ctrl-C, the script draws the stored results into the pages. Exit code 1 if a figure was not replaced.
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

from shop.errors import ShopError
from shop.lab.experiment import LabExperiment, load_experiment
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
START_S = 30
"""Of one store with its data, about."""
INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended."""

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


def estimated_minutes(experiments: Sequence[LabExperiment]) -> int:
    """Return about how long these experiments take if each succeeds at its first try, in minutes."""
    stores = len({workers_of(each) for each in experiments})
    return round((stores * START_S + sum(each.expected_seconds() for each in experiments)) / 60)


def stored_names() -> list[str]:
    """Return the names of the experiments with a stored figure."""
    return sorted(path.stem for path in FIGURES.glob("*.json"))


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
        # The command inherits that Ctrl-C is ignored: a second one must not leave servers behind.
        earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
        subprocess.run([*SHOP, "down"], env=environment, check=False)
        shutil.rmtree(home, ignore_errors=True)
        signal.signal(signal.SIGINT, earlier)


def _draw(experiment: LabExperiment, environment: Mapping[str, str], tries: int) -> str | None:
    """Run an experiment until its result may be stored; return the last reason against it, or ``None``."""
    reason: str | None = None
    for number in range(1, tries + 1):
        print(f"{experiment.name}: try {number} of {tries}, about {experiment.expected_seconds():.0f} s", flush=True)
        command = [*SHOP, "lab", "run", experiment.name, "--json"]
        code, printed = _run_to_its_end(command, environment)
        if code == CANNOT_RUN or not printed:
            reason = f"it could not run (exit code {code})"
            continue
        result = json.loads(printed)
        reason = rejection_reason(result)
        if reason is None:
            (FIGURES / f"{experiment.name}.json").write_text(f"{json.dumps(result, indent=2)}\n", encoding="utf-8")
            print(f"{experiment.name}: stored", flush=True)
            return None
        print(f"{experiment.name}: {reason}", flush=True)
    return reason


def _run_to_its_end(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command; return its exit code and output. After Ctrl-C, wait until it has restored what it changed."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            printed, _ = process.communicate()
        except KeyboardInterrupt:
            process.terminate()  # SIGTERM to this script alone does not reach it
            process.wait()
            raise
        return process.returncode, printed


def _draw_all(experiments: Sequence[LabExperiment], tries: int, rejected: dict[str, str], done: list[str]) -> None:
    """Run experiments; note in the two collections the reason against each figure, and the names of those that ran."""
    for workers, group in groupby(in_order(experiments), workers_of):
        with _store(workers) as environment:
            for experiment in group:
                if reason := _draw(experiment, environment, tries):
                    rejected[experiment.name] = reason
                done.append(experiment.name)


def main() -> None:
    """Run the named experiments, or all that have a stored figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of experiments; by default all stored ones")
    parser.add_argument("--tries", type=int, default=TRIES, help=f"most runs of each experiment; by default {TRIES}")
    arguments = parser.parse_args()
    try:
        experiments = [load_experiment(name) for name in arguments.names or stored_names()]
    except ShopError as error:
        parser.error(error.detail)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the store ends with this process
    minutes = estimated_minutes(experiments)
    print(f"Experiments: {len(experiments)}, in about {minutes} minutes; a second try of one makes it longer.")
    print(
        f"The machine's load is {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; other work disturbs the figures.",
        flush=True,
    )
    rejected: dict[str, str] = {}
    done: list[str] = []
    try:
        _draw_all(experiments, arguments.tries, rejected, done)
    except KeyboardInterrupt:
        print("Interrupted.", flush=True)
    subprocess.run([*SHOP, "reference"], check=True)
    for name, reason in rejected.items():
        print(f"not replaced: {name}: {reason}")
    for experiment in experiments:
        if experiment.name not in done:
            print(f"not run: {experiment.name}")
    print(f"{len(done) - len(rejected)} of {len(experiments)} stored; the pages show them.")
    sys.exit(INTERRUPTED if len(done) < len(experiments) else 1 if rejected else 0)


if __name__ == "__main__":
    main()
