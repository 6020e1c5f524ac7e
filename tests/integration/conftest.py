"""The whole web application in this process, on the real servers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from shop.app import create_app
from shop.database.transactions import Database
from shop.settings import Settings
from shop.wiring import ProcessRuntime, build
from tests.support.accounts import CHEAP
from tests.support.compile_cache import KeptBytecode, KeptRule
from tests.support.payments_simulator import Simulator

# Nearly every test has an application of its own; what is the same in each of them is worked out once.
Flask.url_rule_class = KeptRule
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": KeptBytecode()}


@pytest.fixture
def runtime(settings: Settings, database: Database, cache_client: redis.Redis) -> Iterator[ProcessRuntime]:
    """A process's runtime, started, on an empty database and an empty cache. Its passwords cost little."""
    runtime = replace(build(settings), passwords=CHEAP)
    runtime.start()
    yield runtime
    runtime.close()


@pytest.fixture
def client(runtime: ProcessRuntime) -> FlaskClient:
    """An HTTP client of the application, without a network between."""
    return create_app(runtime).test_client()


@pytest.fixture(scope="session")
def _simulator(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(settings, tmp_path_factory.mktemp("payments"))
    yield simulator
    simulator.kill()


@pytest.fixture
def simulator(_simulator: Simulator) -> Simulator:
    """The payments provider, a process of its own, listening where the settings say; started again if it was killed,
    and with good manners, whatever the last test taught it."""
    _simulator.start()
    _simulator.behave()
    _simulator.forget()
    return _simulator
