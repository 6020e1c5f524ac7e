"""The process that runs the answers of the proofs, one for each process of the tests."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from shop.exercises.check_servers import VALKEY_DATABASE, ServerUrls
from shop.exercises.verdict import CheckVerdict, FailureReport
from tests.conftest import PROOFS_CPU


class ProofProcess:
    """See ``proof_process``.

    Args:
        urls: of the test run's servers.
        var: a directory for the lock file.
    """

    def __init__(self, urls, var):
        self._fixed = {"urls": asdict(urls), "var": str(var)}
        self.cpu_s = 0.0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.exercises.proof_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def judge(self, exercise, path, seeds):
        """Return the verdict on an answer for each seed."""
        request = {"folder": str(exercise.folder), "path": str(path), "seeds": list(seeds), **self._fixed}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        self.cpu_s = reply["cpu_s"]
        return [_verdict(document) for document in reply["verdicts"]]

    def stop(self):
        self._process.communicate()


def _verdict(document):
    failure = document["failure"] and FailureReport(**document["failure"])
    return CheckVerdict(**{**document, "passed": tuple(document["passed"]), "failure": failure})


@pytest.fixture(scope="session")
def proof_urls(servers, settings):
    """The test run's own PostgreSQL and Valkey, with databases of this process's own."""
    number = VALKEY_DATABASE - int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = str(settings.database_url)
    return ServerUrls(servers.valkey_url("cache", 0), url, url, number)


@pytest.fixture(scope="session")
def proofs(servers, proof_urls, tmp_path_factory):
    """The long-lived process."""
    process = ProofProcess(proof_urls, tmp_path_factory.mktemp("var"))
    yield process
    process.stop()
    with Path(servers.home).joinpath(PROOFS_CPU).open("a") as file:
        file.write(f"{process.cpu_s}\n")
