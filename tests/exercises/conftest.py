"""A long-lived process that runs the answers of the proofs, and a running store for checks on it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.exercises.check_servers import VALKEY_DATABASE, ServerUrls
from shop.exercises.verdict import CheckVerdict, FailureReport
from shop.lab.store_client import StoreClient
from shop.switches.registry import SwitchSnapshot
from shop.switches.store import SwitchStore
from tests.conftest import PROOFS_CPU
from tests.exercises.live_stack import REFRESH_S
from tests.support.accounts import CHEAP
from tests.support.factories import make_category, make_product, make_user
from tests.support.web_server import WebServer


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


@pytest.fixture(scope="session")
def stack(live_stack):
    """The stack of the tests of the group ``live-answers``; each of them leaves it as it was."""
    return live_stack


@pytest.fixture
def client(stack):
    """A client of that stack, whose processes have applied what an earlier test has restored."""
    client = StoreClient(f"http://127.0.0.1:{stack.port}")
    client.wait_applied()
    yield client
    client.close()


@pytest.fixture(scope="module")
def address(settings, tmp_path_factory):
    """The address of a store that runs in processes of its own."""
    quick = settings.model_copy(update={"switch_refresh_s": REFRESH_S})
    server = WebServer(quick, tmp_path_factory.mktemp("store"), workers=2)
    try:
        server.wait()
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def store(address, database, cache_client):
    """A client of that store, with a category and an administrator."""
    with database.transaction() as session:
        make_product(session, make_category(session))
        make_user(session, ADMIN.email, password_hash=CHEAP.hash(DEMO_PASSWORD), role="admin")
    store = StoreClient(address)
    yield store
    store.close()


@pytest.fixture
def switches(database):
    """Return a function that reads the stored switches; a process of the store may know them a second later."""
    stored = SwitchStore(database, allow_unsafe=True)
    return lambda: SwitchSnapshot.from_stored(stored.load()).to_dict()


@pytest.fixture
def start_shop(address, tmp_path):
    """Return a function that starts a command of the reader."""
    environment = {**os.environ, "SHOP_VAR_DIR": str(tmp_path / "var")}

    def start(*words):
        command = [sys.executable, "-m", "shop.cli", "exercise", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)

    return start
