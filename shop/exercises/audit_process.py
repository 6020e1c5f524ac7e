"""The process in which an audited program runs: ``python -P -m shop.exercises.audit_process PLAN REPORT_FD``.

It reports by lines of JSON on a pipe: each probe before it begins, then its outcome.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from shop.exercises.probes import PatientProbe, load_probes
from shop.exercises.probes.bench import open_bench
from shop.exercises.verdict import AttemptFailed, FailureReport

SERVES = "serves"


def run_probe(probe: PatientProbe, package: Path) -> FailureReport | None:
    """Run one probe with surroundings of its own; return its failure, or ``None``.

    Args:
        probe: the probe.
        package: folder of the program's package.
    """
    with tempfile.TemporaryDirectory() as home, open_bench(package, Path(home)) as bench:
        try:
            probe(bench)
        except AttemptFailed as failed:
            return failed.report
    return None


def run_probes(name: str, package: Path, names: Iterable[str], send: Callable[..., None]) -> None:
    """Run the probe of the program's work, and then those of the weaknesses, unless the program does not work.

    Args:
        name: module of the probes.
        package: folder of the program's package.
        names: of the probes.
        send: receives the report.
    """
    serves, probes = load_probes(name)
    send(probe=SERVES)
    if failure := run_probe(serves, package):
        send(failure={**asdict(failure), "check": SERVES})
        return
    for one in names:
        send(probe=one)
        failure = run_probe(probes[one], package)
        send(failure=asdict(failure)) if failure else send(passed=one)


def main(plan: dict[str, Any], descriptor: int) -> NoReturn:
    """Run the probes of a plan, and end without waiting for the program's threads.

    Args:
        plan: the module of the probes, their names, and the package.
        descriptor: of the pipe for the report.
    """
    sys.dont_write_bytecode = True  # the reader's folder has the reader's files only
    with os.fdopen(descriptor, "w", encoding="utf-8", buffering=1) as pipe:

        def send(**line: Any) -> None:
            pipe.write(json.dumps(line) + "\n")

        try:
            run_probes(plan["probes"], Path(plan["package"]), plan["names"], send)
            send(done=True)
        except Exception as error:  # noqa: BLE001 - a fault of the check must not count as a fault of the reader
            send(fault=f"{type(error).__name__}: {error}")
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]))
