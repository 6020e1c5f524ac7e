"""Two web workers that share a cache: a missed invalidation or a hanging database of one does not affect the other."""

import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from shop.catalog.editing import ProductChange
from tests.support.factories import make_category, make_product
from tests.support.polling import until
from tests.support.tcp_proxy import TcpProxy
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("web-workers")
INVALIDATED = re.compile(rb"\*3\r\n\$7\r\nmessage\r\n\$\d+\r\nshop:1:invalidated:[^\r]*\r\n\$\d+\r\n[^\r]*\r\n")
WAIT_S = 2
"""The shortest wait for a hanging database, for a connection or a statement."""
NUMBERS = itertools.count(1)


class Worker:
    """One web worker, in its own network."""

    def __init__(self, settings, home):
        self.cache = TcpProxy(settings.cache_url)
        self.database = TcpProxy(settings.database_url)
        self.server = WebServer(
            settings.model_copy(
                update={
                    "cache_url": self.cache.url,
                    "database_url": self.database.url,
                    "db_statement_timeout_ms": WAIT_S * 1000,
                    "db_connect_timeout_s": WAIT_S,
                }
            ),
            home,
        )

    def get(self, path):
        return httpx.get(self.server.url + path, timeout=30)

    def stop(self):
        self.server.stop()
        self.cache.close()
        self.database.close()


@pytest.fixture(scope="module")
def running(settings, tmp_path_factory):
    workers = [Worker(settings, tmp_path_factory.mktemp(name)) for name in ("one", "two")]
    try:
        for worker in workers:
            worker.server.wait()
        yield workers
    finally:
        for worker in workers:
            worker.stop()


@pytest.fixture
def workers(running, cache_client):
    yield running
    for worker in running:
        worker.cache.answered = lambda answer: answer
        worker.database.go_on()


@pytest.fixture
def mug(database):
    slug = f"web-mug-{next(NUMBERS)}"  # workers remember the last test's
    with database.transaction() as session:
        make_product(session, make_category(session, f"{slug}s"), slug, price_amount=500)
    return slug


def test_page_from_worker_with_missed_invalidation_shows_current_price(workers, runtime, mug):
    """The old value would be stored under the new tag versions, and only its lifetime would end it."""
    unheard, other = workers
    screen = f"/api/v1/screens/product/{mug}"
    until(lambda: "shop-local; hit" in unheard.get(screen).headers["Cache-Status"])
    unheard.cache.answered = lambda answer: INVALIDATED.sub(b"", answer)
    runtime.services().catalog.edit(mug, ProductChange(price=555))
    assert unheard.get(screen).json()["product"]["price"]["amount"] == 500  # it has not heard
    pages = [worker.get(f"/p/{mug}") for worker in (unheard, other)]
    assert "shop-shared; hit" in pages[1].headers["Cache-Status"]
    assert ["5.55" in page.text for page in pages] == [True, True]


def test_hanging_database_delays_workers_independently(workers, mug):
    for worker in workers:
        worker.database.hang()

    def ask(worker):
        status = worker.get(f"/api/v1/products/{mug}").status_code
        return status, time.monotonic()

    with ThreadPoolExecutor(2) as shoppers:
        answers = list(shoppers.map(ask, workers))
    assert [status for status, _ in answers] == [503, 503]
    apart_s = abs(answers[0][1] - answers[1][1])
    assert apart_s < WAIT_S * 0.75  # else the second has waited for itself, too
