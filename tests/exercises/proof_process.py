"""A long-lived process that runs answers, each in a child that it forks: ``python -m tests.exercises.proof_process``.

The libraries of the graders take longer to import than most checks to run. The process imports them once; a fork then
costs milliseconds, and an answer that changes a module, leaves a thread or ends its process changes nothing for the
next. The checks, their limits and their verdicts are those of the command.
"""

import gc
import json
import os
import resource
import sys
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

import psycopg  # noqa: F401 - imported for the children
import redis  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

from shop.exercises import attempt_process
from shop.exercises.attempt_runner import check_attempt
from shop.exercises.behaviour import CheckPlan
from shop.exercises.check_servers import ServerUrls, lend_servers
from shop.exercises.definition import load_definition
from shop.exercises.graders import load_checks


class ForkedProcess:
    """A child that runs an attempt.

    Args:
        pid: its id.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def fork_process(plan: CheckPlan, output: IO[bytes], report: int) -> ForkedProcess:
    """Run an attempt in a child; see ``start_process``."""
    pid = os.fork()
    if pid == 0:
        _run_child(plan, output, report)
    return ForkedProcess(pid)


def _run_child(plan: CheckPlan, output: IO[bytes], report: int) -> NoReturn:
    try:
        os.setsid()
        os.chdir(plan.path.parent)
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
        attempt_process.main(plan, report)
    finally:
        os._exit(70)


def used_cpu_s() -> float:
    """Return the processor time of this process and of its ended children."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Check one answer with each of several seeds."""
    definition, path = load_definition(Path(request["folder"])), Path(request["path"])
    load_checks(definition.build.grader)
    lend = partial(lend_servers, urls=ServerUrls(**request["urls"]), var=Path(request["var"]))
    verdicts = [check_attempt(definition, path, seed, lend, fork_process) for seed in request["seeds"]]
    return {"verdicts": [verdict.to_dict() for verdict in verdicts], "cpu_s": used_cpu_s()}


def main() -> None:
    """Answer requests, a line of JSON each, until the input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    requests = os.fdopen(os.dup(0))
    os.dup2(1, 0)
    gc.freeze()
    for line in requests:
        replies.write(json.dumps(answer(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
    sys.exit(0)
