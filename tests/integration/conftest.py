"""The whole web application in this process, on the real servers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from shop.app import create_app
from shop.catalog.models import Category, Product
from shop.database.transactions import Database
from shop.settings import Settings
from shop.wiring import ProcessRuntime, build
from tests.support.accounts import CHEAP
from tests.support.compile_cache import CachedBytecode, CachedRule
from tests.support.factories import make_category, make_product
from tests.support.payments_simulator import Simulator

# Nearly every test has an application of its own; what is the same in each of them is worked out once.
Flask.url_rule_class = CachedRule
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CachedBytecode()}


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


ProductMaker = Callable[..., Product]


@pytest.fixture
def product_on_shelf(database: Database) -> ProductMaker:
    """Adds a product: called with its slug and, where they matter, its fields; returns the product."""

    def add(slug: str = "mug", **fields: Any) -> Product:
        with database.transaction() as session:
            category = session.scalar(select(Category).where(Category.slug == "mugs")) or make_category(session)
            return make_product(session, category, slug, **fields)

    return add


@pytest.fixture
def last_mugs(product_on_shelf: ProductMaker, simulator: Simulator) -> Product:
    """Nine pieces of one product, "last-mug", and the payments provider to pay for them."""
    return product_on_shelf("last-mug", on_hand=9)
