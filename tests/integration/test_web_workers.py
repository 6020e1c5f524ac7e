"""Two web workers that share a cache: what one has not heard yet, and what one cannot load, the other answers well."""

import itertools
import re

import httpx
import pytest

from shop.catalog.editing import Edit
from tests.factories import make_category, make_product
from tests.integration.relay import Relay
from tests.integration.web_processes import WebServer
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("web-workers")
INVALIDATED = re.compile(rb"\*3\r\n\$7\r\nmessage\r\n\$\d+\r\nshop:1:invalidated:[^\r]*\r\n\$\d+\r\n[^\r]*\r\n")
NUMBERS = itertools.count(1)


class Worker:
    """One web worker, in a network of its own."""

    def __init__(self, settings, home):
        self.cache = Relay(settings.cache_url)
        self.server = WebServer(settings.model_copy(update={"cache_url": self.cache.url}), home)

    def get(self, path):
        return httpx.get(self.server.url + path, timeout=30)

    def stop(self):
        self.server.stop()
        self.cache.close()


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


@pytest.fixture
def mug(database):
    slug = f"web-mug-{next(NUMBERS)}"  # workers remember the last test's
    with database.transaction() as session:
        make_product(session, make_category(session, f"{slug}s"), slug, price_amount=500)
    return slug


def test_a_page_made_by_a_worker_that_has_not_heard_yet_shows_nothing_of_what_it_remembers(workers, runtime, mug):
    """It would be stored as new, under the tags as they stand by now: nothing would end it but its class's time."""
    unheard, other = workers
    screen = f"/api/v1/screens/product/{mug}"
    until(lambda: "shop-local; hit" in unheard.get(screen).headers["Cache-Status"])
    unheard.cache.answered = lambda answer: INVALIDATED.sub(b"", answer)
    runtime.services().catalog.edit(mug, Edit(price=555))
    assert unheard.get(screen).json()["product"]["price"]["amount"] == 500  # it has not heard
    pages = [worker.get(f"/p/{mug}") for worker in (unheard, other)]
    assert "shop-shared; hit" in pages[1].headers["Cache-Status"]
    assert ["5.55" in page.text for page in pages] == [True, True]
